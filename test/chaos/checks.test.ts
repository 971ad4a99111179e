/** The checkers find what is planted, and nothing where nothing is. Needs no Corosync. */
import { describe, expect, it } from "vitest";
import { Togetherness, majorityTogether } from "./availability.js";
import type { NodeHealth } from "./availability.js";
import { checkHistory } from "./checks.js";
import type { Findings } from "./checks.js";
import type { Attempt, OperationRecord, Outcome, Result, Work } from "./history.js";
import { dumpOf, perform } from "./machine.js";
import type { Change, Dump } from "./machine.js";

/** One operation after the other, each 10 ms long, 10 ms apart; through replica 1. */
class Recorder {
  readonly operations: OperationRecord[] = [];
  #ms = 0;

  add(key: string, work: Work, result: Result | Outcome): string {
    const [callMs, returnMs] = [this.#ms + 10, this.#ms + 20];
    this.#ms = returnMs;
    const op = `op-${this.operations.length + 1}`;
    const outcome: Outcome = typeof result === "object" && result !== null ? result : { type: "ok", value: result };
    const attempt: Attempt = { node: 1, life: 1, callMs, returnMs, reply: outcome.type === "ok" ? { value: outcome.value } : { code: "X", effect: outcome.type } };
    this.operations.push({ op, client: "c", key, work, requestId: true, callMs, returnMs, attempts: [attempt], outcome });
    return op;
  }
}

function stateAfter(changes: readonly Change[]): Dump {
  const keys = { texts: new Map<string, string>(), counters: new Map<string, number>(), effects: new Map<string, number>(), order: 0 };
  for (const change of changes) perform(keys, change);
  return dumpOf(keys);
}

/** The same state on three replicas. */
function everywhere(changes: readonly Change[]): Map<number, Dump> {
  return new Map([1, 2, 3].map((node) => [node, stateAfter(changes)]));
}

const nothing: Findings = { lost: [], duplicated: [], doneThoughRefused: [], contradictory: [], nonLinearizable: [], badReads: [], diverged: [] };
const increment: Work & Change["action"] = { type: "increment" };
const linearizable: Work = { type: "read", consistency: "linearizable" };
const sequential: Work = { type: "read", consistency: "sequential" };

describe("the checkers of a history", () => {
  it("find nothing in one that is as promised", () => {
    const recorder = new Recorder();
    const one = recorder.add("counter-1", increment, 1);
    const two = recorder.add("counter-1", increment, { type: "unknown" });
    recorder.add("counter-1", linearizable, 2);
    recorder.add("counter-1", sequential, 1);
    const three = recorder.add("entry-1", { type: "cas", expected: null, value: "v" }, true);
    recorder.add("entry-1", { type: "cas", expected: null, value: "w" }, { type: "none" });
    const changes: Change[] = [
      { op: one, key: "counter-1", action: increment }, { op: two, key: "counter-1", action: increment },
      { op: three, key: "entry-1", action: { type: "cas", expected: null, value: "v" } },
    ];
    expect(checkHistory(recorder.operations, everywhere(changes))).toEqual(nothing);
  });

  it("find an acknowledged write that is in no state", () => {
    const recorder = new Recorder();
    const op = recorder.add("register-1", { type: "write", value: "v" }, "written");
    const found = checkHistory(recorder.operations, everywhere([]));
    expect(found.lost).toEqual([expect.stringContaining(op)]);
    expect(found.nonLinearizable).toHaveLength(1);
  });

  it("find a write that took effect twice, acknowledged or not", () => {
    const recorder = new Recorder();
    const op = recorder.add("register-1", { type: "write", value: "v" }, { type: "unknown" });
    const change: Change = { op, key: "register-1", action: { type: "write", value: "v" } };
    expect(checkHistory(recorder.operations, everywhere([change, change])).duplicated).toEqual([expect.stringContaining(op)]);
  });

  it("find a write that took effect though it was refused", () => {
    const recorder = new Recorder();
    const op = recorder.add("counter-1", increment, { type: "none" });
    expect(checkHistory(recorder.operations, everywhere([{ op, key: "counter-1", action: increment }])).doneThoughRefused).toEqual([expect.stringContaining(op)]);
  });

  it("find a linearizable read from the past", () => {
    const recorder = new Recorder();
    const op = recorder.add("counter-1", increment, 1);
    recorder.add("counter-1", linearizable, 0);
    expect(checkHistory(recorder.operations, everywhere([{ op, key: "counter-1", action: increment }]))).toEqual({ ...nothing, nonLinearizable: [expect.stringContaining("counter-1")] });
  });

  it("find two answers to one request", () => {
    const recorder = new Recorder();
    const op = recorder.add("counter-1", increment, 1);
    recorder.operations[0]?.attempts.push({ node: 2, life: 1, callMs: 12, returnMs: 30, reply: { value: 2 } });
    expect(checkHistory(recorder.operations, everywhere([{ op, key: "counter-1", action: increment }]))).toEqual({ ...nothing, contradictory: [expect.stringContaining(op)] });
  });

  it("find sequential reads that go back, and ahead", () => {
    const recorder = new Recorder();
    const op = recorder.add("counter-1", increment, 1);
    recorder.add("counter-1", sequential, 1);
    recorder.add("counter-1", sequential, 0);
    recorder.add("counter-1", sequential, 2);
    const { badReads } = checkHistory(recorder.operations, everywhere([{ op, key: "counter-1", action: increment }]));
    expect(badReads).toEqual([expect.stringContaining("0 at"), expect.stringContaining("2 at")]);
  });

  it("find a replica with another state, be it only in the order", () => {
    const recorder = new Recorder();
    const a = { op: recorder.add("counter-1", increment, 1), key: "counter-1", action: increment };
    const b = { op: recorder.add("counter-2", increment, 1), key: "counter-2", action: increment };
    const dumps = everywhere([a, b]).set(3, stateAfter([b, a]));
    expect(checkHistory(recorder.operations, dumps)).toEqual({ ...nothing, diverged: [expect.stringContaining("node 3")] });
  });
});

describe("a majority", () => {
  const well: NodeHealth = { linkDown: false, deafTo: [], daemonRuns: true, replicaIsWell: true };
  const nodes = (...changes: Partial<NodeHealth>[]) => new Map([1, 2, 3].map((id, index) => [id, { ...well, ...changes[index] }]));

  it("is together when two of three hear each other and the third is cut off", () => {
    expect(majorityTogether(nodes({}, {}, { linkDown: true }))).toBe(true);
  });

  it("is not together while the third hears one of them, or is heard by one", () => {
    expect(majorityTogether(nodes({ deafTo: [3] }, {}, { deafTo: [1] }))).toBe(false);
    expect(majorityTogether(nodes({ deafTo: [3] }))).toBe(false);
  });

  it("is not together when two of three are frozen, blank or down", () => {
    expect(majorityTogether(nodes({ replicaIsWell: false }, { daemonRuns: false }))).toBe(false);
  });

  it("is silent from its last answer, or since it is together, to the next answer, or as long as it is together", () => {
    const togetherness = new Togetherness();
    togetherness.update(true, 0);
    togetherness.update(false, 100);
    togetherness.update(true, 1_000);
    togetherness.update(false, 1_500);
    expect(togetherness.longestSilence([10, 90, 1_200], 9_000)).toEqual({ ms: 300, fromMs: 1_200 });
    expect(togetherness.longestSilence([10, 90, 1_400], 9_000)).toEqual({ ms: 400, fromMs: 1_000 });
    togetherness.update(true, 2_000);
    expect(togetherness.longestSilence([10, 90, 1_200, 2_100], 4_000)).toEqual({ ms: 1_900, fromMs: 2_100 });
  });
});
