/** Verified prefixes of one ballot that are not prefixes of each other: nothing is decided, whoever sees it stops. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeCommands } from "../../src/codec/entry-codec.js";
import type { Ballot } from "../../src/core/ballot.js";
import { decide, type Decision } from "../../src/core/decide.js";
import type { StateReport } from "../../src/core/messages.js";
import { majorityPolicy } from "../../src/core/quorum-policy.js";
import { genesis, initialCore, type CoreState } from "../../src/core/state.js";
import { MemoryLog, type LogPoint } from "../../src/log/log.js";

const slots = [1, 2, 3];
const ballot: Ballot = { era: 0, ringSeq: 40n, ringNode: 1, k: 2, attempt: 0 };
const before: Ballot = { ...ballot, ringSeq: 36n };

/** Of so many entries; those from `from` on are other ones. */
function logOf(entries: number, from = Infinity): MemoryLog {
  const log = new MemoryLog();
  for (let n = 1; n <= entries; n++) log.append(ballot, encodeCommands({ origin: { slot: 1, incarnation: "00000000000000aa" }, n, timeMs: n >= from ? 1 : 0 }, []));
  return log;
}

function pointOf(log: MemoryLog, position: number): LogPoint {
  return { position, hash: log.hashAt(position) as string };
}

function report(slot: number, verified: LogPoint, more: Partial<StateReport> = {}): StateReport {
  return {
    slot, incarnation: String(slot).padStart(16, "0"), yields: false, lineage: true, unbroken: true, companions: [], ballot, verified, committed: genesis, k: 0, promised: ballot,
    machine: "m", version: 1, slots, durability: "memory", known: [], policy: "majority", ...more,
  };
}

/** As slot 1 decides, which holds and has verified `log`. */
function decided(log: MemoryLog, reports: readonly StateReport[]): Decision {
  const config = {
    slot: 1, incarnation: "1".padStart(16, "0"), slots, policy: majorityPolicy, durability: "memory" as const, machine: "m", version: 1,
    silenceTimeoutMs: 1, transferTimeoutMs: 1, heldBytes: 1, logRetentionBytes: 1, unwrittenBytes: 1,
  };
  const state: CoreState = { ...initialCore(config, log), ballot, verified: log.end, ring: { nodeId: 1, seq: 48n } };
  return decide(state, { key: "", members: [], takesPart: true, excludeAskedMs: undefined, reported: true, decided: true, reports: new Map(reports.map((each) => [`${each.slot}/1`, each])) });
}

const good = logOf(9);
const bad = logOf(9, 4);

describe("verified prefixes of one ballot", () => {
  it.each([
    ["of one length, the longest", [report(1, pointOf(good, 7)), report(2, pointOf(bad, 7))]],
    ["of one length, shorter than another", [report(1, pointOf(good, 5)), report(2, pointOf(bad, 5)), report(3, pointOf(good, 9))]],
    ["of one length, with another between them", [report(1, pointOf(good, 5)), report(2, pointOf(good, 9)), report(3, pointOf(bad, 5))]],
    ["one shorter than what is held here", [report(1, pointOf(good, 7)), report(2, pointOf(bad, 5))]],
  ])("that contradict each other stop whoever sees it: %s", (_, reports) => {
    const decision = decided(good, reports);
    expect(decision).toMatchObject({ kind: "contradiction", error: { code: "DIVERGED", message: expect.stringMatching(/slots \d and \d verified different logs at position \d of ballot/) as string } });
  });

  it("that are prefixes of each other are none, whoever has how much; nor is another ballot's, or a blank member's", () => {
    const length = fc.integer({ min: 0, max: 9 });
    fc.assert(fc.property(length, length, length, (one, two, three) => {
      const log = logOf(one);
      expect(decided(log, [report(1, pointOf(log, one)), report(2, pointOf(good, two)), report(3, pointOf(good, three))])).toMatchObject({ kind: "primary", target: pointOf(good, Math.max(one, two, three)) });
    }));
    expect(decided(good, [report(1, pointOf(good, 7)), report(2, pointOf(bad, 5), { ballot: before })])).toMatchObject({ kind: "primary", target: pointOf(good, 7) });
    expect(decided(good, [report(1, pointOf(good, 7)), report(2, pointOf(good, 6)), report(3, pointOf(bad, 5), { lineage: false })])).toMatchObject({ kind: "primary" });
  });
});
