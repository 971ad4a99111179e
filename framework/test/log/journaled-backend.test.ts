/**
 * The journal before the database: what was committed is there whenever the power fails, torn writes and damage are told apart, and
 * a journal that is missing, cut short or another's is refused.
 */
import { closeSync, constants, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openBackend, withJournal } from "../../src/log/journaled-backend.js";
import { readJournal, recordsAfter } from "../../src/log/journal.js";
import { readSectors } from "../../src/log/journal-record.js";
import { openLmdb } from "../../src/log/lmdb-backend.js";
import { decodeCheckpoint } from "../../src/log/store-codec.js";
import type { Backend, Change, Put } from "../../src/log/store.js";
import { Random } from "../../src/testing/random.js";

const pageBytes = 4096;
const sectorBytes = 512;
let scratch: string;
let directory: string;
let backend: Backend | undefined;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "lockstep-journal-"));
  directory = join(scratch, "store");
});
afterEach(async () => {
  await backend?.close();
  backend = undefined;
  rmSync(scratch, { recursive: true, force: true });
});

const put = (key: string, value: string | Uint8Array): Change => ({ type: "put", key, value: Buffer.from(value) });
const journalOf = (where: string): string => join(where, "journal");

async function open(where = directory): Promise<Backend> {
  backend = await openBackend(where);
  return backend;
}

type Content = Record<string, string>;

/** All there is, but for what the database says of its journal. */
function contentOf(from: Backend): Content {
  return Object.fromEntries(Array.from(from.range("", "~"), ({ key, value }) => [key, `${value.byteLength}:${crc32(value)}`] as const).filter(([key]) => key !== "journal"));
}

/** What a loss of power would leave, as it is found; or the code of the refusal. */
async function foundIn(where: string): Promise<Content | string> {
  const before = filesIn(where);
  try {
    const found = await openBackend(where);
    try {
      return contentOf(found);
    } finally {
      await found.close();
    }
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    expect(filesIn(where), "looking changes nothing").toEqual(before);
  }
}

function filesIn(where: string): Record<string, number> {
  return Object.fromEntries(readdirSync(where).filter((name) => !name.startsWith("lock-") && name !== "data.mdb-lock").map((name) => [name, crc32(readFileSync(join(where, name)))]));
}

/** The files as they are now, while nothing is being written. */
async function powerLoss(name = "lost"): Promise<string> {
  // What is written back goes through the same queue: first its changes, then what says so.
  for (let turn = 0; turn < 2; turn++) await backend?.commit([], "apart");
  const copy = join(scratch, name);
  rmSync(copy, { recursive: true, force: true });
  cpSync(directory, copy, { recursive: true, filter: (path) => !path.includes("/lock-") });
  return copy;
}

/** As the power could leave it now: a disk writes a sector or does not, but who reads a file while it is written to may see half of one. Such a look is taken again. */
function journalInWriting(): Buffer {
  if (!existsSync(journalOf(directory))) return Buffer.alloc(0);
  for (let look = 1; ; look++) {
    const journal = readFileSync(journalOf(directory));
    if (look === 100 || !readSectors(journal.subarray(pageBytes), journal.subarray(12, 28)).includes(undefined)) return journal;
  }
}

/** Where the sectors of each record are, by its number. */
function recordsOf(journal: Buffer): Map<number, number[]> {
  const records = new Map<number, number[]>();
  for (let at = pageBytes; at < journal.byteLength; at += sectorBytes) {
    const number = journal.readUIntLE(at + 4, 6);
    if (number > 0) records.set(number, [...(records.get(number) ?? []), at]);
  }
  return records;
}

function flip(file: Buffer, at: number, bit: number): Buffer {
  const flipped = Buffer.from(file);
  flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
  return flipped;
}

/** As it is when the power failed while the last record was written, and only what `written` says came to the disk. */
function torn(journal: Buffer, before: Buffer, sectors: readonly number[], written: (index: number) => boolean): Buffer {
  const left = Buffer.from(journal);
  for (const [index, at] of sectors.entries()) if (!written(index)) before.copy(left, at, at, at + sectorBytes);
  return left;
}

/** A database whose every write is a moment at which the power may fail: before it is done. */
class MemoryDatabase implements Backend {
  readonly content: Map<string, Uint8Array>;
  onWrite = (): void => undefined;
  /** Commits of the store over it. */
  answered = 0;

  constructor(content = new Map<string, Uint8Array>()) {
    this.content = content;
  }

  get(key: string): Uint8Array | undefined {
    return this.content.get(key);
  }

