/** The clocks and timers of one simulated process. Time passes only when the simulation says so. */
import type { Clock } from "../apply/cluster-clock.js";
import type { Cancel, Scheduler } from "../scheduler.js";

interface Timer {
  readonly number: number;
  readonly everyMs: number | undefined;
  readonly call: () => void;
  atMs: number;
}

export class SimulatedClock implements Clock, Scheduler {
  /** How fast this clock runs. */
  readonly rate: number;
  #monotonicMs: number;
  #wallMs: number;
  #timers: Timer[] = [];
  #set = 0;

  constructor(startMs: number, wallMs: number, rate: number) {
    this.#monotonicMs = startMs;
    this.#wallMs = wallMs;
    this.rate = rate;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  wallMs(): number {
    return this.#wallMs;
  }

  /** Somebody sets the wall clock. */
  jump(ms: number): void {
    this.#wallMs += ms;
  }

  after(ms: number, call: () => void): Cancel {
    return this.#add(ms, undefined, call);
  }

  every(ms: number, call: () => void): Cancel {
    return this.#add(ms, ms, call);
  }

  soon(call: () => void): Cancel {
    return this.#add(0, undefined, call);
  }

  /** Time passes, and what is due is called, in order. */
  advance(ms: number): void {
    const end = this.#monotonicMs + ms * this.rate;
    this.#wallMs += ms * this.rate;
    for (let next = this.#nextDue(end); next !== undefined; next = this.#nextDue(end)) {
      this.#monotonicMs = Math.max(this.#monotonicMs, next.atMs);
      // As libuv does it: an interval that was missed several times comes once.
      if (next.everyMs === undefined) this.#remove(next);
      else next.atMs = this.#monotonicMs + next.everyMs;
      next.call();
    }
    this.#monotonicMs = Math.max(this.#monotonicMs, end);
  }

  /** Time passes while the process stands still. */
  sleep(ms: number): void {
    this.#monotonicMs += ms * this.rate;
    this.#wallMs += ms * this.rate;
  }

  /** The process is gone. */
  stop(): void {
    this.#timers = [];
  }

  #add(ms: number, everyMs: number | undefined, call: () => void): Cancel {
    this.#set++;
    const timer: Timer = { number: this.#set, everyMs, call, atMs: this.#monotonicMs + ms };
    this.#timers.push(timer);
    return () => this.#remove(timer);
  }

  #remove(timer: Timer): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }

  #nextDue(untilMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs > untilMs) continue;
      if (next === undefined || timer.atMs < next.atMs || (timer.atMs === next.atMs && timer.number < next.number)) next = timer;
    }
    return next;
  }
}
