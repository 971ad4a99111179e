/**
 * Cluster time: starts from one wall clock when a group starts for the first time, and advances by monotonic clocks only, while there
 * is a view. A wall clock that is wrong or jumps changes nothing afterwards.
 *
 * It stands still from the end of a view to the beginning of the next, and all members of that one must let it go on from the same
 * place at the same moment: what one that is behind stamps would be old at once, and a deadline in it early. So each
 * goes on counting as if time had not stood still, which keeps those of one view in step whatever delays them; States tell
 * both, and at the beginning of a view all take off the same.
 */
import type { Ballot } from "../core/ballot.js";
import type { TimeReport } from "../core/messages.js";
import type { ViewTime } from "../core/view-time.js";

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
  /** Cluster time as if it had gone on, minus own monotonic time: the most that any applied entry has shown. */
  #offset: number | undefined;
  /** Where it stands; undefined while it goes on, and before there is any. */
  #stoodAt: number | undefined;
  #stands = true;
  /** The last one: its members count alike. */
  #view: Ballot | undefined;
  #sure = false;
  /** What start() made of the wall clock, minus own monotonic time. */
  #fromWall: number | undefined;

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
    if (this.#stands && (this.#stoodAt === undefined || timeMs > this.#stoodAt)) this.#stoodAt = timeMs;
  }

  /** The estimate that an entry carries; undefined before the first applied entry. */
  now(): number | undefined {
    return this.#stands ? this.#stoodAt : this.#running();
  }

  /** This process's own, for measuring how long something takes. */
  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  /** For the very first entry of a group. */
  start(): number {
    const known = this.now();
    if (known !== undefined) return known;
    this.#fromWall ??= this.#clock.wallMs() - this.#clock.monotonicMs();
    return this.#clock.monotonicMs() + this.#fromWall;
  }

  /** The first entry of the group is applied, and is of this replica: the time is what it made it. */
  started(): void {
    this.#offset = this.#fromWall ?? this.#offset;
    this.#sure = true;
  }

  /** No other member knows a later time, but for the milliseconds that it would take to tell. */
  get sure(): boolean {
    return this.#sure;
  }

  beSure(): void {
    this.#sure = true;
  }

  /** The view is over. */
  stop(): void {
    if (this.#stands) return;
    this.#stoodAt = this.#running();
    this.#stands = true;
  }

  /** For a State. */
  report(): TimeReport | undefined {
    const stoodAtMs = this.now();
    const runningMs = this.#running();
    if (stoodAtMs === undefined || runningMs === undefined) return undefined;
    return { stoodAtMs, ...(this.#view === undefined ? {} : { step: { view: this.#view, runningMs, sure: this.#sure } }) };
  }

  /** What a State says of a clock is of use together with the moment at which it came. */
  heard(report: TimeReport): TimeReport {
    return report.step === undefined ? report : { ...report, step: { ...report.step, heardAtMs: this.#clock.monotonicMs() } };
  }

  /** A view begins: time goes on. Who was not in the last one goes by what it heard of those who were, and when. */
  resume(view: Ballot, time: ViewTime | undefined, self: string): void {
    if (time !== undefined) this.#offset = this.#offsetFrom(time, self);
    this.#sure = time !== undefined && (time.reference === self || (this.#sure && time.inStep.has(self)));
    this.#stoodAt = undefined;
    this.#stands = false;
    this.#view = view;
  }

  #offsetFrom({ stoodAtMs, inStep }: ViewTime, self: string): number {
    const steps = Array.from(inStep.values());
    const [last] = steps;
    // After a restart of all.
    if (last === undefined) return stoodAtMs - this.#clock.monotonicMs();
    const own = inStep.has(self) && this.#offset !== undefined ? [this.#offset] : [];
    const heard = steps.map(({ runningMs, heardAtMs }) => runningMs - (heardAtMs ?? this.#clock.monotonicMs()));
    return Math.max(...own, ...heard) - Math.max(0, last.runningMs - stoodAtMs);
  }

  #running(): number | undefined {
    return this.#offset === undefined ? undefined : this.#clock.monotonicMs() + this.#offset;
  }
}
