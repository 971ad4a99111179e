/**
 * How long a session is certainly alive, by this machine's own monotonic clock.
 *
 * The service counts the TTL from the moment at which it applies a renewal; that is after the renewal was sent. So counted from the
 * sending, the TTL ends here before it ends there. The margin is for clocks that run at different speeds, and for the replicas, whose
 * cluster time may differ by the milliseconds that an entry takes between them.
 */
import type { ClientClock } from "./clock.js";

const leastMarginMs = 250;
const marginShare = 0.1;

export function leaseMargin(ttlMs: number): number {
  return Math.max(leastMarginMs, ttlMs * marginShare);
}

export class Lease {
  readonly #clock: ClientClock;
  readonly #ended: () => void;
  #end: number;
  #cancelTimer: (() => void) | undefined;
  #over = false;

  /**
   * @param sentAt By `clock`: when the session was asked for.
   * @param ended Called once, when it has ended without a renewal, by a timer or by whoever looks first.
   */
  constructor(clock: ClientClock, sentAt: number, ttlMs: number, ended: () => void) {
    this.#clock = clock;
    this.#ended = ended;
    this.#end = sentAt + ttlMs - leaseMargin(ttlMs);
    this.#watch();
  }

  /** By the clock. */
  get end(): number {
    return this.#end;
  }

  /** Looks at the clock: of a process that was stopped, timers may be late. */
  get alive(): boolean {
    if (!this.#over && this.#clock.now() >= this.#end) this.#finish();
    return !this.#over;
  }

  /** A renewal that was sent then was answered. One that comes too late does not bring a lease back that others believe lost. */
  renewed(sentAt: number, ttlMs: number): void {
    if (!this.alive) return;
    this.#end = Math.max(this.#end, sentAt + ttlMs - leaseMargin(ttlMs));
    this.#watch();
  }

  /** It is over for another reason: nobody is told. */
  stop(): void {
    this.#over = true;
    this.#cancelTimer?.();
  }

  #watch(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#clock.after(this.#end - this.#clock.now(), () => {
      if (this.#over) return;
      // A timer may come a little early.
      if (this.alive) this.#watch();
    });
  }

  #finish(): void {
    this.stop();
    this.#ended();
  }
}
