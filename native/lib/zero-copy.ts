/** A buffer that libcpg shares with the daemon. For large messages that are built in place; multicast() is the normal way. */

interface ZeroCopyCalls {
  multicast(bytes: number): Promise<void>;
  free(): Promise<void>;
}

export class ZeroCopyBuffer {
  /** Write the message here. Empty after free() and after the handle was closed. */
  readonly bytes: Uint8Array;
  #calls: ZeroCopyCalls;

  constructor(memory: ArrayBuffer, calls: ZeroCopyCalls) {
    this.bytes = new Uint8Array(memory);
    this.#calls = calls;
  }

  /** Sends the first `length` bytes as one message; resolves when it is queued. */
  async multicast(length: number = this.bytes.byteLength): Promise<void> {
    if (!Number.isSafeInteger(length) || length < 0 || length > this.bytes.byteLength) throw new RangeError(`length must be 0 to ${this.bytes.byteLength}`);
    await this.#calls.multicast(length);
  }

  /** Gives the memory back. */
  free(): Promise<void> {
    return this.#calls.free();
  }
}
