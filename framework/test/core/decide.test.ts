/** Who takes part in a view: of the processes of one node one, and nobody who is configured otherwise than the group. */
import { describe, expect, it } from "vitest";
import { zeroBallot, type Ballot } from "../../src/core/ballot.js";
import { decide, type Decision } from "../../src/core/decide.js";
import type { StateReport } from "../../src/core/messages.js";
import { majorityPolicy } from "../../src/core/quorum-policy.js";
import { genesis, initialCore } from "../../src/core/state.js";

const slots = [1, 2, 3];
const ballot: Ballot = { era: 0, ringSeq: 40n, ringNode: 1, k: 2, attempt: 0 };
const later: Ballot = { ...ballot, k: 3 };

function report(slot: number, more: Partial<StateReport> = {}): StateReport {
  return {
    slot, incarnation: String(slot).padStart(16, "0"), yields: false, lineage: true, unbroken: true, companions: [], ballot, verified: genesis, committed: genesis, k: 0, promised: zeroBallot,
    machine: "m", version: 1, slots, durability: "memory", known: [], policy: "majority", ...more,
  };
}

const blank = { lineage: false, ballot: zeroBallot };

function decided(...reports: StateReport[]): Exclude<Decision, { kind: "contradiction" }> {
  const config = {
    slot: 1, incarnation: "1".padStart(16, "0"), slots, policy: majorityPolicy, durability: "memory" as const, machine: "m", version: 1,
    silenceTimeoutMs: 1, transferTimeoutMs: 1, heldBytes: 1, logRetentionBytes: 1, unwrittenBytes: 1,
  };
  const state = { ...initialCore(config), ring: { nodeId: 1, seq: 48n } };
  const decision = decide(state, { key: "", members: [], takesPart: true, excludeAskedMs: undefined, reported: true, decided: true, reports: new Map(reports.map((each, at) => [`${each.slot}/${100 + at}`, each])) });
  if (decision.kind === "contradiction") throw decision.error;
  return decision;
}

/** Incarnations of those that must stop, and what they are told. */
function stops(...reports: StateReport[]): [string, string][] {
  return decided(...reports).misfits.map(({ incarnation, error }) => [incarnation, `${error.code} ${error.message}`]);
}

describe("a member that is configured otherwise", () => {
  it.each<[string, Partial<StateReport>, string]>([
    ["another machine", { machine: "other" }, "machine \"other\" instead of \"m\""],
    ["another version", { version: 2 }, "machine version 2 instead of 1"],
    ["another quorum policy", { policy: "corosync" }, "quorum policy corosync instead of majority"],
    ["another durability", { durability: "disk" }, "durability disk instead of memory"],
    ["other slots", { slots: [1, 2, 3, 4] }, "slots 1,2,3,4 instead of 1,2,3"],
    ["a slot that is none", { slot: 4 }, "slot 4 is not one of 1,2,3"],
  ])("stops, and is told what does not fit, and the others go on: %s", (_, otherwise, told) => {
    const misfit = report(3, otherwise);
    expect(stops(report(1), report(2), misfit)).toEqual([[misfit.incarnation, expect.stringMatching(/^MACHINE_MISMATCH /) as string]]);
    expect(stops(report(1), report(2), misfit)[0]?.[1]).toContain(told);
    expect(decided(report(1), report(2), misfit)).toMatchObject({ kind: "primary", members: [{ slot: 1 }, { slot: 2 }] });
  });

  it("is the one that knows less: others must fit the latest history, and the lowest slot where there is none", () => {
    const incarnations = (...reports: StateReport[]): string[] => stops(...reports).map(([incarnation]) => Number(incarnation).toString());
    expect(incarnations(report(1, { ...blank, version: 2 }), report(2), report(3))).toEqual(["1"]);
    expect(incarnations(report(1, { version: 2 }), report(2, { ballot: later }), report(3))).toEqual(["1"]);
    // What a member without lineage remembers tells nothing of what the group is.
    expect(incarnations(report(1, { lineage: false, ballot: later, version: 2 }), report(2), report(3))).toEqual(["1"]);
    expect(incarnations(report(1), report(2), report(3, { lineage: false, ballot: later, version: 2 }))).toEqual(["3"]);
    expect(incarnations(report(1, blank), report(2, { ...blank, version: 2 }), report(3, { ...blank, version: 2 }))).toEqual(["2", "3"]);
  });
});

describe("of two processes of one node", () => {
  const [low, high] = ["00000000000000aa", "00000000000000bb"];

  it.each<[string, Partial<StateReport>, Partial<StateReport>]>([
    ["with lineage before without, however high its ballot", { yields: true }, { ...blank, ballot: later }],
    ["the higher ballot before the lower", { ballot: later, yields: true }, {}],
    ["at equal ballots who was there before", {}, { yields: true }],
    ["where neither knows anything who was there before", blank, { ...blank, yields: true }],
  ])("one remains, whatever their order and their names: %s", (_, remains, goes) => {
    for (const [kept, stopped] of [[low, high], [high, low]] as const) {
      const [one, other] = [report(2, { ...remains, incarnation: kept }), report(2, { ...goes, incarnation: stopped })];
      for (const reports of [[report(1), one, other], [report(1), other, one]]) {
        expect(stops(...reports)).toEqual([[stopped, expect.stringMatching(/^SLOT_TAKEN .*stop it first, or use another group name/) as string]]);
        expect(decided(...reports).members).toContainEqual({ slot: 2, incarnation: kept });
      }
    }
  });
});

describe("a view's promises", () => {
  it("count of those that remember, and of all where it takes all of them", () => {
    expect(decided(report(1), report(2), report(3, blank))).toMatchObject({ kind: "primary", remembering: [1, 2] });
    expect(decided(report(1), report(2, blank), report(3, blank))).toMatchObject({ kind: "primary", remembering: [1, 2, 3] });
  });
});
