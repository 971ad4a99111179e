/** Whose promises count, and of what: a ballot that is taken too early can be decided twice around a crash. */
import { describe, expect, it } from "vitest";
import type { Ballot } from "../../src/core/ballot.js";
import { recoveredDisk, blankRecovery } from "../../src/core/disk.js";
import { countPromise, sendPromise } from "../../src/core/promise.js";
import { majorityPolicy } from "../../src/core/quorum-policy.js";
import { genesis, initialCore, type CoreState } from "../../src/core/state.js";

const ballot: Ballot = { era: 0, ringSeq: 40n, ringNode: 1, k: 2, attempt: 1 };
const memberSlots = [1, 2, 3];

/** Slot 1 of five, in a decided view of three that waits for promises. */
function waiting(remembering: readonly number[] = memberSlots): CoreState {
  const members = memberSlots.map((slot) => ({ slot, incarnation: String(slot).padStart(16, "0") }));
  const state = initialCore({
    slot: 1, incarnation: members[0]?.incarnation ?? "", slots: [1, 2, 3, 4, 5], policy: majorityPolicy, durability: "disk", machine: "m", version: 1,
    silenceTimeoutMs: 1, transferTimeoutMs: 1, heldBytes: 1, logRetentionBytes: 1, unwrittenBytes: 1,
  });
  const decision = {
    kind: "primary" as const, ballot, members, target: genesis, targetBallot: ballot, holders: memberSlots, remembering, quorum: undefined, loud: undefined, time: undefined, misfits: [],
  };
  return { ...state, promising: { decision, promised: new Set(), sent: false } };
}

/** After each of these, whether there are enough. */
function counted(state: CoreState, ...promises: readonly (readonly [slot: number, of: Ballot])[]): boolean[] {
  return promises.map(([slot, of]) => countPromise(state, slot, { type: "promise", ballot: of }));
}

describe("promises", () => {
  it("are enough when more than half of the slots have made them, each counted once", () => {
    expect(counted(waiting(), [1, ballot], [2, ballot], [2, ballot], [3, ballot])).toEqual([false, false, false, true]);
  });

  it("are of one ballot: those of an earlier exchange that come late are none", () => {
    const earlier = { ...ballot, attempt: 0 };
    expect(counted(waiting(), [1, earlier], [2, earlier], [3, earlier], [3, { ...ballot, k: 3 }])).toEqual([false, false, false, false]);
  });

  it("are of members of the view that remember", () => {
    expect(counted(waiting([1, 2, 3, 4]), [1, ballot], [2, ballot], [4, ballot], [3, ballot])).toEqual([false, false, false, true]);
    expect(counted(waiting([1, 2]), [1, ballot], [2, ballot], [3, ballot])).toEqual([false, false, false]);
  });

  it("count for nothing where no view waits for them", () => {
    expect(counted({ ...waiting(), promising: undefined }, [1, ballot], [2, ballot], [3, ballot])).toEqual([false, false, false]);
  });

  it("are made once, when this ballot or a higher one is written down", () => {
    const said = (promised: Ballot): string[] => {
      const state = waiting();
      state.disk = recoveredDisk({ ...blankRecovery, head: { ...blankRecovery.head, promised } }, 0);
      sendPromise(state);
      sendPromise(state);
      return state.effects.map((effect) => (effect.type === "multicast" ? effect.message.type : effect.type));
    };
    expect([{ ...ballot, attempt: 0 }, ballot, { ...ballot, k: 3 }].map(said)).toEqual([[], ["promise"], ["promise"]]);
  });
});
