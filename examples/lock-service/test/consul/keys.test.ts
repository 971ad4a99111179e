/** Keys in the machine: beside a model of plain maps through random transactions, sessions and times; and what the model does not know. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KeyEntry, KeyOperation, KeyOutcome } from "../../src/machine/keys-operations.js";
import { keyLimits, type KeysState } from "../../src/machine/keys.js";
import { readKey, readTree, sessionsIndex } from "../../src/machine/keys-views.js";
import { Driver, replica } from "../machine/driver.js";
import { KeyModel } from "./key-model.js";

const key = fc.constantFrom("a", "a/b", "a/b/c", "a/c", "b", "");
const verbs = ["set", "set", "cas", "lock", "lock", "lock", "unlock", "get", "get-or-empty", "get-tree", "check-index", "check-session", "check-not-exists", "delete", "delete-tree", "delete-cas", "nonsense"];
const operation = fc.record({
  verb: fc.constantFrom(...verbs), key, value: fc.constantFrom("", "AA==", "AQ=="), flags: fc.constantFrom("0", "18446744073709551615"),
  /** Of the newest indexes, how many before; more than there are: 0. */
  index: fc.nat({ max: 6 }), who: fc.nat({ max: 4 }),
});
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("transaction" as const), operations: fc.array(operation, { minLength: 1, maxLength: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("open" as const), ttlMs: fc.constantFrom(10, 30, 1000), lockDelayMs: fc.constantFrom(0, 20), behavior: fc.constantFrom("release" as const, "delete" as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("close" as const), who: fc.nat({ max: 4 }), delayed: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("pass" as const), ms: fc.nat({ max: 30 }) }) },
);

const prefixes = ["", "a", "a/", "a/b", "b", "c"];

