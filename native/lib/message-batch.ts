/**
 * Messages as they were delivered, in one piece of memory. What the listener does not keep is used again for later batches: it must
 * ask for what it wants to keep before it returns.
 */

const wordsPerMessage = 4;

export class MessageBatch {
  readonly length: number;
  /** All of the memory, which is larger than the batch; undefined when it is in use for another batch. */
  #words: Uint32Array | undefined;
  readonly #index: number;
  #kept: ArrayBufferLike | undefined;
  /** What was kept is the memory itself. */
  #inPlace = false;

  /** @internal */
  constructor(words: Uint32Array, indexOffset: number, count: number) {
    this.length = count;
    this.#words = words;
    this.#index = indexOffset / Uint32Array.BYTES_PER_ELEMENT;
  }

  /**
   * A view of message `i`, 0 to length - 1: the receiver's to keep, nobody writes to it any more. The first call keeps the whole batch,
   * and every view keeps it in memory; copy what is small and stays long.
   * @throws RangeError if there is no such message, or the batch is over and was not kept.
   */
  data(i: number): Uint8Array {
    const [offset, bytes] = [this.#word(i, 0), this.#word(i, 1)];
    return new Uint8Array(this.#keep(), offset, bytes);
  }

  /** Bytes of message `i`. @throws RangeError as data(). */
  size(i: number): number {
    return this.#word(i, 1);
  }

  /** @throws RangeError as data(). */
  senderNodeId(i: number): number {
    return this.#word(i, 2);
  }

  /** @throws RangeError as data(). */
  senderPid(i: number): number {
    return this.#word(i, 3);
  }

  /** Ends the batch if nothing was kept. Whether its memory may be used again. @internal */
  release(): boolean {
    if (this.#kept === undefined) this.#words = undefined;
    return !this.#inPlace;
  }

  /**
   * The memory itself if the batch fills most of it, else a copy in memory of the right size: a few bytes that are kept would hold a
   * whole slab (64 KiB), while so small a copy costs less than a fresh slab for the next batch.
   */
  #keep(): ArrayBufferLike {
    if (this.#kept !== undefined) return this.#kept;
    const { buffer } = this.#live();
    const used = (this.#index + this.length * wordsPerMessage) * Uint32Array.BYTES_PER_ELEMENT;
    this.#inPlace = used * 2 > buffer.byteLength;
    this.#kept = this.#inPlace ? buffer : buffer.slice(0, used);
    this.#words = new Uint32Array(this.#kept, 0, used / Uint32Array.BYTES_PER_ELEMENT);
    return this.#kept;
  }

  #live(): Uint32Array {
    if (this.#words === undefined) throw new RangeError("this batch is over: ask for the data of a message before the listener returns");
    return this.#words;
  }

  #word(i: number, which: number): number {
    if (i >>> 0 !== i || i >= this.length) throw new RangeError(`no message ${i} in a batch of ${this.length}`);
    return this.#live()[this.#index + i * wordsPerMessage + which] as number;
  }
}