  range(): Iterable<{ key: string; value: Uint8Array }> {
    return Array.from(this.content, ([key, value]) => ({ key, value }));
  }

  keys(): readonly string[] {
    return Array.from(this.content.keys());
  }

  async commit(changes: readonly Change[]): Promise<void> {
    // So slow that half a journal fills up meanwhile, unless the journal waits for it: then nothing is answered any more.
    const until = this.answered + 40;
    for (let [answered, sinceMs] = [this.answered, performance.now()]; this.answered < until && performance.now() - sinceMs < 50;) {
      await nextTurn();
      if (this.answered !== answered) [answered, sinceMs] = [this.answered, performance.now()];
    }
    this.onWrite();
    for (const change of changes) if (change.type === "put") this.content.set(change.key, change.value);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A device that is always full takes the place of the journal that is open. */
function breakJournal(): void {
  const journal = readdirSync("/proc/self/fd").map(Number).find((fd) => { try { return readlinkSync(`/proc/self/fd/${fd}`) === journalOf(directory); } catch { return false; } });
  if (journal === undefined) throw new Error("no journal is open");
  closeSync(journal);
  const full = [openSync("/dev/full", "w")];
  while (full.at(-1) !== journal) full.push(openSync("/dev/full", "w"));
  for (const fd of full) if (fd !== journal) closeSync(fd);
}

function turns(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

/** 50 kB: after 84 of them the journal's other half takes over. */
function puttingIn(turn: number): Put[] {
  const entries = Array.from({ length: 12 }, (_, index): Put => ({ type: "put", key: `log/${(turn * 12 + index) % 1500}`, value: Buffer.alloc(4_000, turn) }));
  return [{ type: "put", key: "turn", value: Buffer.from(String(turn)) }, ...entries];
}

/**
 * Three commits in the journal, after the one that is in the database; and the journal as it was before the last of them.
 * @param used So that what was there before is not blank: both halves were written already.
 */
async function threeCommits(used?: "used"): Promise<{ copy: string; journal: Buffer; before: Buffer; last: readonly number[]; after: Content[] }> {
  const store = await open();
  await store.commit([put("identity", "whose")]);
  for (let index = 0; used !== undefined && index < 90; index++) await store.commit([put(`old/${index % 7}`, Buffer.alloc(100_000, index))]);
  const after = [contentOf(store)];
  let before = Buffer.alloc(0);
  for (const [key, bytes] of [["a", 10], ["b", 6_000], ["c", 9_000]] as const) {
    before = readFileSync(journalOf(directory));
    await store.commit([put(key, "x".repeat(bytes)), put("head", key)]);
    after.push(contentOf(store));
  }
  const copy = await powerLoss();
  await store.close();
  const journal = readFileSync(journalOf(copy));
  const records = recordsOf(journal);
  return { copy, journal, before, last: records.get(Math.max(...records.keys())) ?? [], after };
}

describe("a store with a journal", () => {
  it("has everything in its database when it was closed, and no journal", async () => {
    const store = await open();
    await store.commit([put("a", "one")]);
    await store.commit([put("a", "two"), put("b", "three")]);
    expect(existsSync(journalOf(directory))).toBe(true);
    const content = contentOf(store);
    await store.close();
    expect(readdirSync(directory)).toEqual(["data.mdb", "data.mdb-lock"]);
    const database = await openLmdb(directory);
    expect(contentOf(database)).toEqual(content);
    await database.close();
  });

  it("changes nothing before something is committed, whatever it found", async () => {
    const { copy, after } = await threeCommits();
    for (let time = 0; time < 2; time++) expect(await foundIn(copy)).toEqual(after[3]);
    const again = await open(copy);
    await again.commit([put("d", "later")]);
    const content = { ...after[3], d: expect.any(String) as string };
    expect(contentOf(again)).toEqual(content);
    await again.close();
    expect(await foundIn(copy)).toEqual(content);
  });

  it.each(Array.from({ length: 12 }, (_, seed) => seed + 1))("is what a map would be, through commits of all kinds, and after losses of power: seed %i", async (seed) => {
    const random = new Random(seed);
    const model = new Map<string, Uint8Array>();
    const gone = new Set<string>();
    let store = await open();
    for (let turn = 1; turn <= 250; turn++) {
      const { changes, apart } = someChanges(random, turn, model);
      await store.commit(changes, ...(apart ? ["apart"] as const : []));
      for (const change of changes) {
        if (change.type === "put") model.set(change.key, change.value);
        else for (const key of Array.from(model.keys())) if (change.type === "remove" ? key === change.key : key >= change.from && key < change.to) model.delete(key);
        if (change.type === "remove") gone.add(change.key);
      }
      if (turn % 5 === 0) compare(store, model, gone, random, `turn ${turn}`);
      if (random.chance(0.03)) {
        const copy = await powerLoss(`lost-${turn}`);
        await store.close();
        directory = copy;
        store = await open();
        compare(store, model, gone, random, `after a loss of power at turn ${turn}`);
      } else if (random.chance(0.02)) {
        await store.close();
        store = await open();
        compare(store, model, gone, random, `after a restart at turn ${turn}`);
      }
    }
  });

  it("goes on in the halves of its journal by turns, for longer than both are", async () => {
    const store = await open();
    const value = (index: number): Uint8Array => Buffer.alloc(100_000, index);
    for (let index = 0; index < 200; index++) await store.commit([put(`log/${index % 30}`, value(index)), put("head", String(index))]);
    const content = contentOf(store);
    expect(content["log/19"]).toBe(`100000:${crc32(value(199))}`);
    expect(statSync(journalOf(directory)).size).toBeLessThan(9_000_000);
    expect(await foundIn(await powerLoss())).toEqual(content);
  });

  it.each([undefined, "used"] as const)("has a commit that was torn by a loss of power not at all, and all before it: journal %s", async (used) => {
    const { copy, journal, before, last, after } = await threeCommits(used);
    const random = new Random(1);
    expect(last.length).toBeGreaterThan(20);
    const ways: [string, (index: number) => boolean][] = last.flatMap((_, sector): [string, (index: number) => boolean][] => [
      [`up to sector ${sector}`, (index) => index < sector], [`from sector ${sector + 1} on`, (index) => index > sector], [`all but sector ${sector}`, (index) => index !== sector],
    ]);
    for (let turn = 0; turn < 10; turn++) {
      const lost = random.between(0, last.length - 1);
      const some = last.map((_, index) => index !== lost && random.chance(0.5));
      ways.push([`sectors ${JSON.stringify(some)}`, (index) => some[index] === true]);
    }
    for (const [what, written] of ways) {
      writeFileSync(journalOf(copy), torn(journal, before, last, written));
      expect(await foundIn(copy), what).toEqual(after[2]);
    }
  });

  it.each([undefined, "used"] as const)("is refused when anything in its journal was damaged, in the last commit too, whether that is all there or torn: journal %s", async (used) => {
    const { copy, journal, before, last } = await threeCommits(used);
    const numbers = Array.from(recordsOf(journal).keys()).sort((a, b) => a - b).slice(-3);
    const refused = (what: string, file: Buffer): void => {
      writeFileSync(journalOf(copy), file);
      const content = readJournal(copy);
      if (content === undefined) throw new Error("there is a journal");
      expect(() => recordsAfter(content, (numbers[0] ?? 0) - 1), what).toThrow("sector that does not read");
    };
    for (const number of numbers) {
      for (const [index, at] of (recordsOf(journal).get(number) ?? []).entries()) {
        // Checksum, number, index, length of the changes, and what follows.
        const byte = [0, 4, 10, 12, 100 + index][index % 5] ?? 0;
        refused(`byte ${byte} of sector ${index} of record ${number}`, flip(journal, at + byte, index % 8));
        refused(`sector ${index} of record ${number}: zeros`, Buffer.from(journal).fill(0, at, at + sectorBytes));
      }
    }
    for (let byte = 0; byte < 24; byte++) refused(`byte ${byte}`, flip(journal, (last[0] ?? 0) + byte, byte % 8));
    for (const part of [torn(journal, before, last, (index) => index < 5), torn(journal, before, last, (index) => index > 5)]) {
      for (const at of last.slice(3, 8)) refused("damaged and torn", flip(part, at + 200, 3));
    }
    refused("where no record is", flip(journal, journal.byteLength - 1, 0));
    expect(await foundIn(copy)).toBe("STORE_DAMAGED");
  });

  it("is refused when a commit lacks a part, and a later one is there or was begun", async () => {
    const { copy, journal, before, last } = await threeCommits();
    const records = recordsOf(journal);
    const blank = journal.subarray(journal.byteLength - sectorBytes);
    const later: [string, Buffer][] = [["is there", journal], ["was begun", torn(journal, before, last, (index) => index === 7)]];
    for (const [what, file] of later) {
      for (const number of [1, 2]) {
        const lacking = Buffer.from(file);
        blank.copy(lacking, records.get(number)?.at(-1) ?? 0);
        writeFileSync(journalOf(copy), lacking);
        expect(await foundIn(copy), `record ${number}, and the third ${what}`).toBe("STORE_DAMAGED");
      }
    }
  });

  it("is refused without its journal, with one that is cut short, blank, or another's, or of another format", async () => {
    const { copy, journal, after } = await threeCommits();
    const path = journalOf(copy);
    const refused = async (what: string, code = "STORE_DAMAGED"): Promise<void> => { expect(await foundIn(copy), what).toBe(code); };
    rmSync(path);
    await refused("missing");
    writeFileSync(path, "");
    await refused("empty");
    writeFileSync(path, journal);
    truncateSync(path, journal.byteLength - pageBytes);
    await refused("cut short");
    for (let at = 0; at < 32; at++) {
      const rotten = Buffer.from(journal);
      rotten[at] = (rotten[at] ?? 0) ^ 0x10;
      writeFileSync(path, rotten);
      await refused(`byte ${at} of its first page`);
    }
    for (const format of [1, 3]) {
      const other = Buffer.from(journal);
      other.writeUInt32LE(format, 8);
      other.writeUInt32LE(crc32(other.subarray(0, 28)), 28);
      writeFileSync(path, other);
      await refused(`format ${format}`, "STORE_FOREIGN");
    }
    const other = await openBackend(join(scratch, "other"));
    await other.commit([put("identity", "another's")]);
    await other.commit([put("a", "another's")]);
    copyFileSync(journalOf(join(scratch, "other")), path);
    await refused("another's");
    writeFileSync(path, journal);
    expect(await foundIn(copy)).toEqual(after[3]);
    copyFileSync(join(scratch, "other", "data.mdb"), join(copy, "data.mdb"));
    await refused("with another's database");
    rmSync(join(copy, "data.mdb"));
    await refused("without its database");
    await other.close();
  });

  it("is refused with the journal of another one that was not closed", async () => {
    const { journal } = await threeCommits();
    const closed = join(scratch, "closed");
    const store = await openBackend(closed);
    await store.commit([put("identity", "another's")]);
    await store.close();
    writeFileSync(journalOf(closed), journal);
    expect(await foundIn(closed)).toBe("STORE_DAMAGED");
  });

  it("does not have what was removed, wherever that was, and does not bring it back", async () => {
    const store = await open();
    await store.commit([put("in the database", "one")]);
    await store.commit([put("in the journal", "two")]);
    for (const key of ["in the database", "in the journal"]) {
      await store.commit([{ type: "remove", key }]);
      expect(store.get(key)).toBeUndefined();
    }
    await store.close();
    expect(Object.keys(contentOf(await open()))).toEqual([]);
  });

  it("leaves a file alone that has the journal's name and is none", async () => {
    mkdirSync(directory);
    writeFileSync(journalOf(directory), "Monday: nothing happened.\n".repeat(1_000));
    expect(await foundIn(directory)).toBe("STORE_DAMAGED");
    expect(readFileSync(journalOf(directory), "utf8")).toContain("Monday");
  });

  it("says what to do when its journal cannot be read", async () => {
    await (await openLmdb(directory)).close();
    mkdirSync(journalOf(directory));
    await expect(openBackend(directory)).rejects.toMatchObject({ code: "STORE_FAILED" });
    expect(readdirSync(journalOf(directory))).toEqual([]);
  });

  it.runIf(process.platform === "linux")("writes its journal synchronously: a commit is answered when it will survive a loss of power", async () => {
    const store = await open();
    await store.commit([put("a", "one")]);
    const descriptor = readdirSync("/proc/self/fd").find((name) => { try { return readlinkSync(`/proc/self/fd/${name}`) === journalOf(directory); } catch { return false; } });
    const [, flags = ""] = /flags:\s+0*([0-7]+)/.exec(readFileSync(`/proc/self/fdinfo/${descriptor ?? "?"}`, "utf8")) ?? [];
    expect(Number.parseInt(flags, 8) & constants.O_DSYNC).toBe(constants.O_DSYNC);
  });

  it("opens one that was made without a journal, and one whose first journal was not finished", async () => {
    const database = await openLmdb(directory);
    await database.commit([put("a", "old"), put("b", "old")]);
    await database.close();
    writeFileSync(journalOf(directory), Buffer.alloc(pageBytes));
    const store = await open();
    await store.commit([put("a", "new")]);
    await store.commit([put("c", "new")]);
    const content = contentOf(store);
    expect(Object.keys(content)).toEqual(["a", "b", "c"]);
    expect(await foundIn(await powerLoss())).toEqual(content);
  });

  it("has all that was committed when the power fails at any write of its database, half written back or not", async () => {
    const database = new MemoryDatabase();
    const losses: { content: Map<string, Uint8Array>; journal: Buffer; answered: number }[] = [];
    mkdirSync(directory);
    database.onWrite = () => { losses.push({ content: new Map(database.content), journal: journalInWriting(), answered: database.answered }); };
    const store = withJournal(database, directory);
    for (const turn of turns(500)) {
      await store.commit(puttingIn(turn));
      database.answered = turn;
    }
    await store.close();
    expect(losses.length).toBeGreaterThan(15);
    for (const { content, journal, answered: least } of losses) {
      const copy = mkdtempSync(join(scratch, "lost-"));
      writeFileSync(journalOf(copy), journal);
      const found = withJournal(new MemoryDatabase(content), copy);
      const last = Number(Buffer.from(found.get("turn") ?? "0"));
      expect(last).toBeGreaterThanOrEqual(least);
      const expected = new Map(turns(last).flatMap(puttingIn).map(({ key, value }) => [key, value[0]]));
      for (const [key, first] of expected) expect(found.get(key)?.[0], `${key} after turn ${last}`).toBe(first);
    }
  });

  it.runIf(process.platform === "linux")("never takes more of a journal for written back than there is, also of one that begins after another failed: the next commits would be lost", async () => {
    const database = new MemoryDatabase();
    const seen: { through: number; begun: number }[] = [];
    mkdirSync(directory);
    database.onWrite = () => {
      const [record, journal] = [database.content.get("journal"), readJournal(directory)];
      const checkpoint = record === undefined ? undefined : decodeCheckpoint("journal", record);
      if (checkpoint !== undefined && checkpoint.id === journal?.id) seen.push({ through: checkpoint.through, begun: journal.begun });
    };
    const store = withJournal(database, directory);
    // Nine of them fill a half: the first journal is in its third one when it fails.
    const commit = (turn: number): Promise<void> => store.commit([put(`log/${turn}`, Buffer.alloc(400_000, turn))]);
    for (const turn of turns(25)) await commit(turn);
    breakJournal();
    await expect(commit(26)).rejects.toMatchObject({ code: "STORE_FAILED" });
    for (const turn of turns(25)) await commit(25 + turn);
    await store.close();
    expect(seen.length).toBeGreaterThan(6);
    for (const { through, begun } of seen) expect(through, JSON.stringify(seen)).toBeLessThanOrEqual(begun);
  });
});

/** Keys as a store has them: a log that grows, is cut and loses its beginning, a head, and slices that go apart. */
function someChanges(random: Random, turn: number, model: ReadonlyMap<string, Uint8Array>): { changes: Change[]; apart: boolean } {
  const value = (): Uint8Array => Buffer.alloc(random.pick([1, 300, 5_000, 60_000, 200_000]) ?? 1, random.between(0, 255));
  const key = (): string => `log/${String(random.between(1, 60)).padStart(3, "0")}`;
  const changes: Change[] = Array.from({ length: random.between(0, 4) }, () => put(key(), value()));
  changes.push(put("head", String(turn)));
  if (random.chance(0.05)) return { changes: [put(`slice/${turn}`, value())], apart: true };
  if (random.chance(0.05)) changes.unshift({ type: "removeRange", from: key(), to: "log/~" });
  if (random.chance(0.02)) changes.push(put("large", Buffer.alloc(700_000, turn)));
  const old = Array.from(model.keys()).find((slice) => slice.startsWith("slice/"));
  if (old !== undefined && random.chance(0.2)) changes.push({ type: "remove", key: old });
  return { changes, apart: false };
}

/** What was removed, and nothing refers to, may be there or not. */
function compare(store: Backend, model: ReadonlyMap<string, Uint8Array>, gone: ReadonlySet<string>, random: Random, when: string): void {
  const counts = (key: string): boolean => key !== "journal" && (model.has(key) || !gone.has(key));
  const expected = Array.from(model.keys()).sort();
  expect(Array.from(store.range("", "~"), ({ key }) => key).filter(counts), when).toEqual(expected);
  for (const { key, value } of store.range("", "~")) if (counts(key)) expect(Buffer.compare(value, model.get(key) ?? Buffer.alloc(0)), `${key}, ${when}`).toBe(0);
  const from = random.pick(expected) ?? "";
  expect(store.keys(from, "~", 10_000).filter(counts), when).toEqual(expected.filter((key) => key >= from));
  expect(store.keys("log/", "log/~", 3), when).toEqual(expected.filter((key) => key.startsWith("log/")).slice(0, 3));
  for (const key of ["head", from]) expect(store.get(key)?.byteLength, `${key}, ${when}`).toBe(model.get(key)?.byteLength);
}