describe("keys in the machine", () => {
  it("do what a model of plain maps does, and the index that watchers wait with tells of every change and never goes back", () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const driver = new Driver();
      const model = new KeyModel();
      model.now = driver.now;
      for (const each of steps) {
        const before = driver.state;
        runStep(driver, model, each);
        compare(driver, model);
        checkIndexes(before, driver.state);
        checkBooks(driver.state.keys);
      }
    }), { numRuns: 1500 });
  });

  it("keep their tombstones, the newest of them, and the index does not go back when one is forgotten", () => {
    const driver = new Driver({ checkDeterminism: false });
    const run = (...operations: KeyOperation[]): KeyOutcome => driver.run("kv", { operations });
    const indexes = (): readonly number[] => ["busy/", "gone/", "left/", "other/"].map((prefix) => readTree(driver.state, prefix).index);
    run({ verb: "set", key: "gone/1" }, { verb: "set", key: "left/1" }, { verb: "set", key: "left/2" });
    run({ verb: "delete", key: "gone/1" }, { verb: "delete", key: "left/2" });
    let before = indexes();
    expect(before).toEqual([3, 3, 3, 3]);
    for (let i = 0; i < keyLimits.tombstones + 200; i += 100) {
      const keys = Array.from({ length: 100 }, (_, n) => `busy/${i + n}`);
      run(...keys.map((each) => ({ verb: "set", key: each })));
      run(...keys.map((each) => ({ verb: "delete", key: each })));
      const now = indexes();
      now.forEach((index, n) => { expect(index).toBeGreaterThanOrEqual(before[n] as number); });
      expect(now[0]).toBe(driver.state.keys.index);
      before = now;
    }
    expect(driver.state.keys.tombstones.size).toBe(keyLimits.tombstones);
    for (const key of ["gone/1", "left/2"]) expect(driver.state.keys.tombstones.has(key)).toBe(false);
    checkBooks(driver.state.keys);
  });

  it("cannot be locked before the lock delay is over, to the millisecond, whichever way the session ended", () => {
    for (const how of ["expired", "destroyed", "its replica has gone"] as const) {
      const driver = new Driver();
      driver.entry([], { members: [replica(1), replica(2)] });
      const [first, second] = [driver.open({ ttlMs: 100, lockDelayMs: 40, bound: how === "its replica has gone" }, replica(2)), driver.open({ ttlMs: null })];
      const lock = (session: string): string | undefined => driver.run("kv", { operations: [{ verb: "lock", key: "k", session }] }).failures[0]?.what;
      expect(lock(first)).toBeUndefined();
      if (how === "expired") driver.pass(100);
      else if (how === "destroyed") driver.run("closeSession", { session: first, delayed: true });
      else driver.entry([], { members: [replica(1)] });
      driver.pass(0);
      expect(driver.state.keys.rows.get("k")?.session, how).toBeNull();
      driver.pass(39);
      expect(lock(second), how).toBe('failed to lock key "k" due to lock delay');
      driver.pass(1);
      expect(lock(second), how).toBeUndefined();
      expect(driver.state.keys.delays.size).toBe(0);
    }
  });

  it("are unlocked for whoever comes in the entry in which the session is over, before the work that follows from its end is done", () => {
    const driver = new Driver();
    // So many that the first entry after their deadline does not end all of them.
    const sessions = Array.from({ length: 1500 }, () => driver.open({ ttlMs: 50 }));
    const last = sessions.at(-1) as string;
    const next = driver.open({ ttlMs: null });
    const run = (operation: KeyOperation): KeyOutcome => driver.run("kv", { operations: [operation] });
    run({ verb: "lock", key: "k", session: last });
    driver.now += 50;
    driver.entry([]);
    expect(driver.state.sessions.has(last)).toBe(true);
    expect(readKey(driver.state, "k").entries[0]?.session).toBeNull();
    expect(run({ verb: "lock", key: "other", session: last }).failures[0]?.what).toBe(`invalid session "${last}"`);
    expect(run({ verb: "lock", key: "k", session: next })).toMatchObject({ failures: [], entries: [{ lockIndex: 2, session: next }] });
    for (let i = 0; i < 5; i++) driver.entry([]);
    expect(driver.state.sessions.size).toBe(1);
    expect(readKey(driver.state, "k").entries[0]?.session).toBe(next);
    checkBooks(driver.state.keys);
  });

  it("have limits, which say what they are", () => {
    const driver = new Driver({ checkDeterminism: false });
    const run = (...operations: KeyOperation[]): readonly string[] => driver.run("kv", { operations }).failures.map(({ what }) => what);
    expect(run({ verb: "set", key: "k".repeat(keyLimits.keyBytes) })).toEqual([]);
    expect(run({ verb: "set", key: "ä".repeat(keyLimits.keyBytes / 2 + 1) })).toEqual([`Key is too large (${keyLimits.keyBytes + 2} > ${keyLimits.keyBytes} bytes)`]);
    const session = driver.open({ ttlMs: null });
    for (let i = 0; i < keyLimits.locksPerSession; i += 64) expect(run(...Array.from({ length: 64 }, (_, n) => ({ verb: "lock", key: `l${i + n}`, session })))).toEqual([]);
    const tooMany = `session ${session} has locked ${keyLimits.locksPerSession} keys, and cannot lock more`;
    expect(run({ verb: "lock", key: "more", session })).toEqual([tooMany]);
    expect(run({ verb: "unlock", key: "l0", session }, { verb: "lock", key: "more", session })).toEqual([]);
    expect(run({ verb: "lock", key: "l1", session }, { verb: "lock", key: "l0", session })).toEqual([tooMany]);
    driver.run("closeSession", { session, delayed: true });
    checkBooks(driver.state.keys);
    const value = "A".repeat(Math.ceil(keyLimits.valueBytes / 3) * 4);
    const most = Math.floor(keyLimits.bytes / value.length);
    for (let i = 0; i < most - 1; i++) expect(run({ verb: "set", key: `v${i}`, value })).toEqual([]);
    const full = `too much data: this service takes ${keyLimits.bytes} bytes of keys and values`;
    expect(run({ verb: "set", key: "full", value }, { verb: "set", key: "fuller", value })).toEqual([full]);
    expect(run({ verb: "delete", key: "v0" }, { verb: "set", key: "full", value })).toEqual([]);
    expect(run({ verb: "set", key: "full", value: "AA==" })).toEqual([]);
    checkBooks(driver.state.keys);
  });

  it("are no more than there may be", () => {
    const driver = new Driver({ checkDeterminism: false });
    const run = (...operations: KeyOperation[]): readonly string[] => driver.run("kv", { operations }).failures.map(({ what }) => what);
    for (let i = 0; i < keyLimits.keys; i += 1000) run(...Array.from({ length: 1000 }, (_, n) => ({ verb: "set", key: `n${i + n}` })));
    expect(run({ verb: "set", key: "one more" })).toEqual([`too many keys: this service takes ${keyLimits.keys}`]);
    expect(run({ verb: "delete", key: "n1" }, { verb: "set", key: "one more" }, { verb: "set", key: "n2", value: "AA==" })).toEqual([]);
    expect(run({ verb: "delete-tree", key: "" })).toEqual([`${keyLimits.keys} keys are too many to delete at once, at most ${keyLimits.deletedAtOnce}: use longer prefixes`]);
    for (const digit of "123456789") for (const next of "0123456789") expect(run({ verb: "delete-tree", key: `n${digit}${next}` })).toEqual([]);
    expect(run({ verb: "delete-tree", key: "" })).toEqual([]);
    expect(driver.state.keys).toMatchObject({ bytes: 0 });
    checkBooks(driver.state.keys);
  });

  it("have nothing to do with the index of the sessions, which changes with every beginning and end", () => {
    const driver = new Driver();
    const indexes = [sessionsIndex(driver.state)];
    const note = (): number => indexes.push(sessionsIndex(driver.state));
    const session = driver.open({ ttlMs: 10 });
    note();
    driver.run("kv", { operations: [{ verb: "lock", key: "k", session }] });
    note();
    driver.pass(10);
    note();
    expect(indexes).toEqual([1, 2, 2, 3]);
  });
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function runStep(driver: Driver, model: KeyModel, each: Step): void {
  const { sessions } = model;
  if (each.type === "open") {
    const { ttlMs, lockDelayMs, behavior } = each;
    const id = driver.run("openKeySession", {
      session: { name: "", ttlMs, lockDelayMs, bound: false, principal: null, behavior }, shown: { node: "n", nodeChecks: [], serviceChecks: [], ttl: "", lockDelay: "0" },
    }).session;
    sessions.push({ id, behavior, lockDelayMs, deadline: driver.now + ttlMs, ended: false });
  } else if (each.type === "close") {
    const session = sessions[each.who];
    if (session === undefined) return;
    driver.run("closeSession", { session: session.id, delayed: each.delayed });
    model.end(session, each.delayed);
  } else if (each.type === "pass") {
    driver.pass(each.ms);
    model.pass(each.ms);
  } else {
    const operations = each.operations.map(({ who, index, ...rest }) => ({ ...rest, index: String(Math.max(0, model.index - index)), session: who === 4 ? "" : (sessions[who]?.id ?? "nobody") }));
    const outcome = driver.run("kv", { operations });
    const answers = outcome.failures.length > 0 ? outcome.failures.map(({ what }) => what) : outcome.entries.map(entryText);
    expect(answers).toEqual(model.run(operations));
  }
}

