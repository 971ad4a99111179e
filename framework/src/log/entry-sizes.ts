/** How large the entries of a log on disk are, about: on the average of some neighbours, not of each. */

const neighbours = 64;

interface Seen {
  entries: number;
  bytes: number;
}

export class EntrySizes {
  /** By position, divided. */
  readonly #seen = new Map<number, Seen>();

  /** One that was seen twice, or gave way to another, counts twice in the average. */
  add(position: number, bytes: number): void {
    const at = Math.floor(position / neighbours);
    const seen = this.#seen.get(at) ?? { entries: 0, bytes: 0 };
    seen.entries++;
    seen.bytes += bytes;
    this.#seen.set(at, seen);
  }

  /** Of the entries after one position up to another. */
  aboutBytes(after: number, through: number): number {
    let bytes = 0;
    for (const [at, seen] of this.#seen) {
      const entries = Math.min(through + 1, (at + 1) * neighbours) - Math.max(after + 1, at * neighbours);
      if (entries > 0) bytes += entries * seen.bytes / seen.entries;
    }
    return bytes;
  }

  /** Nobody asks for entries up to this position any more. */
  drop(through: number): void {
    for (const at of this.#seen.keys()) if ((at + 1) * neighbours <= through + 1) this.#seen.delete(at);
  }
}
