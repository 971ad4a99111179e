/** A transfer is taken when it ends where it must, and in no other case: nothing of what the member has is touched before. */
import { describe, expect, it } from "vitest";
import { encodeCommands } from "../../src/codec/entry-codec.js";
import type { Ballot } from "../../src/core/ballot.js";
import type { Effect, Transfer } from "../../src/core/events.js";
import type { BatchMessage } from "../../src/core/messages.js";
import { majorityPolicy } from "../../src/core/quorum-policy.js";
import { initialCore, type CoreState } from "../../src/core/state.js";
import { step } from "../../src/core/step.js";
import { MemoryLog, type EntryRecord, type LogPoint } from "../../src/log/log.js";

const before: Ballot = { era: 0, ringSeq: 40n, ringNode: 1, k: 1, attempt: 0 };
const ballot: Ballot = { ...before, ringSeq: 44n };
const origin = { slot: 1, incarnation: "00000000000000aa" };

function record(n: number, timeMs = 0): EntryRecord {
  return encodeCommands({ origin, n, timeMs }, []);
}

/** The group's log, up to 6; what comes behind that is of the present view. */
function groupLog(through: number): MemoryLog {
  const log = new MemoryLog();
  for (let n = 1; n <= through; n++) log.append(n > 6 ? ballot : before, record(n));
  return log;
}

const group = groupLog(8);
const pointAt = (position: number): LogPoint => ({ position, hash: group.hashAt(position) ?? "" });
const entries = (from: number, through: number): { ballot: Ballot; record: EntryRecord }[] =>
  Array.from({ length: through - from }, (_, index) => ({ ballot: from + index + 1 > 6 ? ballot : before, record: record(from + index + 1) }));
const snapshot = (at: number, through: number): Transfer => ({ mode: "snapshot", from: pointAt(at), lastAppliedN: 0, entries: entries(at, through) });
const incremental = (at: number, through: number): Transfer => ({ ...snapshot(at, through), mode: "incremental" });

/** Slot 3, whose log is the group's up to 3, and another up to 5; 3 are committed. The view's target is 6, and 7 and 8 are held. */
function joining(): CoreState {
  const log = groupLog(3);
  for (const n of [4, 5]) log.append(before, record(n, 9));
  const state: CoreState = {
    ...initialCore({
      slot: 3, incarnation: "3".padStart(16, "0"), slots: [1, 2, 3], policy: majorityPolicy, durability: "memory", machine: "m", version: 1,
      silenceTimeoutMs: 1_000, transferTimeoutMs: 1_000, heldBytes: 1_000_000, logRetentionBytes: 1_000_000, unwrittenBytes: 1,
    }, log),
    phase: "synchronising", ring: { nodeId: 1, seq: 44n }, ballot: before, promised: ballot, lineage: true, verified: 5, committed: 3,
    view: { ballot, members: [1, 2, 3].map((slot) => ({ slot, incarnation: String(slot).padStart(16, "0") })), target: pointAt(6), holders: [1, 2], quorum: undefined },
    joining: { turn: 0, lastProgressMs: 0, stalls: 0, reach: pointAt(6), held: [], heldBytes: 0, restart: undefined },
  };
  for (const n of [7, 8]) {
    const message: BatchMessage = { type: "batch", ballot, point: pointAt(n - 1), ack: n - 1, record: record(n) };
    step(state, { type: "message", sender: { nodeId: 1, pid: 1 }, message });
  }
  return state;
}

function taken(state: CoreState, transfer: Transfer): readonly Effect[] {
  return step(state, { type: "transferred", transfer }).effects;
}

describe("a transfer", () => {
  it.each<[string, Transfer]>([
    ["of the entries after the last place that both have", incremental(3, 6)],
    ["of the state at a place before the end, and the entries behind it", snapshot(4, 6)],
    ["of the state where it must lead", snapshot(6, 6)],
    ["of a state that what was delivered meanwhile leads to", snapshot(7, 7)],
  ])("is taken, and what was held is taken behind it: %s", (_, transfer) => {
    const state = joining();
    expect(taken(state, transfer)).toContainEqual({ type: "phase", phase: "active", reason: undefined });
    expect([state.log.end, state.log.hashAt(8), state.ballot, state.joining]).toEqual([8, pointAt(8).hash, ballot, undefined]);
  });

  const damaged = { ...incremental(3, 6), entries: [...entries(3, 5), { ballot: before, record: record(6, 9) }] };
  it.each<[string, Transfer]>([
    ["it ends short of it", incremental(3, 5)],
    ["it ends short of it, with a snapshot", snapshot(4, 5)],
    ["it has entries beyond it, which were held as well", incremental(3, 7)],
    ["an entry is another", damaged],
    ["an entry is of another ballot", { ...incremental(3, 6), entries: entries(3, 6).map(({ record: each }) => ({ ballot, record: each })) }],
    ["it goes on from a place that is another here", incremental(4, 6)],
    ["it goes on from a place that is not here", incremental(6, 6)],
    ["its state is of before what is committed here", snapshot(2, 6)],
    ["it would cut what is committed here", incremental(2, 6)],
    ["its state is beyond all that was delivered", { mode: "snapshot", from: { position: 9, hash: pointAt(8).hash }, lastAppliedN: 0, entries: [] }],
    ["its state is of another log", { mode: "snapshot", from: { position: 7, hash: pointAt(6).hash }, lastAppliedN: 0, entries: [] }],
  ])("is thrown away and asked for again, and nothing is touched: %s", (_, transfer) => {
    const state = joining();
    const ends = [state.log.end, state.log.hashAt(5)];
    const effects = taken(state, transfer);
    expect(effects.map(({ type }) => type)).toEqual(["receiveTransfer", "multicast"]);
    expect(effects[0]).toMatchObject({ turn: 1, again: "it did not lead to the group's log" });
    expect([state.log.end, state.log.hashAt(5)]).toEqual(ends);
    expect(state).toMatchObject({ phase: "synchronising", ballot: before, verified: 5, committed: 3, joining: { turn: 1 } });
    // The next one may still be right.
    expect(taken(state, incremental(3, 6))).toContainEqual({ type: "phase", phase: "active", reason: undefined });
  });
});
