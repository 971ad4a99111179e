/**
 * Looks through a database file before LMDB maps it into memory. LMDB trusts its pages: one that is damaged or missing ends the
 * process, a damaged list of free pages lets it write over pages in use, and a damaged first page may bring back an older state.
 *
 * It reads what the newest transaction reaches: the tree of records (not their values: those have checksums of their own), and
 * the tree of free pages. Layout: MDB_meta, MDB_db, MDB_page_header, MDB_node, MDB_ovpage in mdb.c as the package lmdb has it, on
 * 64-bit little-endian machines. Numbers of pages above 2^53 are damage here, so that plain numbers do.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const headerBytes = 24;
const pageFlags = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const;
const nodeHeaderBytes = 8;
/** The value is on pages of its own. */
const bigData = 0x01;
const bigDataBytes = 24;
const magic = 0xbeefc0de;
const dataVersion = 2;
const metaBytes = 160;
/** The tree of free pages has numbers as keys; and the flag MDB_NOSUBDIR of the whole is kept with it. */
const freeFlags = 0x4008;
const noPage = 0xffff_ffff_ffff_ffffn;
/** More is no address. */
const maxMapBytes = 2 ** 46;
/** Deeper trees would have more pages than a file can. */
const maxDepth = 32;

interface Tree {
  readonly flags: number;
  readonly depth: number;
  readonly branches: number;
  readonly leaves: number;
  readonly overflows: number;
  readonly entries: number;
  readonly root: number | undefined;
}

interface Meta {
  readonly pageBytes: number;
  readonly mapBytes: number;
  readonly free: Tree;
  readonly records: Tree;
  readonly lastPage: number;
  readonly transaction: number;
}

/** A key and where its value is. */
interface Leaf {
  readonly key: Buffer;
  readonly value: () => Buffer;
}

/** @throws Error that says what is wrong; the system's, if there is no file. */
export function checkPages(path: string): void {
  const file = openSync(path, "r");
  try {
    new PageCheck(file).run();
  } finally {
    closeSync(file);
  }
}

class PageCheck {
  readonly #file: number;
  readonly #fileBytes: number;
  readonly #meta: Meta;
  /** A bit for every page: two may not use the same. */
  readonly #used: Uint8Array;

  constructor(file: number) {
    this.#file = file;
    this.#fileBytes = fstatSync(file).size;
    this.#meta = this.#newestMeta();
    this.#used = new Uint8Array(Math.floor(this.#meta.lastPage / 8) + 1);
  }

