/** How much per second, over the last seconds: for operators. */

/** What is counted, since the replica was made. */
export interface Counts {
  readonly submitted: number;
  readonly appliedCommands: number;
}

/** Per second. */
export type RatesPerSecond = Readonly<Record<keyof Counts, number>>;

/** Older samples do not count, milliseconds. */
const windowMs = 10_000;
const sampleMs = 1_000;
/** Shorter than this, a rate would tell of one moment. */
const shortestMs = 100;

export class Rates {
  #samples: { readonly atMs: number; readonly counts: Counts }[] = [];

  /** To be called often. @param nowMs of a clock that never goes back. */
  sample(nowMs: number, counts: Counts): void {
    if (nowMs - (this.#samples.at(-1)?.atMs ?? -Infinity) < sampleMs) return;
    this.#samples.push({ atMs: nowMs, counts });
    while ((this.#samples[1]?.atMs ?? Infinity) <= nowMs - windowMs) this.#samples.shift();
  }

  /** 0 as long as nothing can be told. */
  now(nowMs: number, counts: Counts): RatesPerSecond {
    const [first] = this.#samples;
    const seconds = first === undefined ? 0 : (nowMs - first.atMs) / 1000;
    const rate = (key: keyof Counts): number => (first === undefined || seconds < shortestMs / 1000 ? 0 : (counts[key] - first.counts[key]) / seconds);
    return { submitted: rate("submitted"), appliedCommands: rate("appliedCommands") };
  }
}
