/**
 * Cluster time: starts from one wall clock when a group starts for the first time, and advances by monotonic clocks
 * only. A wall clock that is wrong or jumps changes nothing afterwards.
 */

/** The only clocks the framework reads, so that a simulation can give its own. Milliseconds. */
export interface Clock {
  monotonicMs(): number;
  wallMs(): number;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};

export class ClusterClock {
  readonly #clock: Clock;
  /** Cluster time minus own monotonic time: the most that any applied entry has shown. */
  #offset: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * After applying an entry of this cluster time. Only ever raised: re-basing on the last known time instead would make
   * the clock run slow under load.
   */
  observe(timeMs: number): void {
    const offset = timeMs - this.#clock.monotonicMs();
    if (this.#offset === undefined || offset > this.#offset) this.#offset = offset;
  }

  /** The estimate that an entry carries; undefined before the first applied entry. */
  now(): number | undefined {
    return this.#offset === undefined ? undefined : this.#clock.monotonicMs() + this.#offset;
  }

  /** This process's own, for measuring how long something takes. */
  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  /** For the very first entry of a group. */
  start(): number {
    return this.now() ?? this.#clock.wallMs();
  }
}
