/** The store on a real disk: locks, full disks, broken files, and processes that are killed while they write. */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, openSync, rmSync, statSync, truncateSync, writeFileSync, writeSync, closeSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openLmdb } from "../../src/log/lmdb-backend.js";
import { ended, firstLine, storeProcess } from "./store-process.js";

let directory: string;

beforeEach(() => { directory = mkdtempSync(join(tmpdir(), "lockstep-store-")); });
afterEach(() => { rmSync(directory, { recursive: true, force: true }); });

const put = (key: string, value: string) => ({ type: "put" as const, key, value: Buffer.from(value) });

/** Runs a program that has the directory open as `backend`. */
function program(body: string): ChildProcess {
  return storeProcess(directory, `const backend = await openLmdb(directory); ${body}`);
}

describe("a store on LMDB", () => {
  it("holds what was committed, in order, after it was closed and opened", async () => {
    const backend = await openLmdb(directory);
    await backend.commit([put("a/1", "one"), put("a/2", "two"), put("b", "three")]);
    await backend.commit([{ type: "removeRange", from: "a/", to: "a/2" }, put("a/3", "four")]);
    await backend.close();
    const again = await openLmdb(directory);
    expect(Array.from(again.range("a/", "b"), ({ key, value }) => [key, Buffer.from(value).toString()])).toEqual([["a/2", "two"], ["a/3", "four"]]);
    expect(again.get("a/1")).toBeUndefined();
    await again.close();
  });

  it("walks through more records than it reads at a time", async () => {
    const backend = await openLmdb(directory);
    const keys = Array.from({ length: 1_000 }, (_, index) => `log/${String(index).padStart(6, "0")}`);
    await backend.commit(keys.map((key) => put(key, key)));
    expect(Array.from(backend.range("log/", "log/~"), ({ key }) => key)).toEqual(keys);
    await backend.close();
  });

  it("gives nothing any more when it is closed, and says so", async () => {
    const backend = await openLmdb(directory);
    await backend.commit([put("a", "one")]);
    const closing = backend.close();
    const closed = expect.objectContaining({ code: "STORE_FAILED", message: "The store is closed." }) as Error;
    for (const read of [() => backend.get("a"), () => backend.keys("", "~", 1), () => Array.from(backend.range("", "~"))]) expect(read).toThrow(closed);
    await closing;
    for (const read of [() => backend.get("a"), () => backend.keys("", "~", 1), () => Array.from(backend.range("", "~"))]) expect(read).toThrow(closed);
    await expect(backend.commit([put("b", "two")])).rejects.toThrow(closed);
  });

  it("has one user: a second one, here or in another process, is refused as long as the first lives, even frozen", async () => {
    const backend = await openLmdb(directory);
    await expect(openLmdb(directory)).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await backend.commit([put("a", "the first goes on")]);
    await backend.close();
    const other = program("console.log('open'); setInterval(() => {}, 1000);");
    try {
      expect(await firstLine(other)).toBe("open");
      await expect(openLmdb(directory)).rejects.toMatchObject({ code: "STORE_LOCKED", message: expect.stringContaining(`pid ${other.pid}`) as string });
      other.kill("SIGSTOP");
      await expect(openLmdb(directory)).rejects.toMatchObject({ code: "STORE_LOCKED" });
    } finally {
      other.kill("SIGKILL");
    }
    await ended(other);
    await (await openLmdb(directory)).close();
  });

  it("takes a directory whose name is longer than a socket's path may be", async () => {
    const long = join(directory, "d".repeat(120));
    const backend = await openLmdb(long);
    await expect(openLmdb(long)).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await backend.close();
  });

  it("does what a commit says in its order, whatever it says of one key", async () => {
    const backend = await openLmdb(directory);
    await backend.commit([put("a/1", "old"), put("a/2", "old")]);
    await backend.commit([put("a/3", "new"), { type: "removeRange", from: "a/2", to: "a/~" }, put("a/2", "new")]);
    await backend.commit([]);
    expect(Array.from(backend.range("a/", "a/~"), ({ key, value }) => [key, Buffer.from(value).toString()])).toEqual([["a/1", "old"], ["a/2", "new"]]);
    await backend.close();
  });

  it("gives copies, which stay what they were whatever is written, and when it is closed", async () => {
    const backend = await openLmdb(directory);
    const values = [10, 3_000, 40_000, 3_000_000].map((size, index) => Buffer.alloc(size, index + 1));
    const keys = values.map((_, index) => `a/${index}`);
    await backend.commit(values.map((value, index) => ({ type: "put", key: keys[index] ?? "", value })));
    const held = [...keys.map((key) => backend.get(key)), ...Array.from(backend.range("a/", "a/~"), ({ value }) => value)];
    for (let round = 0; round < 4; round++) await backend.commit([{ type: "removeRange", from: "a/", to: "a/~" }, ...values.map(({ byteLength }, index) => ({ type: "put" as const, key: keys[index] ?? "", value: Buffer.alloc(byteLength, 0xee) }))]);
    await backend.close();
    for (const [index, value] of held.entries()) expect(Buffer.compare(value ?? Buffer.alloc(0), values[index % values.length] ?? Buffer.alloc(0)), `value ${index}`).toBe(0);
  });

  it("makes its directory and those above it, and says so where it cannot", async () => {
    await (await openLmdb(join(directory, "a", "b", "c"))).close();
    expect(statSync(join(directory, "a", "b", "c")).mode & 0o777).toBe(0o700);
    writeFileSync(join(directory, "file"), "");
    for (const where of [join(directory, "file"), join(directory, "file", "below"), "/proc/none"]) {
      await expect(openLmdb(where), where).rejects.toMatchObject({ code: "STORE_FAILED", message: expect.stringContaining("cannot be made") as string });
    }
  });

  it("goes on when it could not write its first page once: nothing of that commit is done", async () => {
    // LMDB's descriptor for it is the one that writes synchronously; a device that is always full takes its place.
    const child = program(`
      const fs = await import("node:fs");
      const put = (key) => [{ type: "put", key, value: Buffer.alloc(3000, 1) }];
      await backend.commit(put("a"));
      const found = fs.readdirSync("/proc/self/fd").map(Number).find((fd) => {
        try { return fs.readlinkSync("/proc/self/fd/" + fd).endsWith("data.mdb") && (parseInt(/flags:\\s*(\\d+)/.exec(fs.readFileSync("/proc/self/fdinfo/" + fd, "utf8"))[1], 8) & fs.constants.O_DSYNC) !== 0; } catch { return false; }
      });
      fs.closeSync(found);
      while (fs.openSync("/dev/full", "w") < found);
      const failed = await backend.commit(put("b")).then(() => "it was taken", (error) => error.code);
      const before = [backend.get("a")?.length, backend.get("b")?.length];
      await backend.commit(put("c"));
      console.log(JSON.stringify([failed, before, backend.get("b")?.length ?? null, backend.get("c")?.length]));
      await backend.close();`);
    expect(JSON.parse(await firstLine(child))).toEqual(["STORE_FAILED", [3_000, null], null, 3_000]);
    await ended(child);
    const backend = await openLmdb(directory);
    expect(Array.from(backend.range("", "~"), ({ key }) => key)).toEqual(["a", "c"]);
    await backend.close();
  });

  it("refuses a file that is cut short, overwritten or not its own, and does not crash", async () => {
    const file = join(directory, "data.mdb");
    const fill = async (): Promise<void> => {
      rmSync(directory, { recursive: true, force: true });
      const backend = await openLmdb(directory);
      await backend.commit(Array.from({ length: 400 }, (_, index) => put(`log/${String(index).padStart(6, "0")}`, "x".repeat(500))));
      await backend.close();
    };
    /** In a process of its own: LMDB reads by way of a map. */
    const outcome = async (): Promise<string> => {
      const reader = storeProcess(directory, `try {
        const backend = await openLmdb(directory);
        let count = 0;
        for (const { value } of backend.range("log/", "log/~")) count += Buffer.from(value).toString() === "x".repeat(500);
        console.log("read " + count);
        await backend.close();
      } catch (error) { console.log(error.code); }`);
      const line = await firstLine(reader).catch(() => "crashed");
      await ended(reader);
      return line;
    };
    await fill();
    expect(await outcome()).toBe("read 400");
    for (const share of [0.2, 0.5, 0.9]) {
      await fill();
      truncateSync(file, Math.floor(statSync(file).size * share));
      expect(await outcome(), `cut to ${share}`).toBe("STORE_DAMAGED");
    }
    await fill();
    const descriptor = openSync(file, "r+");
    writeSync(descriptor, Buffer.alloc(8_192, 0x5a), 0, 8_192, 0);
    closeSync(descriptor);
    expect(await outcome()).toBe("STORE_DAMAGED");
    writeFileSync(file, "not a database");
    expect(await outcome()).toBe("STORE_DAMAGED");
    expect(existsSync(file)).toBe(true);
  });
});
