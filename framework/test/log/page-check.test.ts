/** Databases with damaged pages: refused, or read as if nothing were damaged but a value. Never the end of the process that reads. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openLmdb } from "../../src/log/lmdb-backend.js";
import { checkPages } from "../../src/log/page-check.js";
import type { Change } from "../../src/log/store.js";
import { ended, linesOf, storeProcess } from "./store-process.js";

const pageBytes = 4096;
let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lockstep-pages-"));
  path = join(directory, "data.mdb");
});
afterEach(() => { rmSync(directory, { recursive: true, force: true }); });

const keyOf = (n: number): string => `log/${String(n).padStart(16, "0")}`;
const put = (n: number): Change => ({ type: "put", key: keyOf(n), value: Buffer.alloc(n % 7 === 0 ? 9_000 : 200, n) });

/** Records from 100 to 399, among them large ones, and pages that were given up. */
async function fill(): Promise<Buffer> {
  const backend = await openLmdb(directory);
  for (let first = 0; first < 400; first += 40) await backend.commit(Array.from({ length: 40 }, (_, index) => put(first + index)));
  await backend.commit([{ type: "removeRange", from: keyOf(0), to: keyOf(100) }]);
  await backend.commit([put(100)]);
  await backend.close();
  return readFileSync(path);
}

/** Numbers that can be had again. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

/** Where the nodes of a page begin in it. */
function nodesOf(file: Buffer, page: number): number[] {
  const start = page * pageBytes;
  return Array.from({ length: file.readUInt16LE(start + 20) / 2 }, (_, index) => 24 + file.readUInt16LE(start + 24 + 2 * index));
}

/** Of the newest transaction: where its first page is in the file; a page of its trees, and the nodes of that. */
function layoutOf(file: Buffer) {
  const meta = file.readBigUInt64LE(152) > file.readBigUInt64LE(pageBytes + 152) ? 0 : pageBytes;
  const page = (number: number) => ({ number, at: number * pageBytes, nodes: nodesOf(file, number).map((node) => number * pageBytes + node) });
  const root = page(file.readUIntLE(meta + 136, 6));
  const children = root.nodes.map((node) => page(file.readUIntLE(node, 6)));
  const leaf = children[1] ?? root;
  const isLarge = (node: number): boolean => file.readUInt16LE(node + 4) === 1;
  const [large, small] = [leaf.nodes.find((node) => isLarge(node)) ?? 0, leaf.nodes.find((node) => !isLarge(node)) ?? 0];
  const free = page(file.readUIntLE(meta + 88, 6));
  const reference = large + 8 + file.readUInt16LE(large + 6);
  return { meta, root, leaf, small, reference, overflow: file.readUIntLE(reference, 6) * pageBytes, freeList: (free.nodes[0] ?? 0) + 16 };
}

function swap16(file: Buffer, a: number, b: number): void {
  const value = file.readUInt16LE(a);
  file.writeUInt16LE(file.readUInt16LE(b), a);
  file.writeUInt16LE(value, b);
}

type Layout = ReturnType<typeof layoutOf>;

