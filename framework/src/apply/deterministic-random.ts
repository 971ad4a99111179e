/**
 * Randomness that every replica draws alike: SHA-256 in counter mode over a seed that all agree on. Not a secret: whoever
 * knows the log knows the numbers.
 */
import { createHash } from "node:crypto";

export class DeterministicRandom {
  readonly #seed: string;
  #counter = 0;

  /** @param seed Differs for every command: the chain hash of its entry, and its place in it. */
  constructor(seed: string) {
    this.#seed = seed;
  }

  /** Uniform in [0, 1), with all 53 bits of a double's precision. */
  random(): number {
    const block = this.#nextBlock();
    return (block.readUInt32BE(0) * 2 ** 21 + (block.readUInt32BE(4) >>> 11)) / 2 ** 53;
  }

  /** Version 4, RFC 9562 section 5.4. */
  uuid(): string {
    const block = this.#nextBlock();
    block[6] = ((block[6] as number) & 0x0f) | 0x40;
    block[8] = ((block[8] as number) & 0x3f) | 0x80;
    const hex = block.toString("hex", 0, 16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  #nextBlock(): Buffer {
    return createHash("sha256").update(`${this.#seed}/${this.#counter++}`).digest();
  }
}
