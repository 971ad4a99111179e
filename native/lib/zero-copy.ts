/** A buffer that libcpg shares with the daemon. For large messages that are built in place; multicast() is the normal way. */
import { limit } from "./arguments.js";

interface ZeroCopyCalls {
  multicast(bytes: number): Promise<void>;
  free(): Promise<void>;
}

export class ZeroCopyBuffer {
  /**
   * Write the message here. Empty after free() and after the handle was closed. Moved away by transfer() it can no longer be sent or freed, and
   * stays for good; but not if its worker ends without having closed the handle: whoever reads it then, on another thread, ends the process.
   */
  readonly bytes: Uint8Array;
  #calls: ZeroCopyCalls;

  constructor(memory: ArrayBuffer, calls: ZeroCopyCalls) {
    this.bytes = new Uint8Array(memory);
    this.#calls = calls;
  }

  /** Sends the first `length` bytes as one message; resolves when it is queued. @throws CorosyncError INVALID_PARAM, NOT_EXIST (not joined), … */
  async multicast(length: number = this.bytes.byteLength): Promise<void> {
    limit("cpg_zcb_mcast_joined", "length", length, 0, this.bytes.byteLength);
    await this.#calls.multicast(length);
  }

  /** Gives the memory back. Only the daemon can take it: what is left when it has gone stays mapped until this process ends. */
  free(): Promise<void> {
    return this.#calls.free();
  }
}
