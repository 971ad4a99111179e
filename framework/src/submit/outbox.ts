/**
 * Messages on their way into the transport: fragmented, in order, waiting while it is busy.
 *
 * What belongs to a view (batches, acknowledgements, chunks) can be withdrawn when the view ends; a message whose first
 * fragments are out is then cut short, which receivers understand (codec/fragments.ts).
 */
import { isLockstepError } from "../errors.js";
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
  #lost = false;
  #nextMessageId = 0;

  constructor(transport: Pick<GroupTransport, "multicast" | "maxMessageBytes">) {
    this.#transport = transport;
  }

  /** Something waits for the transport. */
  get blocked(): boolean {
    return this.#waiting.length > 0;
  }

  send(message: Message): void {
    if (this.#lost) return;
    const ofView = message.type === "batch" || message.type === "ack" || message.type === "chunk" || message.type === "needSync" || message.type === "askTime" || message.type === "tellTime";
    const { maxMessageBytes } = this.#transport;
    for (const bytes of fragment(encodeMessage(message), maxMessageBytes, this.#nextMessageId++ % 2 ** 32)) this.#waiting.push({ ofView, bytes });
    if (!this.#busy) this.flush();
  }

  /** The transport has room again. */
  flush(): void {
    this.#busy = false;
    let sent = 0;
    for (const { bytes } of this.#waiting) {
      const answer = this.#multicast(bytes);
      if (answer === "lost") return;
      if (answer === "busy") {
        this.#busy = true;
        break;
      }
      sent++;
    }
    this.#waiting = sent === this.#waiting.length ? [] : this.#waiting.slice(sent);
  }

  /** "lost": the group is gone, and listener.closed() is about to say so; nothing can be sent any more. */
  #multicast(bytes: Uint8Array): "queued" | "busy" | "lost" {
    try {
      return this.#transport.multicast(bytes);
    } catch (error) {
      if (!isLockstepError(error, "TRANSPORT_CLOSED")) throw error;
      this.#lost = true;
      this.#waiting = [];
      return "lost";
    }
  }

  withdrawView(): void {
    if (this.#waiting.length > 0) this.#waiting = this.#waiting.filter((waiting) => !waiting.ofView);
  }

  clear(): void {
    this.#waiting = [];
  }
}
