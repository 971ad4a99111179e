/**
 * How cluster time went beside true time. It is no faster than the fastest clock as a whole, but can lag for a while and then make up
 * for it at once: a replica that has taken over an old state, or heard late of an entry, stamps what it sends with a time that is
 * behind that of the others, until it hears from one of them. What is given a deadline meanwhile has it sooner than it seems.
 */
import type { AppliedEntry } from "@lockstep/framework";

export interface Applied {
  readonly entry: AppliedEntry;
  /** True time, when the first replica applied it. */
  readonly elapsedMs: number;
}

/** Simulated clocks run up to a twentieth fast. */
const fastest = 1.05;

export class ClusterTime {
  readonly #lags: { readonly elapsedMs: number; readonly lagMs: number }[] = [];

  constructor(entries: readonly Applied[]) {
    /** Cluster time less true time, of the clock that is ahead of all others. */
    let lead = Number.NEGATIVE_INFINITY;
    let beforeMs = 0;
    for (const { entry, elapsedMs } of entries) {
      lead = Math.max(lead + (elapsedMs - beforeMs) * (fastest - 1), entry.now - elapsedMs);
      this.#lags.push({ elapsedMs, lagMs: lead - (entry.now - elapsedMs) });
      beforeMs = elapsedMs;
    }
  }

  /** How far behind the time of an entry may have been that was applied between these true times. */
  lagBetween(fromMs: number, toMs: number): number {
    return Math.max(0, ...this.#lags.filter(({ elapsedMs }) => elapsedMs >= fromMs && elapsedMs <= toMs).map(({ lagMs }) => lagMs));
  }
}