/** One for each thing that is looked at. */
const oneByOne: readonly (readonly [name: string, damage: (file: Buffer, layout: Layout) => void, says: RegExp])[] = [
  ["another page's number in a page", (file, { leaf }) => file.writeUInt32LE(leaf.number + 1, leaf.at), /page \d+ is not what it should be/],
  ["a page of a later transaction", (file, { leaf }) => file.writeUInt32LE(1_000_000, leaf.at + 8), /page \d+ is not what it should be/],
  ["a page of another kind", (file, { leaf }) => file.writeUInt16LE(1, leaf.at + 18), /page \d+ is not what it should be/],
  ["a page that says that it has no nodes", (file, { leaf }) => file.writeUInt16LE(0, leaf.at + 20), /page \d+ contradicts itself/],
  ["a node in front of the nodes", (file, { leaf }) => file.writeUInt16LE(0, leaf.at + 24), /the nodes of page \d+ overlap/],
  ["a node at the end of its page", (file, { leaf }) => file.writeUInt16LE(pageBytes - 26, leaf.at + 24), /a node leaves page/],
  ["a key longer than its page", (file, { small }) => file.writeUInt16LE(60_000, small + 6), /the nodes of page \d+ overlap/],
  ["a value longer than its page", (file, { small }) => file.writeUInt32LE(60_000, small), /the nodes of page \d+ overlap/],
  ["a value that reaches into the next node", (file, { small }) => file.writeUInt32LE(216, small), /the nodes of page \d+ overlap/],
  ["a value with a gap behind it", (file, { small }) => file.writeUInt32LE(190, small), /the nodes of page \d+ overlap, or leave gaps/],
  ["a value of an unknown kind", (file, { small }) => file.writeUInt16LE(2, small + 4), /a node of an unknown kind/],
  ["two keys in each other's place", (file, { leaf }) => { swap16(file, leaf.at + 24, leaf.at + 26); }, /the keys of page \d+ are in disorder/],
  ["two pages in each other's place", (file, { root }) => { swap16(file, root.nodes[1] ?? 0, root.nodes[2] ?? 0); }, /the keys of page \d+ are in disorder/],
  ["one page in two places", (file, { root }) => { file.copyWithin(root.nodes[1] ?? 0, root.nodes[2] ?? 0, (root.nodes[2] ?? 0) + 6); }, /page \d+ is used twice|in disorder/],
  ["the value of another key", (file, { root, reference }) => file.writeUInt32LE(root.number, reference), /page \d+ is used twice/],
  ["a value on other pages than it has room on", (file, { reference }) => file.writeUInt32LE(2, reference + 16), /has 2 pages for 9000 bytes/],
  ["a value of another transaction", (file, { reference }) => file.writeUInt32LE(1, reference + 8), /page \d+ is not what it should be/],
  ["pages of a value that are something else", (file, { overflow }) => file.writeUInt16LE(2, overflow + 18), /page \d+ is not what it should be/],
  ["a page in use among the free ones", (file, { root, freeList }) => file.writeUInt32LE(root.number, freeList + 8), /page \d+ is used twice/],
  ["free pages that are not there", (file, { freeList }) => file.writeUInt32LE(1_000_000, freeList + 8), /there is no page 1000000/],
  ["a list of free pages that goes on behind its end", (file, { freeList }) => file.writeUInt32LE(1_000_000, freeList), /a list of free pages is cut short/],
  ["another number of records", (file, { meta }) => file.writeUInt32LE(299, meta + 128), /has 300 entries instead of 299/],
  ["another number of pages for values", (file, { meta }) => file.writeUInt32LE(1, meta + 120), /overflows instead of 1/],
  ["a tree of another depth", (file, { meta }) => file.writeUInt16LE(3, meta + 102), /page \d+ is not what it should be/],
  ["a tree without pages, with records", (file, { meta }) => file.writeUInt16LE(0, meta + 102), /the tree of records contradicts itself/],
  ["fewer pages than are in use", (file, { meta }) => file.writeUInt32LE(20, meta + 144), /there is no page/],
  ["more pages than the map has", (file, { meta }) => file.writeUInt32LE(4, meta + 148), /its first pages contradict themselves/],
  ["another kind of keys", (file, { meta }) => file.writeUInt16LE(4, meta + 100), /its first pages contradict themselves/],
  ["a map larger than any memory", (file, { meta }) => file.writeUInt16LE(1, meta + 46), /its first pages contradict themselves/],
  ["another version of the format", (file) => file.writeUInt32LE(3, 28), /version 3 of LMDB's format/],
];

type Damage = (file: Buffer, next: (below: number) => number) => string;

function flip(file: Buffer, at: number, bit: number): void {
  file[at] = (file[at] ?? 0) ^ (1 << bit);
}

const damages: Readonly<Record<string, Damage>> = {
  "a flipped bit in a first page": (file, next) => {
    const [page, at, bit] = [next(2), next(160), next(8)];
    flip(file, page * pageBytes + at, bit);
    return `bit ${bit} of byte ${at} of page ${page}`;
  },
  "a flipped bit in the head of a page": (file, next) => {
    const [page, at, bit] = [2 + next(file.byteLength / pageBytes - 2), next(60), next(8)];
    flip(file, page * pageBytes + at, bit);
    return `bit ${bit} of byte ${at} of page ${page}`;
  },
  "a flipped bit anywhere": (file, next) => {
    const [at, bit] = [next(file.byteLength), next(8)];
    flip(file, at, bit);
    return `bit ${bit} of byte ${at}`;
  },
  "a page of zeros": (file, next) => {
    const page = 2 + next(file.byteLength / pageBytes - 2);
    file.fill(0, page * pageBytes, (page + 1) * pageBytes);
    return `page ${page}`;
  },
  "a page of anything": (file, next) => {
    const page = 2 + next(file.byteLength / pageBytes - 2);
    for (let at = page * pageBytes; at < (page + 1) * pageBytes; at++) file[at] = next(256);
    return `page ${page}`;
  },
  "a wrong number in a tree": (file, next) => {
    const trees = Array.from({ length: file.byteLength / pageBytes - 2 }, (_, index) => index + 2).filter((page) => [1, 2].includes(file.readUInt16LE(page * pageBytes + 18)));
    const page = trees[next(trees.length)] ?? 2;
    const node = nodesOf(file, page)[next(8)] ?? 24;
    const at = page * pageBytes + [16 + 2 * next(4), 24 + 2 * next(20), node + 2 * next(4), node + 8 + 2 * next(16)][next(4)]!;
    const value = [0, 1, 0xffff, next(65_536), file.readUInt16LE(at) ^ (1 << next(16))][next(5)]!;
    file.writeUInt16LE(value, at);
    return `${value} at ${at}`;
  },
  "a page in the place of another": (file, next) => {
    const [from, to] = [2 + next(file.byteLength / pageBytes - 2), 2 + next(file.byteLength / pageBytes - 2)];
    file.copyWithin(to * pageBytes, from * pageBytes, (from + 1) * pageBytes);
    return `page ${from} as page ${to}`;
  },
};

/**
 * Reads and writes each of them, in a process of its own. Says how many records were not there under their keys (one key
 * may be damaged: that is for the store to find), and what became of the others by itself when some were written and removed.
 */
const readAndWrite = `
  const keyOf = (n) => "log/" + String(n).padStart(16, "0");
  const own = new Set(Array.from({ length: 300 }, (_, index) => keyOf(100 + index)));
  const all = (backend) => new Map(Array.from(backend.range("", "~"), ({ key, value }) => [key, value]));
  for (const name of (await import("node:fs")).readdirSync(directory).filter((name) => name.startsWith("v-"))) {
    console.log("opens " + name);
    try {
      const backend = await openLmdb(directory + "/" + name);
      const before = all(backend);
      const missing = own.size - Array.from(before.keys()).filter((key) => own.has(key)).length;
      await backend.commit([{ type: "removeRange", from: keyOf(150), to: keyOf(250) }, { type: "put", key: "log/~", value: Buffer.alloc(20000, 1) }]);
      for (let turn = 0; turn < 6; turn++) await backend.commit([{ type: "put", key: "log/~~", value: Buffer.alloc(20000, turn) }]);
      const after = all(backend);
      const kept = Array.from(before).filter(([key]) => own.has(key) && (key < keyOf(150) || key >= keyOf(250)));
      const changed = kept.filter(([key, value]) => !after.has(key) || Buffer.compare(after.get(key), value) !== 0).length;
      await backend.close();
      console.log(name + ": " + (missing > 1 ? missing : "at most one") + " missing, " + changed + " changed");
    } catch (error) {
      console.log(name + ": " + error.code);
    }
  }
  console.log("all");`;

describe("a database", () => {
  it("is taken as it was left, when it is blank too", async () => {
    await (await openLmdb(directory)).close();
    checkPages(path);
    await fill();
    checkPages(path);
  });

  it.each(Object.entries(damages))("with %s is refused, or has its records and can be written to", async (_name, damage) => {
    const whole = await fill();
    const seed = Number(process.env["LOCKSTEP_SEED"] ?? 1);
    const next = numbers(seed);
    const taken = new Map<string, string>();
    for (let index = 0; index < 100; index++) {
      const file = Buffer.from(whole);
      const what = `${damage(file, next)}, seed ${seed}`;
      writeFileSync(path, file);
      try {
        checkPages(path);
      } catch {
        continue;
      }
      const name = `v-${index}`;
      taken.set(name, what);
      mkdirSync(join(directory, name));
      writeFileSync(join(directory, name, "data.mdb"), file);
    }
    const child = storeProcess(directory, readAndWrite);
    const wrong: string[] = [];
    let last = "";
    for await (const line of linesOf(child)) {
      last = line;
      const [name = "", found] = line.split(": ");
      // A key that is none: the package refuses it when it is read.
      if (found !== undefined && found !== "STORE_DAMAGED" && found !== "at most one missing, 0 changed") wrong.push(`${found}: ${taken.get(name)}`);
    }
    await ended(child);
    if (last !== "all") wrong.push(`crashed: ${taken.get(last.slice("opens ".length))}`);
    expect(wrong).toEqual([]);
  });

  it.each(oneByOne)("with %s is refused, and it says what is wrong", async (_name, damage, says) => {
    const file = await fill();
    damage(file, layoutOf(file));
    writeFileSync(path, file);
    expect(() => { checkPages(path); }).toThrow(says);
  });

  it("of which the first pages are not of two transactions in a row is refused", async () => {
    const whole = await fill();
    const transactionAt = 152;
    const [first, second] = [whole.readBigUInt64LE(transactionAt), whole.readBigUInt64LE(pageBytes + transactionAt)];
    const [newest, number] = first > second ? [0, first] : [pageBytes, second];
    for (const other of [0n, number - 1n, number - 3n, number - 4n, number + 1n, number + 2n, number | (1n << 40n)]) {
      const file = Buffer.from(whole);
      file.writeBigUInt64LE(other, newest + transactionAt);
      writeFileSync(path, file);
      expect(() => { checkPages(path); }, `${other} instead of ${number}`).toThrow("its first pages are of transactions");
    }
  });

  it("that is cut short is refused, wherever a page that is in use is missing", async () => {
    const whole = await fill();
    for (let pages = whole.byteLength / pageBytes - 40; pages > 0; pages -= 7) {
      writeFileSync(path, whole);
      truncateSync(path, pages * pageBytes - 1);
      expect(() => { checkPages(path); }, `${pages} pages`).toThrow();
    }
  });
});
