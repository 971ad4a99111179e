/** The timers of the system: what is to be in weeks is not at once. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemScheduler } from "../src/scheduler.js";

const dayMs = 24 * 60 * 60 * 1000;
/** setTimeout takes 24.8 days: one part, exactly that and a little more, and many. */
const times = [5, dayMs, 2 ** 31 - 1, 2 ** 31, 30 * dayMs, 200 * dayMs];

let calls: number;
const call = (): void => { calls++; };

beforeEach(() => {
  vi.useFakeTimers();
  calls = 0;
});
afterEach(() => { vi.useRealTimers(); });

describe("the system's scheduler", () => {
  it.each(times)("calls after %d ms, not before, and once", (ms) => {
    systemScheduler.after(ms, call);
    vi.advanceTimersByTime(ms - 1);
    expect(calls).toBe(0);
    vi.advanceTimersByTime(1);
    expect(calls).toBe(1);
    vi.advanceTimersByTime(300 * dayMs);
    expect([calls, vi.getTimerCount()]).toEqual([1, 0]);
  });

  it.each(times)("calls every %d ms, until it is cancelled, by the call itself too", (ms) => {
    const cancel = systemScheduler.every(ms, () => { if (++calls === 3) cancel(); });
    vi.advanceTimersByTime(ms - 1);
    expect(calls).toBe(0);
    vi.advanceTimersByTime(1);
    expect(calls).toBe(1);
    vi.advanceTimersByTime(ms - 1);
    expect(calls).toBe(1);
    vi.advanceTimersByTime(10 * ms);
    expect([calls, vi.getTimerCount()]).toEqual([3, 0]);
  });

  it("goes on at its interval when a call throws", () => {
    const cancel = systemScheduler.every(10, () => { calls++; throw new Error("a mistake"); });
    for (let round = 1; round <= 3; round++) expect(() => vi.advanceTimersByTime(10)).toThrow("a mistake");
    cancel();
    expect([calls, vi.getTimerCount()]).toEqual([3, 0]);
  });

  it("can be cancelled in whatever part of a long time, and never calls after Infinity", () => {
    for (const passedMs of [1, 30 * dayMs, 60 * dayMs]) {
      const cancel = systemScheduler.after(90 * dayMs, call);
      vi.advanceTimersByTime(passedMs);
      cancel();
      expect(vi.getTimerCount()).toBe(0);
    }
    systemScheduler.after(Infinity, call);
    vi.advanceTimersByTime(300 * dayMs);
    expect([calls, vi.getTimerCount()]).toEqual([0, 1]);
  });
});
