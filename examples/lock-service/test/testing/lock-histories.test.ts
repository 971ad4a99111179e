/** Histories of whole replicas of the lock service; and that its checkers see what is wrong. */
import { runHistory, Violation, type CallRecord } from "@lockstep/framework/testing";
import { describe, expect, it } from "vitest";
import type { LockEvent } from "../../src/machine/events.js";
import type { LockState } from "../../src/machine/machine.js";
import { Beliefs } from "../../src/testing/beliefs.js";
import { checkEvents, LockWorkload } from "../../src/testing/index.js";

const first = 1;

/** Counts what the service told of. */
class CountingWorkload extends LockWorkload {
  static readonly seen = new Map<string, number>();

  override check(records: readonly CallRecord[], state: unknown): void {
    super.check(records, state);
    for (const event of (state as LockState).events.values()) {
      const what = event.type === "refused" ? `refused: ${event.refusal.code}` : event.type === "session-ended" || event.type === "released" ? `${event.type}: ${event.reason}` : event.type;
      CountingWorkload.seen.set(what, (CountingWorkload.seen.get(what) ?? 0) + 1);
    }
  }
}

/** A conversion succeeds in one history of 25, and the process that a session is bound to dies in one of 50: what a hundred show of these is luck. */
const usual = [
  "session-opened", "session-ended: expired", "session-ended: closed", "session-ended: replica-lost", "granted", "queued", "blocking",
  "released: released", "released: converted", "released: session-ended", "released: forced", "refused: WAIT_TIMEOUT", "refused: DEADLOCK", "refused: SESSION_OVER",
];
const unseen = (): string[] => usual.filter((what) => !CountingWorkload.seen.has(what));
const [least, most] = [100, 1000];

describe("histories of a lock service", () => {
  it(`find nothing wrong, and see everything that can happen (seeds ${first} to ${first + least - 1}, and on until everything was seen)`, async () => {
    for (let seed = first; seed < first + least || (unseen().length > 0 && seed < first + most); seed++) {
      await runHistory({ seed, workload: (random) => new CountingWorkload(random) }).catch((error: unknown) => { throw new Error(`seed ${seed}`, { cause: error }); });
    }
    expect(unseen()).toEqual([]);
  });
});

const granted = (revision: number, token: number, request: string, session = "s"): LockEvent => ({ revision, position: revision, at: revision, type: "granted", token, session, request, locks: ["a"], value: null });
const released = (revision: number, token: number, request: string): LockEvent => ({ revision, position: revision, at: revision, type: "released", token, session: "s", request, locks: ["a"], reason: "released" });
const exclusive = () => [{ lock: "a", mode: "EX" as const }];

describe("the check of events", () => {
  it.each<[string, readonly LockEvent[], string | undefined]>([
    ["one after the other", [granted(1, 1, "x"), released(2, 1, "x"), granted(3, 2, "y")], undefined],
    ["two at a time", [granted(1, 1, "x"), granted(2, 2, "y")], "exclusion"],
    ["a token again", [granted(1, 1, "x"), released(2, 1, "x"), granted(3, 1, "y")], "tokens"],
    ["a grant to a session that is over", [{ revision: 1, position: 1, at: 1, type: "session-ended", session: "s", reason: "expired" }, granted(2, 1, "x")], "dead sessions"],
    ["a release of what is not held", [released(1, 1, "x")], "grants"],
    ["an event that is missing", [granted(1, 1, "x"), released(3, 1, "x")], "revisions"],
  ])("judges %s", (_what, events, rule) => {
    expect(ruleOf(() => { checkEvents(events, exclusive); })).toBe(rule);
  });
});

describe("the check of beliefs", () => {
  const open = (session: string, ttlMs: number | null, startedMs: number): CallRecord => record("openSession", { ttlMs, bound: false }, { session }, startedMs);
  const acquire = (session: string, startedMs: number): CallRecord => record("acquire", { session, request: "r", wants: exclusive(), waitMs: null }, { status: "granted", token: 1, revision: 1, locks: [{ lock: "a", mode: "EX", permits: null, valueBlock: null }] }, startedMs);
  const check = (records: readonly CallRecord[]): string | undefined => ruleOf(() => { new Beliefs(records).checkExclusion(); });

  it("sees two who hold one lock by their own clocks, and none when the first one's lease is over, or it has begun to let go", () => {
    const both = [open("one", 10_000, 0), open("two", 10_000, 0), acquire("one", 1_000)];
    expect(check([...both, acquire("two", 5_000)])).toBe("leases");
    expect(check([...both, acquire("two", 9_000)])).toBeUndefined();
    const renewals = ["one", "two"].map((session) => record("renewSessions", { sessions: [session] }, [true], 2_000));
    expect(check([...both, ...renewals, acquire("two", 9_000)])).toBe("leases");
    expect(check([...both, record("release", { session: "one", request: "r" }, undefined, 4_000), acquire("two", 5_000)])).toBeUndefined();
  });

  it("sees a session that expires while its client may trust in it", () => {
    const beliefs = new Beliefs([open("one", 10_000, 0)]);
    expect(ruleOf(() => { beliefs.checkExpiry("one", 7_500); })).toBe("expiry");
    expect(ruleOf(() => { beliefs.checkExpiry("one", 9_000); })).toBeUndefined();
  });
});

function record(name: string, input: unknown, result: unknown, startedMs: number): CallRecord {
  return { client: "client", call: { kind: "submit", name, input, requestId: undefined }, startedAt: startedMs, endedAt: startedMs + 1, startedMs, endedMs: startedMs + 10, ending: "answered", result, code: undefined, process: {} };
}

function ruleOf(check: () => void): string | undefined {
  try {
    check();
  } catch (error) {
    if (error instanceof Violation) return error.rule;
    throw error;
  }
  return undefined;
}
