/** The records of a store, on a disk that the test holds: what is written is found, and what is damaged is refused. */
import { describe, expect, it } from "vitest";
import { zeroBallot, type Ballot } from "../../src/core/ballot.js";
import { LockstepError, isLockstepError } from "../../src/errors.js";
import { encodeCommand, encodeCommands } from "../../src/codec/entry-codec.js";
import { chainHash, genesisHash } from "../../src/log/chain-hash.js";
import type { LogEntry, LogPoint } from "../../src/log/log.js";
import { makeStore, openLogStore } from "../../src/log/log-store.js";
import { storeFormat } from "../../src/log/store-codec.js";
import { keys } from "../../src/log/store-keys.js";
import type { Backend, Change, Store, StoreHead, StoreIdentity } from "../../src/log/store.js";

const ballotOfAll: Ballot = { era: 0, ringSeq: 8n, ringNode: 1, k: 1, attempt: 0 };
const head: StoreHead = { ballot: ballotOfAll, promised: ballotOfAll, lineage: true, replaceState: false, known: [1, 2] };
const identity: StoreIdentity = { group: "g", slot: 1, machine: "m", version: 1, slots: [1, 2, 3], policy: "majority" };
const genesis: LogPoint = { position: 0, hash: genesisHash };

class Records implements Backend {
  readonly map = new Map<string, Uint8Array>();
  full = false;

  get(key: string): Uint8Array | undefined {
    return this.map.get(key);
  }

  /** As it is when each record is read. */
  *range(from: string, to: string): Generator<{ key: string; value: Uint8Array }> {
    for (const key of this.keys(from, to, Number.POSITIVE_INFINITY)) {
      const value = this.map.get(key);
      if (value !== undefined) yield { key, value };
    }
  }

  keys(from: string, to: string, limit: number): string[] {
    return Array.from(this.map.keys()).filter((key) => key >= from && key < to).sort().slice(0, limit);
  }

  async commit(changes: readonly Change[]): Promise<void> {
    if (this.full) throw new LockstepError("STORE_FAILED", "the disk is full");
    for (const change of changes) {
      if (change.type === "put") this.map.set(change.key, change.value);
      else if (change.type === "remove") this.map.delete(change.key);
      else for (const key of this.keys(change.from, change.to, Number.POSITIVE_INFINITY)) this.map.delete(key);
    }
  }

  async close(): Promise<void> {
    // Nothing to give up.
  }
}

/** Entries of another ballot make another log. */
function entriesAfter(point: LogPoint, count: number, ballot = ballotOfAll, sizeAt = (_position: number): number => 0): (LogEntry & { position: number })[] {
  const entries: (LogEntry & { position: number })[] = [];
  let { position, hash } = point;
  for (let left = count; left > 0; left--) {
    position++;
    const record = encodeCommands({ origin: { slot: 1, incarnation: "00000001000000aa" }, n: position, timeMs: position }, [encodeCommand({ name: "set", input: `${position}`.padEnd(sizeAt(position)) })]);
    hash = chainHash(hash, ballot, record.bytes);
    entries.push({ ballot, record, hash, position });
  }
  return entries;
}

function opened(records: Records, whose = identity): Store {
  return openLogStore(records, whose);
}

/** Position, entries and slices that a restart finds. */
function found(records: Records): { base: number; slices: string[]; positions: number[]; head: StoreHead } | undefined {
  const recovered = opened(records).recover();
  if (recovered === undefined) return undefined;
  const slices = Array.from(recovered.snapshot ?? [], (slice) => Buffer.from(slice).toString());
  return { base: recovered.base.position, slices, positions: Array.from(recovered.entries, ({ position }) => position), head: recovered.head };
}

function pointOf(entries: readonly (LogEntry & { position: number })[], position: number): LogPoint {
  const entry = entries.find((candidate) => candidate.position === position);
  if (entry === undefined) throw new Error(`there is no entry ${position}`);
  return { position, hash: entry.hash };
}

async function writeSnapshot(store: Store, point: LogPoint, slices: readonly string[]): Promise<void> {
  const writer = store.beginSnapshot(point);
  for (const slice of slices) await writer.write(Buffer.from(slice));
  await writer.finish();
}