function entryText({ key: name, value, flags, createIndex, modifyIndex, lockIndex, session }: KeyEntry): string {
  return JSON.stringify([name, value, flags, createIndex, modifyIndex, lockIndex, session]);
}

function compare({ state }: Driver, model: KeyModel): void {
  expect(readTree(state, "").entries.map(entryText)).toEqual(Array.from(model.keys).toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { value, flags, created, modified, locked, session }]) => JSON.stringify([name, value === "" ? null : value, flags, created, modified, locked, session === "" ? null : session])));
  expect(state.keys.sessions.size).toBe(model.sessions.filter(({ ended }) => !ended).length);
}

/** Who waits with the index of an earlier state is called when there is something else than what there was. */
function checkIndexes(before: Driver["state"], after: Driver["state"]): void {
  for (const read of [...prefixes.map((prefix) => (state: Driver["state"]) => readTree(state, prefix)), ...["a", "a/b", "b"].map((name) => (state: Driver["state"]) => readKey(state, name))]) {
    const [old, now] = [read(before), read(after)];
    expect(old.index).toBeGreaterThan(0);
    expect(now.index).toBeGreaterThanOrEqual(old.index);
    if (JSON.stringify(now.entries) !== JSON.stringify(old.entries)) expect(now.index).toBeGreaterThan(old.index);
  }
}

/** What is kept in several places says the same everywhere. */
function checkBooks({ rows, bytes, locked, lockedCounts, delays, delayEnds, tombstones, tombstoneOrder }: KeysState): void {
  const lockedRows = Array.from(rows).filter(([, { session }]) => session !== null);
  expect(bytes).toBe(Array.from(rows).reduce((sum, [name, { value }]) => sum + name.length + value.length, 0));
  expect(Array.from(locked.keys(), (pair) => pair.join(" ")).toSorted()).toEqual(lockedRows.map(([name, { session }]) => `${session} ${name}`).toSorted());
  for (const [session, count] of lockedCounts) expect(count).toBe(lockedRows.filter(([, row]) => row.session === session).length);
  expect(Array.from(lockedCounts.values()).reduce((sum, count) => sum + count, 0)).toBe(locked.size);
  expect(Array.from(delayEnds.keys(), ([until, name]) => `${name} ${until}`).toSorted()).toEqual(Array.from(delays, ([name, until]) => `${name} ${until}`).toSorted());
  expect(Array.from(tombstoneOrder.keys(), ([index, name]) => `${name} ${index}`).toSorted()).toEqual(Array.from(tombstones, ([name, index]) => `${name} ${index}`).toSorted());
}
