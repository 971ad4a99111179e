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
  "a page in the place of another": (file, next) => {
    const [from, to] = [2 + next(file.byteLength / pageBytes - 2), 2 + next(file.byteLength / pageBytes - 2)];
    file.copyWithin(to * pageBytes, from * pageBytes, (from + 1) * pageBytes);
    return `page ${from} as page ${to}`;
  },
};

/** Reads and writes each of them, in a process of its own; prints how many records there were, and how many with them removed. */
const readAndWrite = `
  for (const name of (await import("node:fs")).readdirSync(directory).filter((name) => name.startsWith("v-"))) {
    console.log("opens " + name);
    const backend = await openLmdb(directory + "/" + name);
    const keys = Array.from(backend.range("", "~"), ({ key }) => key);
    await backend.commit([{ type: "removeRange", from: "log/${"0".repeat(13)}150", to: "log/${"0".repeat(13)}250" }, { type: "put", key: "log/~", value: Buffer.alloc(20000, 1) }]);
    await backend.commit([{ type: "put", key: "log/~~", value: Buffer.alloc(20000, 2) }]);
    const after = Array.from(backend.range("", "~")).length;
    await backend.close();
    console.log(name + ": " + keys.length + " from " + keys[0] + " to " + keys.at(-1) + ", then " + after);
  }
  console.log("all");`;

describe("a database", () => {
  it("is taken as it was left, when it is blank too, and when there is none", async () => {
    checkPages(path);
    await (await openLmdb(directory)).close();
    checkPages(path);
    await fill();
    checkPages(path);
    writeFileSync(path, "");
    checkPages(path);
  });

  it.each(Object.entries(damages))("with %s is refused, or has all its records and can be written to", async (_name, damage) => {
    const whole = await fill();
    const seed = Date.now() >>> 0;
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
    let last = "";
    for await (const line of linesOf(child)) {
      last = line;
      if (!line.includes(": ")) continue;
      const [name = "", found] = line.split(": ");
      expect(found, taken.get(name)).toBe(`300 from ${keyOf(100)} to ${keyOf(399)}, then 202`);
    }
    await ended(child);
    expect(last, `${taken.get(last.slice("opens ".length))}`).toBe("all");
  }, 60_000);

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