async function putBase(store: Store, point: LogPoint, slice: string): Promise<void> {
  await writeSnapshot(store, point, [slice]);
  await store.write({ base: point, entries: [], head });
}

async function filled(whose = identity): Promise<Records> {
  const records = new Records();
  const store = opened(records, whose);
  expect(store.recover()).toBeUndefined();
  const entries = entriesAfter(genesis, 6);
  await store.write({ entries, head });
  const writer = store.beginSnapshot({ position: 3, hash: entries[2]?.hash ?? "" });
  for (const slice of ["one", "two"]) await writer.write(Buffer.from(slice));
  await writer.finish();
  await store.write({ base: { position: 3, hash: entries[2]?.hash ?? "" }, entries: [], head });
  return records;
}

describe("the store of a replica", () => {
  it("is blank at first, and holds what was written", async () => {
    const records = new Records();
    expect(found(records)).toBeUndefined();
    expect(found(await filled())).toEqual({ base: 3, slices: ["one", "two"], positions: [4, 5, 6], head });
  });

  it("cuts what a write says is cut, and goes on from there", async () => {
    const records = await filled();
    const store = opened(records);
    const entries = Array.from(store.recover()?.entries ?? []);
    const fifth = entries[1];
    if (fifth === undefined) throw new Error("there are three entries");
    const other: Ballot = { ...ballotOfAll, ringSeq: 12n };
    const record = encodeCommands({ origin: { slot: 2, incarnation: "00000002000000bb" }, n: 1, timeMs: 9 }, []);
    const next = { ballot: other, record, hash: chainHash(fifth.hash, other, record.bytes), position: 6 };
    await store.write({ cutAfter: 5, entries: [next], head: { ...head, ballot: other } });
    expect(found(records)).toMatchObject({ positions: [4, 5, 6], head: { ballot: other } });
  });

  it("keeps the snapshot in use until another one is in its place, whatever becomes of that", async () => {
    const records = await filled();
    const store = opened(records);
    const last = Array.from(store.recover()?.entries ?? []).at(-1);
    const point = { position: 6, hash: last?.hash ?? "" };
    const first = store.beginSnapshot(point);
    await first.write(Buffer.from("three"));
    expect(found(records)).toMatchObject({ base: 3, slices: ["one", "two"] });
    await first.abort();
    const second = store.beginSnapshot(point);
    await second.write(Buffer.from("four"));
    await second.finish();
    expect(found(records)).toMatchObject({ base: 3, slices: ["one", "two"] });
    await store.write({ base: point, entries: [], head });
    expect(found(records)).toMatchObject({ base: 6, slices: ["four"], positions: [] });
    await store.write({ entries: [], head });
    const left = Array.from(records.map.keys(), (key) => key.replace(/\d+/u, (digits) => String(Number(digits))));
    expect(left.filter((key) => /snapshot|log/u.test(key)).sort(), "what members that come back may lack is kept").toEqual(["log/4", "log/5", "log/6", "snapshot/3/end", "snapshot/3/slice/0000000000000000"]);
  });

  it("gives the entries between two points of its log, also from before its base, and none of another log", async () => {
    const records = await filled();
    const store = opened(records);
    const recovered = Array.from(store.recover()?.entries ?? []);
    const sixth = pointOf(recovered, 6);
    await putBase(store, sixth, "six");
    const later = entriesAfter(sixth, 2);
    await store.write({ entries: later, head });
    const positions = (from: LogPoint, to: LogPoint): number[] | undefined => {
      const entries = store.entriesBetween(from, to)?.entries;
      return entries === undefined ? undefined : Array.from(entries, ({ record }) => record.n);
    };
    const [third, fourth, eighth] = [pointOf(entriesAfter(genesis, 6), 3), pointOf(recovered, 4), pointOf(later, 8)];
    expect([positions(fourth, eighth), positions(third, fourth), positions(sixth, sixth)]).toEqual([[5, 6, 7, 8], [4], []]);
    expect(store.entriesBetween(fourth, eighth)?.aboutBytes).toBeGreaterThan(100);
    const foreign = "f".repeat(32);
    expect(positions({ ...fourth, hash: foreign }, eighth), "another log at its beginning").toBeUndefined();
    expect(positions(fourth, { ...eighth, hash: foreign }), "another log at its end").toBeUndefined();
    expect(positions(pointOf(entriesAfter(genesis, 6), 2), eighth), "dropped").toBeUndefined();
    expect(positions(fourth, { position: 9, hash: foreign }), "beyond its end").toBeUndefined();
    expect(positions(eighth, fourth), "backwards").toBeUndefined();
  });

  it("knows about how large the entries are that it would give, whatever the others are like", async () => {
    const records = new Records();
    const store = opened(records);
    store.recover();
    const sizeAt = (position: number): number => (position <= 1_000 ? 10 : position <= 1_400 ? 20_000 : 300);
    const entries = entriesAfter(genesis, 2_000, ballotOfAll, sizeAt);
    await store.write({ entries, head });
    const ranges = [[0, 2_000], [0, 900], [10, 50], [1_100, 1_300], [950, 1_100], [1_500, 2_000], [1_990, 2_000], [5, 5]] as const;
    const check = (of: Store, what: string): void => {
      for (const [after, through] of ranges) {
        const real = entries.slice(after, through).reduce((sum, { record }) => sum + record.bytes.byteLength, 0);
        const about = of.entriesBetween(after === 0 ? genesis : pointOf(entries, after), pointOf(entries, through))?.aboutBytes ?? -1;
        expect(about, `${after} to ${through}, ${what}: ${real}`).toBeGreaterThanOrEqual(real / 1.5);
        expect(about, `${after} to ${through}, ${what}: ${real}`).toBeLessThanOrEqual(real * 1.5);
      }
    };
    check(store, "as they were written");
    for (const _entry of store.entriesBetween(genesis, pointOf(entries, 2_000))?.entries ?? []);
    check(store, "read again");
    const after = opened(records);
    for (const _entry of after.recover()?.entries ?? []);
    check(after, "after a restart");
  });

  it("says so when entries that are being given are dropped meanwhile", async () => {
    const records = await filled();
    const store = opened(records);
    const recovered = Array.from(store.recover()?.entries ?? []);
    const sixth = pointOf(recovered, 6);
    const later = entriesAfter(sixth, 2);
    await store.write({ entries: later, head });
    const given = store.entriesBetween(pointOf(entriesAfter(genesis, 6), 3), pointOf(later, 8))?.entries[Symbol.iterator]();
    expect(given?.next().value).toMatchObject({ record: { n: 4 } });
    await putBase(store, sixth, "six");
    await putBase(store, pointOf(later, 8), "eight");
    await store.write({ entries: [], head });
    await store.write({ entries: [], head });
    expect(() => { while (given?.next().done === false); }).toThrow(expect.objectContaining({ code: "STORE_FAILED" }) as Error);
  });

  it("removes a large log a little with every write", async () => {
    const records = new Records();
    const store = opened(records);
    store.recover();
    const entries = entriesAfter(genesis, 2_000);
    await store.write({ entries, head });
    await putBase(store, pointOf(entries, 1_000), "first");
    await putBase(store, pointOf(entries, 2_000), "second");
    const removed: number[] = [];
    for (let before = records.map.size, left = -1; left !== before; removed.push(before - left)) {
      if (left >= 0) before = left;
      await store.write({ entries: [], head });
      left = records.map.size;
    }
    expect(Math.max(...removed)).toBeLessThanOrEqual(256);
    expect(found(records)).toMatchObject({ base: 2_000, slices: ["second"], positions: [] });
    expect(records.keys("log/", "log/~", 10_000)).toHaveLength(1_000);
  });

  it("takes nothing for a remainder that a base which lies before it will have after it", async () => {
    const records = new Records();
    const store = opened(records);
    store.recover();
    const old = entriesAfter(genesis, 2_000);
    await store.write({ entries: old, head });
    await putBase(store, pointOf(old, 1_000), "first");
    await putBase(store, pointOf(old, 2_000), "second");
    // By then so much of the first thousand is gone that what comes after it is among what goes next.
    const position = 540;
    const other = entriesAfter(genesis, position + 10, { ...ballotOfAll, ringSeq: 12n });
    await writeSnapshot(store, pointOf(other, position), ["other"]);
    expect(records.keys("log/", "log/~", 256)).toContain(keys.entry(position + 10));
    expect(records.keys(keys.entry(position + 10), "log/~", 1_000).length).toBeGreaterThan(256);
    await store.write({ cutAfter: position, base: pointOf(other, position), entries: other.slice(position), head });
    expect(found(records)).toMatchObject({ base: position, slices: ["other"], positions: other.slice(position).map((entry) => entry.position) });
  });

  it("begins with a state that was taken over, wherever the log ended that it replaces, and whatever was in that", async () => {
    for (const [oldEnd, oldBase] of [[2, 0], [4, 0], [6, 0], [6, 5]] as const) {
      const records = new Records();
      const store = opened(records);
      store.recover();
      const old = entriesAfter(genesis, oldEnd);
      await store.write({ entries: old, head });
      if (oldBase > 0) await putBase(store, pointOf(old, oldBase), "old");
      const other = entriesAfter(genesis, 5, { ...ballotOfAll, ringSeq: 12n });
      const point = pointOf(other, 4);
      await writeSnapshot(store, point, ["other"]);
      await store.write({ ...(oldEnd > 4 ? { cutAfter: 4 } : {}), base: point, entries: [], head });
      expect(found(records), `instead of ${oldBase} to ${oldEnd}`).toMatchObject({ base: 4, slices: ["other"], positions: [] });
      await store.write({ entries: other.slice(4), head });
      expect(found(records)).toMatchObject({ base: 4, positions: [5] });
    }
  });

  it("that is made from a backup is refused until its first write, and has nothing of before then", async () => {
    const records = await filled();
    const store = await makeStore(records, identity);
    const refused = expect.objectContaining({ code: "STORE_DAMAGED", message: expect.stringMatching(/restore .* not finished.* Run it again/) as string }) as Error;
    expect(() => found(records)).toThrow(refused);
    const point = { position: 3, hash: "a".repeat(32) };
    await writeSnapshot(store, point, ["three"]);
    expect(() => found(records)).toThrow(refused);
    expect(() => opened(records, { ...identity, group: "other" }).recover()).toThrow(refused);
    const again = await makeStore(records, identity);
    await writeSnapshot(again, point, ["three again"]);
    await again.write({ base: point, entries: entriesAfter(point, 2), head });
    expect(found(records)).toEqual({ base: 3, slices: ["three again"], positions: [4, 5], head });
  });

  it("asserts that what follows a new base in the log follows its state", async () => {
    const store = opened(new Records());
    store.recover();
    await store.write({ entries: entriesAfter(genesis, 6), head });
    const other = pointOf(entriesAfter(genesis, 4, { ...ballotOfAll, ringSeq: 12n }), 4);
    await writeSnapshot(store, other, ["other"]);
    await expect(store.write({ base: other, entries: [], head })).rejects.toMatchObject({ code: "INVARIANT_VIOLATED" });
  });

  it("can repeat a write that failed, though another snapshot was begun or finished meanwhile", async () => {
    for (const finish of [false, true]) {
      const records = await filled();
      const store = opened(records);
      const entries = Array.from(store.recover()?.entries ?? []);
      const [base, later] = [pointOf(entries, 5), pointOf(entries, 6)];
      await writeSnapshot(store, base, ["four", "five"]);
      records.full = true;
      await expect(store.write({ base, entries: [], head })).rejects.toMatchObject({ code: "STORE_FAILED" });
      expect(found(records)).toMatchObject({ base: 3, slices: ["one", "two"], positions: [4, 5, 6] });
      records.full = false;
      const writer = store.beginSnapshot(later);
      await writer.write(Buffer.from("six"));
      if (finish) {
        await writer.finish();
        const another = store.beginSnapshot(later);
        await another.write(Buffer.from("six again"));
        await another.abort();
      }
      await store.write({ base, entries: [], head });
      expect(found(records)).toMatchObject({ base: 5, slices: ["four", "five"], positions: [6] });
      if (!finish) await writer.finish();
      await store.write({ base: later, entries: [], head });
      expect(found(records)).toMatchObject({ base: 6, slices: ["six"], positions: [] });
    }
  });

  it("takes nothing of a snapshot that another process left unfinished for its own, not even where its own is empty", async () => {
    for (const slices of [[], ["new"]]) {
      const records = await filled();
      const before = opened(records);
      const last = pointOf(Array.from(before.recover()?.entries ?? []), 6);
      const left = before.beginSnapshot(last);
      for (const slice of ["left", "over", "slices"]) await left.write(Buffer.from(slice));
      const store = opened(records);
      store.recover();
      await writeSnapshot(store, last, slices);
      await store.write({ base: last, entries: [], head });
      expect(found(records)).toMatchObject({ base: 6, slices });
      await store.write({ entries: [], head });
      expect(Array.from(records.map.keys()).filter((key) => key.includes("slice"))).toHaveLength(slices.length);
    }
  });

  it("refuses a flipped bit anywhere", async () => {
    const records = await filled();
    for (const [key, value] of Array.from(records.map)) {
      for (let bit = 0; bit < value.byteLength * 8; bit++) {
        const damaged = Uint8Array.from(value);
        damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        records.map.set(key, damaged);
        expect(() => found(records), `bit ${bit} of ${key}`).toThrow(expect.objectContaining({ code: "STORE_DAMAGED" }) as Error);
      }
      records.map.set(key, value);
    }
    expect(found(records)).toBeDefined();
  });

  it("refuses to go on without any of its records, and with one that is in another's place", async () => {
    const records = await filled();
    for (const [key, value] of Array.from(records.map)) {
      records.map.delete(key);
      expect(() => found(records), `without ${key}`).toThrow(expect.objectContaining({ code: "STORE_DAMAGED" }) as Error);
      const others = Array.from(records.map).filter(([other]) => other.slice(0, 4) === key.slice(0, 4));
      for (const [other, instead] of others) {
        records.map.set(key, instead);
        expect(() => found(records), `${other} as ${key}`).toThrow(expect.objectContaining({ code: "STORE_DAMAGED" }) as Error);
      }
      records.map.set(key, value);
    }
  });

  it("refuses what is of another group, node or machine, or of a newer format, and says which", async () => {
    const records = await filled();
    for (const [other, says] of [[{ group: "h" }, "of group"], [{ slot: 2 }, "of node 1, not 2"], [{ machine: "n" }, "of machine"], [{ version: 2 }, "version 1 of machine \"m\", not 2"], [{ slots: [1, 2, 3, 4, 5] }, "slots 1, 2, 3, not 1, 2, 3, 4, 5"], [{ policy: "corosync" }, "quorum policy majority, not corosync"]] as const) {
      expect(() => opened(records, { ...identity, ...other }).recover()).toThrow(new RegExp(says));
    }
    const { crc32 } = await import("node:zlib");
    const newer = Buffer.from(records.map.get("identity") ?? []);
    newer[0] = storeFormat + 1;
    newer.writeUInt32LE(crc32(newer.subarray(0, newer.byteLength - 4), crc32("identity")), newer.byteLength - 4);
    records.map.set("identity", newer);
    try {
      opened(records).recover();
      expect.fail("it was taken");
    } catch (error) {
      expect(isLockstepError(error, "STORE_FOREIGN")).toBe(true);
      expect(String(error)).toContain(`format ${storeFormat + 1}`);
    }
  });

  it("takes one that does not say which version of the machine wrote it for its own, and says so from then on", async () => {
    const records = await filled({ ...identity, version: undefined });
    const store = opened(records);
    store.recover();
    await store.write({ entries: [], head });
    expect(() => opened(records, { ...identity, version: 2 }).recover()).toThrow("version 1 of machine");
    expect(() => opened(records).recover()).not.toThrow();
  });

  it("asserts that entries follow each other, and that a base has its snapshot", async () => {
    const store = opened(new Records());
    store.recover();
    await expect(store.write({ entries: entriesAfter({ position: 1, hash: genesisHash }, 1), head })).rejects.toMatchObject({ code: "INVARIANT_VIOLATED" });
    await expect(store.write({ base: { position: 3, hash: genesisHash }, entries: [], head: { ...head, ballot: zeroBallot } })).rejects.toMatchObject({ code: "INVARIANT_VIOLATED" });
  });
});
