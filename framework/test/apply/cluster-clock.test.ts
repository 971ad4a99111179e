/** Cluster time: one wall clock at the start, monotonic clocks afterwards, never back. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ClusterClock } from "../../src/apply/cluster-clock.js";
import type { Ballot } from "../../src/core/ballot.js";
import { viewTime } from "../../src/core/view-time.js";
import type { StateReport } from "../../src/core/messages.js";

function fake(wallMs: number): { monotonicMs: () => number; wallMs: () => number; pass: (ms: number) => void; jump: (ms: number) => void } {
  let monotonic = 500;
  let wall = wallMs;
  return { monotonicMs: () => monotonic, wallMs: () => wall, pass: (ms) => { monotonic += ms; }, jump: (ms) => { wall += ms; } };
}

const view = (k: number): Ballot => ({ era: 0, ringSeq: 4n, ringNode: 1, k, attempt: 0 });

/** What the States of these, sent now, make of the view k + 1; all hear them a while later, each in its own time. */
function exchange(k: number, clocks: readonly ClusterClock[], later: () => void): void {
  const reports = clocks.map((clock) => clock.report());
  later();
  for (const [self, clock] of clocks.entries()) {
    const trusted = reports.map((time, at) => ({ incarnation: String(at), ballot: view(k), ...(time === undefined ? {} : { time: clock.heard(time) }) }) as StateReport);
    clock.resume(view(k + 1), viewTime(trusted, view(k)), String(self));
  }
}

describe("cluster time", () => {
  it("starts from the wall clock, and takes no notice of it afterwards", () => {
    const clock = fake(1_000_000);
    const cluster = new ClusterClock(clock);
    expect(cluster.now()).toBeUndefined();
    cluster.resume(view(1), undefined, "0");
    expect(cluster.start()).toBe(1_000_000);
    clock.pass(5);
    clock.jump(7_777);
    // Nothing is applied yet, and what it has said is said.
    expect(cluster.start()).toBe(1_000_005);
    cluster.observe(1_000_005);
    clock.pass(5);
    clock.jump(-999_999);
    expect(cluster.start()).toBe(1_000_010);
  });

  it("runs neither slow nor back under load, however old the entries are when they are applied", () => {
    fc.assert(fc.property(fc.array(fc.record({ pass: fc.nat({ max: 1_000 }), age: fc.integer({ min: -50, max: 500 }) })), (history) => {
      const clock = fake(0);
      const cluster = new ClusterClock(clock);
      cluster.resume(view(1), undefined, "0");
      cluster.observe(10_000);
      let last = 10_000;
      let elapsed = 0;
      for (const { pass, age } of history) {
        clock.pass(pass);
        elapsed += pass;
        const now = cluster.now() as number;
        cluster.observe(now - age);
        expect(cluster.now()).toBeGreaterThanOrEqual(last);
        expect(cluster.now()).toBeGreaterThanOrEqual(10_000 + elapsed);
        last = cluster.now() as number;
      }
    }));
  });

  it("stands still between views, and goes on from where it stood, for all alike, however late they hear of the new one", () => {
    fc.assert(fc.property(fc.array(fc.record({ apart: fc.nat({ max: 100_000 }), delay: fc.nat({ max: 2_000 }), within: fc.nat({ max: 5_000 }) }), { minLength: 1 }), (history) => {
      const clock = fake(0);
      const clocks = [new ClusterClock(clock), new ClusterClock(clock)] as const;
      let k = 1;
      for (const each of clocks) {
        each.resume(view(k), undefined, "0");
        each.observe(10_000);
      }
      for (const { apart, delay, within } of history) {
        clock.pass(within);
        const stood = clocks[0].now() as number;
        for (const each of clocks) each.stop();
        clock.pass(apart);
        // The view is over already, and the members change again.
        for (const each of clocks) each.stop();
        expect(clocks.map((each) => each.now())).toEqual([stood, stood]);
        exchange(k++, clocks, () => { clock.pass(delay); });
        expect(clocks.map((each) => Math.round(each.now() as number))).toEqual([Math.round(stood + delay), Math.round(stood + delay)]);
      }
    }));
  });

  it("is taken from those who were in the last view by one that begins with an old state, and by one that has none", () => {
    const clock = fake(0);
    const [old, restarted, blank] = [new ClusterClock(clock), new ClusterClock(clock), new ClusterClock(clock)];
    old.resume(view(1), undefined, "0");
    old.observe(10_000);
    clock.pass(600_000);
    restarted.observe(10_000);
    old.stop();
    exchange(1, [old, restarted, blank], () => { clock.pass(5); });
    expect([old, restarted, blank].map((each) => each.now())).toEqual([610_005, 610_000, 610_000]);
  });

  it("is not taken from one that was in no view of late: time may have stood still without it", () => {
    const clock = fake(0);
    const [first, second, absent] = [new ClusterClock(clock), new ClusterClock(clock), new ClusterClock(clock)];
    for (const each of [first, second, absent]) {
      each.resume(view(1), undefined, "0");
      each.observe(10_000);
    }
    for (const each of [first, second]) each.stop();
    clock.pass(600_000);
    exchange(1, [first, second], () => undefined);
    clock.pass(1_000);
    for (const each of [first, second, absent]) each.stop();
    expect([first, second, absent].map((each) => each.now())).toEqual([11_000, 11_000, 611_000]);
    exchange(2, [first, second, absent], () => undefined);
    expect([first, second, absent].map((each) => each.now())).toEqual([11_000, 11_000, 11_000]);
  });

  it("goes on from the latest state after a restart of all", () => {
    const clock = fake(0);
    const clocks = [new ClusterClock(clock), new ClusterClock(clock)] as const;
    clocks[0].observe(9_000);
    clock.pass(3_600_000);
    clocks[1].observe(10_000);
    exchange(1, clocks, () => undefined);
    expect(clocks.map((each) => each.now())).toEqual([10_000, 10_000]);
  });

  it("is sure no more for who missed a view, however sure it was before: it has to ask", () => {
    const clock = fake(0);
    const clocks = [new ClusterClock(clock), new ClusterClock(clock)] as const;
    for (const each of clocks) {
      each.resume(view(1), undefined, "any");
      each.observe(10_000);
      each.beSure();
      each.stop();
    }
    const [away, stayed] = clocks;
    exchange(1, [stayed], () => undefined);
    expect(stayed.sure).toBe(true);
    stayed.stop();
    exchange(2, [away, stayed], () => undefined);
    expect([away.sure, stayed.sure]).toEqual([false, true]);
  });
});
