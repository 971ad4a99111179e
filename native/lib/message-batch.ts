/** Messages as they were delivered, in one piece of memory. Making a view of one costs no copy, and keeps the whole piece alive. */

const wordsPerMessage = 4;

export class MessageBatch {
  /** Everything: the payloads, then the index. The receiver's to keep; nobody writes to it any more. */
  readonly slab: ArrayBuffer;
  readonly length: number;
  #index: Uint32Array;

  constructor(slab: ArrayBuffer, indexOffset: number, count: number) {
    this.slab = slab;
    this.length = count;
    this.#index = new Uint32Array(slab, indexOffset, count * wordsPerMessage);
  }

  /** A view of message `i`, 0 to length - 1. */
  data(i: number): Uint8Array {
    return new Uint8Array(this.slab, this.#word(i, 0), this.#word(i, 1));
  }

  /** Bytes of message `i`. */
  size(i: number): number {
    return this.#word(i, 1);
  }

  senderNodeId(i: number): number {
    return this.#word(i, 2);
  }

  senderPid(i: number): number {
    return this.#word(i, 3);
  }

  #word(i: number, which: number): number {
    const word = this.#index[i * wordsPerMessage + which];
    if (word === undefined) throw new RangeError(`no message ${i} in a batch of ${this.length}`);
    return word;
  }
}
