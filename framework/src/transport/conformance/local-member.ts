/** A conformance member in this process: a transport, driven as a careful application would. */
import { LockstepError } from "../../errors.js";
import type { GroupTransport, MemberAddress } from "../group-transport.js";
import type { Burst, ConformanceMember, MemberEvent } from "./bed.js";
import { encodePayload } from "./payload.js";
import { Recorder } from "./recorder.js";

export function localMember(transport: GroupTransport): ConformanceMember {
  return new LocalMember(transport);
}

class LocalMember implements ConformanceMember {
  readonly #transport: GroupTransport;
  readonly #recorder = new Recorder();
  #loading = false;
  #load: Promise<void> = Promise.resolve();

  constructor(transport: GroupTransport) {
    this.#transport = transport;
  }

  async maxMessageBytes(): Promise<number> {
    return this.#transport.maxMessageBytes;
  }

  async configuredNodes(): Promise<readonly number[]> {
    return this.#transport.configuredNodes();
  }

  async join(group: string): Promise<MemberAddress> {
    const address = await this.#transport.join(group, this.#recorder);
    if (!this.#recorder.isMember && !this.#recorder.isClosed) this.#recorder.violations.push("join() resolved before configurationChanged()");
    return address;
  }

  async multicast(text: string, bytes: number): Promise<"queued" | "busy"> {
    return this.#multicast(text, bytes);
  }

  async send({ label, count, bytes }: Burst): Promise<void> {
    for (let index = 0; index < count; index++) await this.#sendOne(`${label}:${String(index)}`, bytes);
  }

  async sendUntilBusy({ label, count, bytes }: Burst): Promise<number> {
    let index = 0;
    while (this.#multicast(`${label}:${String(index)}`, bytes) === "queued") {
      index += 1;
      if (index >= count) throw new Error(`${String(count)} messages of ${String(bytes)} bytes were taken without a turn of the event loop, and none was "busy": the queue has no bound`);
    }
    await this.#room();
    for (const end = index + 10; index < end; index++) await this.#sendOne(`${label}:${String(index)}`, bytes);
    return index;
  }

  async startLoad(label: string, bytes: number): Promise<void> {
    this.#loading = true;
    this.#load = this.#sendSteadily(label, bytes);
    // Seen by stopLoad(), which may come later.
    this.#load.catch(() => undefined);
  }

  async stopLoad(): Promise<void> {
    this.#loading = false;
    await this.#load;
  }

  async answerPings(): Promise<void> {
    this.#recorder.onMessage = (text) => {
      if (text.startsWith("ping:")) this.#multicast(text.replace("ping", "pong"), 0);
    };
  }

  async leave(): Promise<void> {
    await this.#transport.leave();
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  async events(from: number): Promise<readonly MemberEvent[]> {
    return this.#recorder.events.slice(from);
  }

  async violations(): Promise<readonly string[]> {
    this.#recorder.checkKept();
    return this.#recorder.violations;
  }

  async dispose(): Promise<void> {
    // A member in this process is its transport, which is closed by now.
  }

  async #sendSteadily(label: string, bytes: number): Promise<void> {
    let index = 0;
    while (this.#loading) {
      await this.#sendOne(`${label}:${String(index)}`, bytes);
      index += 1;
      if (index % 4 === 0) await new Promise((resolve) => { setTimeout(resolve, 2); });
    }
  }

  async #sendOne(text: string, bytes: number): Promise<void> {
    while (this.#multicast(text, bytes) === "busy") await this.#room();
  }

  #multicast(text: string, bytes: number): "queued" | "busy" {
    const message = encodePayload(text, bytes);
    const recorder = this.#recorder;
    recorder.multicasting = true;
    try {
      return this.#transport.multicast(message);
    } finally {
      recorder.multicasting = false;
      // The sender's buffer is the sender's again.
      message.fill(0xff);
    }
  }

  async #room(): Promise<void> {
    await new Promise<void>((resolve) => { this.#recorder.onRoom = resolve; });
    this.#recorder.onRoom = () => undefined;
    if (this.#recorder.isClosed) throw new LockstepError("TRANSPORT_CLOSED", "The transport was closed while a message waited for writable().");
  }
}
