/**
 * Messages on their way into the transport: fragmented, in order, waiting while it is busy.
 *
 * What belongs to a view (batches, acknowledgements, chunks) can be withdrawn when the view ends; a message whose first
 * fragments are out is then cut short, which receivers understand (codec/fragments.ts).
 */
import type { Message } from "../core/messages.js";
import { encodeMessage } from "../codec/message-codec.js";
import { fragment } from "../codec/fragments.js";
import type { GroupTransport } from "../transport/group-transport.js";

interface Waiting {
  readonly ofView: boolean;
  readonly bytes: Uint8Array;
}

export class Outbox {
  readonly #transport: Pick<GroupTransport, "multicast" | "maxMessageBytes">;
  #waiting: Waiting[] = [];
  #busy = false;
  #nextMessageId = 0;

  constructor(transport: Pick<GroupTransport, "multicast" | "maxMessageBytes">) {
    this.#transport = transport;
  }

  /** Something waits for the transport. */
  get blocked(): boolean {
    return this.#waiting.length > 0;
  }

  send(message: Message): void {
    const ofView = message.type === "batch" || message.type === "ack" || message.type === "chunk" || message.type === "needSync";
    const { maxMessageBytes } = this.#transport;
    for (const bytes of fragment(encodeMessage(message), maxMessageBytes, this.#nextMessageId++ % 2 ** 32)) this.#waiting.push({ ofView, bytes });
    if (!this.#busy) this.flush();
  }

  /** The transport has room again. */
  flush(): void {
    this.#busy = false;
    let sent = 0;
    for (const { bytes } of this.#waiting) {
      if (this.#transport.multicast(bytes) === "busy") {
        this.#busy = true;
        break;
      }
      sent++;
    }
    this.#waiting = sent === this.#waiting.length ? [] : this.#waiting.slice(sent);
  }

  withdrawView(): void {
    if (this.#waiting.length > 0) this.#waiting = this.#waiting.filter((waiting) => !waiting.ofView);
  }

  clear(): void {
    this.#waiting = [];
  }
}
