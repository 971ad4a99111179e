/** Cluster time: one wall clock at the start, monotonic clocks afterwards, never back. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ClusterClock } from "../../src/apply/cluster-clock.js";

function fake(wallMs: number): { monotonicMs: () => number; wallMs: () => number; pass: (ms: number) => void; jump: (ms: number) => void } {
  let monotonic = 500;
  let wall = wallMs;
  return { monotonicMs: () => monotonic, wallMs: () => wall, pass: (ms) => { monotonic += ms; }, jump: (ms) => { wall += ms; } };
}

describe("cluster time", () => {
  it("starts from the wall clock, and takes no notice of it afterwards", () => {
    const clock = fake(1_000_000);
    const cluster = new ClusterClock(clock);
    expect(cluster.now()).toBeUndefined();
    expect(cluster.start()).toBe(1_000_000);
    cluster.observe(1_000_000);
    clock.pass(10);
    clock.jump(-999_999);
    expect(cluster.start()).toBe(1_000_010);
  });

  it("runs neither slow nor back under load, however old the entries are when they are applied", () => {
    fc.assert(fc.property(fc.array(fc.record({ pass: fc.nat({ max: 1_000 }), age: fc.integer({ min: -50, max: 500 }) })), (history) => {
      const clock = fake(0);
      const cluster = new ClusterClock(clock);
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
});
