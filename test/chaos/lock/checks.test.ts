/** The checkers find what is planted, and nothing where nothing is. Needs no Corosync. */
import { describe, expect, it } from "vitest";
import type { LockEvent } from "@lockstep/lock-service/client";
import { checkLocks } from "./checks.js";
import type { LockFindings } from "./checks.js";
import type { LockUse, ResourceRecord, SeenEvent } from "./records.js";

const nothing: LockFindings = { lateWrites: [], overlappingSections: [], tokens: [], incompatibleHolders: [], overtaken: [], unknownGrants: [], beliefs: [], events: [] };

type Told<E> = E extends unknown ? Omit<E, "revision" | "position" | "at"> : never;

/** Each event is heard of 100 ms after the one before. */
function story(...events: readonly Told<LockEvent>[]): SeenEvent[] {
  return events.map((event, index) => ({ event: { ...event, revision: index + 1, position: index + 1, at: 0 } as LockEvent, seenAt: 100 * (index + 1) }));
}

const granted = (session: string, token: number, locks: readonly string[] = ["x"], use: LockUse = "EX"): Told<LockEvent> =>
  ({ type: "granted", session, request: `r${token}`, locks, token, value: JSON.stringify({ client: session, use }) });
const released = (session: string, token: number, reason: "released" | "session-ended" = "released"): Told<LockEvent> =>
  ({ type: "released", session, request: `r${token}`, locks: ["x"], token, reason });
const queued = (session: string, request: string, locks: readonly string[] = ["x"]): Told<LockEvent> => ({ type: "queued", session, request, locks });
const ended = (session: string, reason: "expired" | "replica-lost"): Told<LockEvent> => ({ type: "session-ended", session, reason });

function record(session: string, token: number, more: Partial<ResourceRecord> = {}): ResourceRecord {
  return { kind: "write", client: session, session, locks: ["x"], token, sequence: 1, heldAt: null, accepted: true, ...more };
}

const handover = story(granted("a", 1), released("a", 1), granted("b", 2), released("b", 2));

describe("checkLocks", () => {
  it("finds nothing where one holds after the other, and only holders write", () => {
    const records = [record("a", 1, { kind: "enter", heldAt: 110 }), record("a", 1, { heldAt: 150 }), record("b", 2, { kind: "enter", heldAt: 310 }), record("a", 1, { accepted: false }), record("b", 2, { heldAt: 390 })];
    const { findings, counts } = checkLocks(handover, records);
    expect(findings).toEqual(nothing);
    expect(counts).toMatchObject({ grants: 2, writesAccepted: 2, writesRefused: 1, beliefsPastReplica: 0 });
  });

  it("finds a write that is accepted after one with a higher token, and the section that it belongs to", () => {
    const { findings } = checkLocks(handover, [record("a", 1), record("b", 2), record("a", 1), record("a", 1)]);
    expect(findings.lateWrites).toHaveLength(2);
    expect(findings.overlappingSections).toHaveLength(1);
  });

  it("finds a token that does not grow, and one that two clients have", () => {
    const { findings } = checkLocks(story(granted("a", 5), released("a", 5), granted("b", 5)), [record("a", 5), record("b", 5)]);
    expect(findings.tokens).toHaveLength(2);
  });

  it.each<[string, SeenEvent[]]>([
    ["two exclusive ones", story(granted("a", 1), granted("b", 2))],
    ["a reader beside a writer", story(granted("a", 1), granted("b", 2, ["x"], "PR"))],
    ["a writer beside a reader", story(granted("a", 1, ["x"], "PR"), granted("b", 2))],
    ["one of several locks", story(granted("a", 1, ["x", "y"]), granted("b", 2, ["y", "z"]))],
    ["more than the semaphore has permits", story(granted("a", 1, ["s"], "permit"), granted("b", 2, ["s"], "permit"), granted("c", 3, ["s"], "permit"))],
  ])("finds holders that do not go together: %s", (_what, events) => {
    expect(checkLocks(events, []).findings.incompatibleHolders).toHaveLength(1);
  });

  it("lets readers, and holders of permits, be together", () => {
    expect(checkLocks(story(granted("a", 1, ["x"], "PR"), granted("b", 2, ["x"], "PR"), granted("c", 3, ["s"], "permit"), granted("d", 4, ["s"], "permit")), []).findings).toEqual(nothing);
  });

  it("finds one who is passed in the queue, and not one who has left it", () => {
    const before = [granted("a", 1), queued("b", "rb"), queued("c", "r2"), released("a", 1)] as const;
    expect(checkLocks(story(...before, granted("c", 2)), []).findings.overtaken).toHaveLength(1);
    expect(checkLocks(story(...before, ended("b", "expired"), granted("c", 2)), []).findings.overtaken).toHaveLength(0);
  });

  it("finds a grant that the service never gave, or gave to another", () => {
    expect(checkLocks(handover, [record("a", 7, { kind: "enter", heldAt: 1 }), record("b", 1, { kind: "enter", heldAt: 1 })]).findings.unknownGrants).toHaveLength(2);
  });

  it("finds a client that believed after the next one had entered, before anybody heard of that", () => {
    const records = [record("a", 1, { heldAt: 180 }), record("b", 2, { kind: "enter", heldAt: 170 })];
    expect(checkLocks(story(granted("a", 1), ended("a", "expired"), released("a", 1), granted("b", 2)), records).findings.beliefs).toHaveLength(1);
  });

  it.each([["expired", 1, 0], ["replica-lost", 0, 1]] as const)("finds a client that believed after its grant was over: a session that ended as %s", (reason, promised, notPromised) => {
    const { findings, counts } = checkLocks(story(granted("a", 1), ended("a", reason), released("a", 1)), [record("a", 1, { heldAt: 301 })]);
    expect(findings.beliefs).toHaveLength(promised);
    expect(counts.beliefsPastReplica).toBe(notPromised);
  });

  it("says how long before the end of its lease a client stopped believing", () => {
    expect(checkLocks(story(granted("a", 1), ended("a", "expired"), released("a", 1, "session-ended")), [record("a", 1, { heldAt: 250 })]).counts.leastMarginMs).toBe(50);
  });

  it("finds events that nobody heard of", () => {
    expect(checkLocks(handover.filter((_event, index) => index !== 2), []).findings.events).toHaveLength(1);
  });
});
