/** Ballots are totally ordered, from left to right. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareBallots, equalBallots, highestBallot, zeroBallot } from "../../src/core/ballot.js";
import { ballots } from "../support/arbitraries.js";

/** Small ones collide often. */
const close = fc.record({ era: fc.nat({ max: 1 }), ringSeq: fc.bigInt({ min: 0n, max: 1n }), ringNode: fc.nat({ max: 1 }), k: fc.nat({ max: 1 }), attempt: fc.nat({ max: 1 }) });
const some = fc.oneof(ballots, close);

describe("ballots", () => {
  it("are ordered totally: antisymmetric, transitive, and equal only to themselves", () => {
    fc.assert(fc.property(some, some, some, (a, b, c) => {
      expect(Math.sign(compareBallots(a, b))).toBe(-Math.sign(compareBallots(b, a)) + 0);
      if (compareBallots(a, b) <= 0 && compareBallots(b, c) <= 0) expect(compareBallots(a, c)).toBeLessThanOrEqual(0);
      expect(equalBallots(a, b)).toBe(Object.values(a).join() === Object.values(b).join());
      expect(compareBallots(a, { ...a })).toBe(0);
    }), { numRuns: 1_000 });
  });

  it("compare era before ring, ring before node, node before k, k before attempt", () => {
    const base = { era: 1, ringSeq: 1n, ringNode: 1, k: 1, attempt: 1 };
    const ascending = [
      base, { ...base, attempt: 2 }, { ...base, k: 2, attempt: 0 }, { ...base, ringNode: 2, k: 0, attempt: 0 },
      { ...base, ringSeq: 2n ** 60n, ringNode: 0, k: 0, attempt: 0 }, { ...zeroBallot, era: 2 },
    ];
    for (const [index, ballot] of ascending.entries()) for (const higher of ascending.slice(index + 1)) expect(compareBallots(ballot, higher)).toBeLessThan(0);
  });

  it("have a highest one, which is zero when there are none", () => {
    expect(highestBallot([])).toEqual(zeroBallot);
    fc.assert(fc.property(fc.array(some, { minLength: 1 }), (all) => {
      const highest = highestBallot(all);
      expect(all.every((ballot) => compareBallots(ballot, highest) <= 0)).toBe(true);
    }));
  });
});
