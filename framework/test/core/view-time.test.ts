/** Who says in a new view where cluster time goes on, and by whose clock. */
import { describe, expect, it } from "vitest";
import type { Ballot } from "../../src/core/ballot.js";
import type { StateReport } from "../../src/core/messages.js";
import { viewTime } from "../../src/core/view-time.js";

const view = (k: number): Ballot => ({ era: 0, ringSeq: 4n, ringNode: 1, k, attempt: 0 });

interface Said {
  readonly stoodAtMs: number;
  /** Of its log. */
  readonly k?: number;
  /** The last view it was in, and whether it is sure of the time. */
  readonly was?: readonly [k: number, sure: boolean];
}

const states = (...said: readonly (Said | undefined)[]): StateReport[] => said.map((each, at) => ({
  incarnation: String(at), ballot: view(each?.k ?? 2),
  ...(each === undefined ? {} : { time: { stoodAtMs: each.stoodAtMs, ...(each.was === undefined ? {} : { step: { view: view(each.was[0]), runningMs: each.stoodAtMs + 100, sure: each.was[1] } }) } }),
}) as StateReport);

function seen(...said: readonly (Said | undefined)[]): unknown {
  const time = viewTime(states(...said), view(2));
  return time === undefined ? undefined : [time.stoodAtMs, [...time.inStep.keys()].join(" "), time.reference];
}

describe("the time of a view", () => {
  it("is nobody's at a first start", () => {
    expect(seen(undefined, undefined)).toBeUndefined();
  });

  it("is where it stood last for a member of the last view, whose clock leads", () => {
    expect(seen({ stoodAtMs: 5, was: [2, true] }, { stoodAtMs: 7, was: [2, true] }, undefined)).toEqual([7, "1 0", undefined]);
  });

  it("is not what one says that was in an earlier view only, or has an older log", () => {
    expect(seen({ stoodAtMs: 5, was: [2, true] }, { stoodAtMs: 900, was: [1, true] }, { stoodAtMs: 800, k: 1 })).toEqual([5, "0", undefined]);
  });

  it("is no earlier than in a log that came back from a disk", () => {
    expect(seen({ stoodAtMs: 5, was: [2, true] }, { stoodAtMs: 6 })).toEqual([6, "0", undefined]);
  });

  it("is by the clock of the first of them where nobody is sure", () => {
    expect(seen({ stoodAtMs: 5, was: [2, false] }, { stoodAtMs: 7, was: [2, false] }, { stoodAtMs: 6 })).toEqual([7, "1 0", "1"]);
    expect(seen({ stoodAtMs: 5 }, { stoodAtMs: 7 })).toEqual([7, "", "0"]);
  });
});
