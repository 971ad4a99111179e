/** The client's own idea of how long its session lives. */
import { describe, expect, it } from "vitest";
import type { ClientClock } from "../../src/client/clock.js";
import { Lease } from "../../src/client/lease.js";

/** Timers run when time is let pass, or not at all, as in a process that is stopped. */
class TestClock implements ClientClock {
  #now = 1000;
  #timers: { readonly at: number; readonly run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#timers.push(timer);
    return () => { this.#timers = this.#timers.filter((other) => other !== timer); };
  }

  pass(ms: number): void {
    this.stop(ms);
    for (const timer of this.#timers.filter(({ at }) => at <= this.#now)) {
      this.#timers = this.#timers.filter((other) => other !== timer);
      timer.run();
    }
  }

  /** The process is stopped for so long. */
  stop(ms: number): void {
    this.#now += ms;
  }
}

const start = (ttlMs: number): { readonly clock: TestClock; readonly lease: Lease; readonly ends: number[] } => {
  const clock = new TestClock();
  const ends: number[] = [];
  return { clock, lease: new Lease(clock, clock.now(), ttlMs, () => ends.push(clock.now())), ends };
};

describe("a lease", () => {
  it("ends a tenth of the TTL before the service can end it, and says so once", () => {
    const { clock, lease, ends } = start(10_000);
    clock.pass(8999);
    expect([lease.alive, ends]).toEqual([true, []]);
    clock.pass(1);
    expect([lease.alive, ends]).toEqual([false, [10_000]]);
    clock.pass(10_000);
    expect(ends).toHaveLength(1);
  });

  it("ends at least 250 ms before", () => {
    const { clock, lease } = start(1000);
    clock.pass(749);
    expect(lease.alive).toBe(true);
    clock.pass(1);
    expect(lease.alive).toBe(false);
  });

  it("counts from the sending of a renewal, not from its answer", () => {
    const { clock, lease } = start(10_000);
    const sentAt = clock.now();
    clock.pass(4000);
    lease.renewed(sentAt, 10_000);
    clock.pass(5000);
    expect(lease.alive).toBe(false);
  });

  it("is over at the first look after a pause, before any timer has run", () => {
    const { clock, lease, ends } = start(10_000);
    clock.stop(60_000);
    expect(ends).toEqual([]);
    expect(lease.alive).toBe(false);
    expect(ends).toHaveLength(1);
  });

  it("is not brought back by a renewal that is answered after it was over", () => {
    const { clock, lease } = start(10_000);
    const sentAt = clock.now() + 8000;
    clock.stop(20_000);
    lease.renewed(sentAt, 100_000);
    expect(lease.alive).toBe(false);
  });
});