  run(): void {
    const { free, records } = this.#meta;
    this.#walkTree("the tree of records", records, () => undefined, (a, b) => a.compare(b));
    const lists: Buffer[] = [];
    this.#walkTree("the tree of free pages", free, ({ key, value }) => {
      if (key.byteLength !== 8) damaged("a list of free pages has no number");
      lists.push(value());
    }, (a, b) => Number(a.readBigUInt64LE() - b.readBigUInt64LE()));
    for (const list of lists) this.#takeFreePages(list);
  }

  /**
   * Transactions write the two first pages by turns: whatever else their numbers say is damage, or the older would be taken for the
   * newer. (Not if one is just two behind: LMDB itself leaves that when it could not write it.)
   */
  #newestMeta(): Meta {
    const first = readMeta(this.#read(0, metaBytes));
    const second = readMeta(this.#read(first.pageBytes, metaBytes));
    const [a, b] = [first.transaction, second.transaction];
    const blank = a === 0 && b === 0;
    if (first.pageBytes !== second.pageBytes || (!blank && (a % 2 !== 0 || Math.abs(a - b) !== 1))) damaged(`its first pages are of transactions ${a} and ${b}`);
    const newest = b > a ? second : first;
    // The file may be shorter: free pages at its end need never have been written.
    if ((newest.lastPage + 1) * newest.pageBytes > newest.mapBytes || newest.mapBytes > maxMapBytes) damaged("its first pages contradict themselves");
    return newest;
  }

  #walkTree(name: string, tree: Tree, visit: (leaf: Leaf) => void, compare: (a: Buffer, b: Buffer) => number): void {
    const found = { branches: 0, leaves: 0, overflows: 0, entries: 0 };
    const walk = (number: number, depth: number, from: Buffer | undefined, to: Buffer | undefined): void => {
      const page = this.#treePage(number, depth === tree.depth ? pageFlags.leaf : pageFlags.branch);
      const leaf = depth === tree.depth;
      const nodes = nodesOf(page, number, leaf);
      found[leaf ? "leaves" : "branches"]++;
      // The first key of a branch page is that of its parent, and left out.
      const keys = nodes.map(({ key }, index) => !leaf && index === 0 ? from : key);
      checkOrder(number, keys, from, to, compare);
      for (const [index, node] of nodes.entries()) {
        if (leaf) {
          found.entries++;
          found.overflows += this.#checkValue(page, node, number);
          visit({ key: node.key, value: () => this.#valueOf(page, node) });
        } else {
          walk(page.readUIntLE(node.at, 6), depth + 1, keys[index], keys[index + 1] ?? to);
        }
      }
    };
    if (tree.depth > maxDepth || (tree.root === undefined) !== (tree.depth === 0)) damaged(`${name} contradicts itself`);
    if (tree.root !== undefined) walk(tree.root, 1, undefined, undefined);
    for (const what of ["branches", "leaves", "overflows", "entries"] as const) {
      if (found[what] !== tree[what]) damaged(`${name} has ${found[what]} ${what} instead of ${tree[what]}`);
    }
  }

  #treePage(number: number, kind: number): Buffer {
    this.#take(number, 1);
    const { pageBytes } = this.#meta;
    const page = this.#read(number * pageBytes, pageBytes);
    this.#checkHeader(page, number, kind);
    return page;
  }

  /** A page of a later transaction would pass for one that may be written to. */
  #checkHeader(page: Buffer, number: number, kind: number): void {
    if (readNumber(page, 0) !== number || readNumber(page, 8) > this.#meta.transaction || page.readUInt16LE(18) !== kind) damaged(`page ${number} is not what it should be`);
  }

  /** The number of pages of its own that a value has. */
  #checkValue(page: Buffer, { at, key, flags }: Node, number: number): number {
    if (flags !== bigData) return 0;
    const start = at + nodeHeaderBytes + key.byteLength;
    const size = page.readUInt32LE(at);
    const first = readNumber(page, start);
    const count = readNumber(page, start + 16);
    if (count !== Math.ceil((headerBytes + size) / this.#meta.pageBytes)) damaged(`a value of page ${number} has ${count} pages for ${size} bytes`);
    this.#take(first, count);
    const header = this.#read(first * this.#meta.pageBytes, headerBytes);
    this.#checkHeader(header, first, pageFlags.overflow);
    if (header.readUInt32LE(20) !== count || readNumber(page, start + 8) !== readNumber(header, 8)) damaged(`page ${first} is not what it should be`);
    if ((first + count) * this.#meta.pageBytes > this.#fileBytes) damaged(`page ${first + count - 1} is missing`);
    return count;
  }

  #valueOf(page: Buffer, { at, key, flags }: Node): Buffer {
    const start = at + nodeHeaderBytes + key.byteLength;
    const size = page.readUInt32LE(at);
    if (flags !== bigData) return page.subarray(start, start + size);
    return this.#read(readNumber(page, start) * this.#meta.pageBytes + headerBytes, size);
  }

  /** Its length, then pages; a negative number is the length of the run that begins with the next page, zero nothing. */
  #takeFreePages(list: Buffer): void {
    if (list.byteLength < 8 || list.byteLength % 8 !== 0) return damaged("a list of free pages is cut short");
    const length = readNumber(list, 0);
    if ((length + 1) * 8 > list.byteLength) return damaged("a list of free pages is cut short");
    let run = 1;
    for (let index = 1; index <= length; index++) {
      const value = Number(list.readBigInt64LE(index * 8));
      if (value > 0) this.#take(value, run);
      run = value < 0 ? -value : 1;
    }
  }

  #take(first: number, count: number): void {
    if (first < 2 || first + count - 1 > this.#meta.lastPage) damaged(`there is no page ${first}`);
    for (let number = first; number < first + count; number++) {
      const at = number >> 3;
      const bit = 1 << (number & 7);
      if (((this.#used[at] ?? 0) & bit) !== 0) damaged(`page ${number} is used twice`);
      this.#used[at] = (this.#used[at] ?? 0) | bit;
    }
  }

  #read(at: number, bytes: number): Buffer {
    const buffer = Buffer.allocUnsafe(bytes);
    if (at + bytes > this.#fileBytes || readSync(this.#file, buffer, 0, bytes, at) !== bytes) damaged(`it has ${this.#fileBytes} bytes: it is cut short`);
    return buffer;
  }
}

function readMeta(page: Buffer): Meta {
  const pageBytes = page.readUInt32LE(48);
  const isPage = page.readUInt16LE(18) === pageFlags.meta && page.readUInt32LE(24) === magic && pageBytes >= 512 && pageBytes <= 65_536 && (pageBytes & (pageBytes - 1)) === 0;
  if (!isPage) damaged("its first pages are not those of a database");
  const version = page.readUInt16LE(28);
  if (version !== dataVersion) damaged(`it has version ${version} of LMDB's format, not ${dataVersion}`);
  const free = readTree(page, 48);
  const records = readTree(page, 96);
  if (free.flags !== freeFlags || records.flags !== 0) damaged("its first pages contradict themselves");
  return { pageBytes, mapBytes: readNumber(page, 40), free, records, lastPage: readNumber(page, 144), transaction: readNumber(page, 152) };
}

function readTree(page: Buffer, at: number): Tree {
  return {
    flags: page.readUInt16LE(at + 4), depth: page.readUInt16LE(at + 6), branches: readNumber(page, at + 8), leaves: readNumber(page, at + 16),
    overflows: readNumber(page, at + 24), entries: readNumber(page, at + 32), root: page.readBigUInt64LE(at + 40) === noPage ? undefined : readNumber(page, at + 40),
  };
}

interface Node {
  readonly at: number;
  readonly key: Buffer;
  readonly flags: number;
}

function nodesOf(page: Buffer, number: number, leaf: boolean): Node[] {
  const [lower, upper] = [page.readUInt16LE(20), page.readUInt16LE(22)];
  if (lower === 0 || lower % 2 !== 0 || lower > upper || headerBytes + upper > page.byteLength) return damaged(`page ${number} contradicts itself`);
  const nodes: Node[] = [];
  for (let offset = headerBytes; offset < headerBytes + lower; offset += 2) {
    const at = headerBytes + page.readUInt16LE(offset);
    if (at + nodeHeaderBytes > page.byteLength) return damaged(`a node leaves page ${number}`);
    const keyAt = at + nodeHeaderBytes;
    nodes.push({ at, key: page.subarray(keyAt, keyAt + page.readUInt16LE(at + 6)), flags: leaf ? page.readUInt16LE(at + 4) : 0 });
  }
  checkPacking(page, number, nodes, leaf);
  return nodes;
}

/** Nodes follow each other to the end of their page. LMDB relies on it when it moves them. */
function checkPacking(page: Buffer, number: number, nodes: readonly Node[], leaf: boolean): void {
  let end = headerBytes + page.readUInt16LE(22);
  for (const { at, flags } of nodes.toSorted((a, b) => a.at - b.at)) {
    if (at !== end) damaged(`the nodes of page ${number} overlap, or leave gaps`);
    if (flags !== 0 && flags !== bigData) damaged(`page ${number} has a node of an unknown kind`);
    const valueBytes = flags === bigData ? bigDataBytes : page.readUInt32LE(at);
    const bytes = nodeHeaderBytes + page.readUInt16LE(at + 6) + (leaf ? valueBytes : 0);
    end += bytes + bytes % 2;
  }
  if (end !== page.byteLength) damaged(`the nodes of page ${number} overlap, or leave gaps`);
}

/** Ascending, from `from` on and below `to`. */
function checkOrder(number: number, keys: readonly (Buffer | undefined)[], from: Buffer | undefined, to: Buffer | undefined, compare: (a: Buffer, b: Buffer) => number): void {
  let last = from;
  for (const [index, key] of keys.entries()) {
    if (key === undefined) continue;
    const order = last === undefined ? 1 : compare(key, last);
    if (order < 0 || (order === 0 && index > 0)) damaged(`the keys of page ${number} are in disorder`);
    last = key;
  }
  if (last !== undefined && to !== undefined && compare(last, to) >= 0) damaged(`the keys of page ${number} are in disorder`);
}

/** Larger ones than any that can be: NaN, which equals and exceeds nothing, must not come out. */
function readNumber(from: Buffer, at: number): number {
  const value = from.readBigUInt64LE(at);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : damaged(`${value} is not a number of pages`);
}

function damaged(what: string): never {
  throw new Error(what);
}
