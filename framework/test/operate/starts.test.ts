/** Which start of a group goes on when members of several meet: the same for all who look, and never two of them together. */
import { describe, expect, it } from "vitest";
import { compareBallots, isUnused, newStart, startOf, zeroBallot, type Ballot } from "../../src/core/ballot.js";
import { decide, type Decision } from "../../src/core/decide.js";
import type { StateReport } from "../../src/core/messages.js";
import { majorityPolicy } from "../../src/core/quorum-policy.js";
import { initialCore, type CoreState, type Exchange } from "../../src/core/state.js";

const slots = [1, 2, 3];
const early: Ballot = { era: 0, ringSeq: 40n, ringNode: 1, k: 2, attempt: 0 };
const fresh = newStart(early, 3, "0123".padEnd(32, "0"));
const used: Ballot = { ...fresh, ringSeq: 44n, ringNode: 1, k: 1 };

function report(slot: number, ballot: Ballot, more: Partial<StateReport> = {}): StateReport {
  const blank = compareBallots(ballot, zeroBallot) === 0;
  const verified = { position: blank ? 0 : 10, hash: blank ? "0".repeat(32) : String(startOf(ballot) % 10).repeat(32) };
  return {
    slot, incarnation: String(slot).padStart(16, "0"), yields: false, lineage: !blank, unbroken: !blank, companions: [], ballot, verified, committed: { position: 0, hash: "0".repeat(32) }, k: 0, promised: ballot,
    machine: "m", version: 1, slots, durability: "disk", known: blank ? [] : [slot], policy: "majority", ...more,
  };
}

function decided(...reports: readonly StateReport[]): Decision {
  const config = {
    slot: 1, incarnation: "0".repeat(16), slots, policy: majorityPolicy, durability: "disk" as const, machine: "m", version: 1,
    silenceTimeoutMs: 1, transferTimeoutMs: 1, heldBytes: 1, logRetentionBytes: 1, unwrittenBytes: 1,
  };
  const state: CoreState = { ...initialCore(config), ring: { nodeId: 1, seq: 48n } };
  const exchange: Exchange = {
    key: "", members: [], takesPart: true, excludeAskedMs: undefined, reported: true, decided: true,
    reports: new Map(reports.map((each) => [`${each.slot}/1`, each])),
  };
  return decide(state, exchange);
}

/** Who goes on, and who stops. */
function outcome(decision: Decision): { readonly kind: string; readonly start: number | undefined; readonly stop: readonly string[] } {
  if (decision.kind === "contradiction") return { kind: decision.kind, start: undefined, stop: [] };
  for (const { error } of decision.misfits) expect(error.code).toBe("DIVERGED");
  return { kind: decision.kind, start: decision.kind === "primary" ? startOf(decision.ballot) : undefined, stop: decision.misfits.map(({ incarnation }) => String(Number(incarnation))) };
}

const later = startOf(fresh);

describe("starts of a group", () => {
  it("are ordered, and a new one is above all ballots before it", () => {
    expect(compareBallots(fresh, { era: 200, ringSeq: 2n ** 64n - 1n, ringNode: 9, k: 9, attempt: 9 })).toBeGreaterThan(0);
    expect([isUnused(fresh), isUnused(used), isUnused(early), isUnused(zeroBallot)]).toEqual([true, false, false, false]);
    expect(startOf(newStart(fresh, 1, "f".repeat(32)))).toBe(later + 1 + 0xffff);
  });

  it("from the same place are the same start, from another place another", () => {
    expect(startOf(newStart(early, 1, "ab".repeat(16)))).toBe(startOf(newStart(early, 2, "ab".repeat(16))));
    expect(startOf(newStart(early, 1, "ab".repeat(16)))).not.toBe(startOf(newStart(early, 1, "ac".repeat(16))));
  });

  it.each<[string, StateReport[], { kind: string; start: number | undefined; stop: string[] }]>([
    ["a new one begins with blank members", [report(1, zeroBallot), report(2, zeroBallot), report(3, fresh)], { kind: "primary", start: later, stop: [] }],
    ["a new one waits until all are there", [report(2, zeroBallot), report(3, fresh)], { kind: "minority", start: undefined, stop: [] }],
    ["a new one is not joined by one of the time before", [report(1, early), report(2, zeroBallot), report(3, fresh)], { kind: "minority", start: undefined, stop: ["1"] }],
    ["a new one that saw no view stops, where a majority of the time before is there", [report(1, early), report(2, early), report(3, fresh)], { kind: "primary", start: 0, stop: ["3"] }],
    ["one that saw a view goes on, and a majority of the time before stops", [report(1, early), report(2, early), report(3, used)], { kind: "minority", start: undefined, stop: ["1", "2"] }],
    ["a majority of the later one goes on without one of the time before", [report(1, used), report(2, early), report(3, used)], { kind: "primary", start: later, stop: ["2"] }],
    ["a blank member that promised a later one is not taken back into the earlier", [report(1, early), report(2, early), report(3, zeroBallot, { promised: used })], { kind: "primary", start: 0, stop: ["3"] }],
    ["a member whose state is known to be wrong is mended by either", [report(1, used), report(2, used), report(3, zeroBallot, { lineage: true, promised: used })], { kind: "primary", start: later, stop: [] }],
    ["what is outdated counts as of its start as well", [report(1, used, { lineage: false }), report(2, early), report(3, zeroBallot)], { kind: "minority", start: undefined, stop: ["2"] }],
    ["nobody holds anything: a first start, above all that was promised", [report(1, zeroBallot), report(2, zeroBallot, { promised: fresh }), report(3, zeroBallot)], { kind: "primary", start: later, stop: [] }],
  ])("%s", (_what, reports, expected) => {
    expect(outcome(decided(...reports))).toEqual(expected);
    // The same in whatever order the States came.
    expect(outcome(decided(...reports.toReversed()))).toEqual(expected);
  });
});
