/** The store on a real disk: locks, full disks, broken files, and processes that are killed while they write. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, openSync, rmSync, statSync, truncateSync, writeFileSync, writeSync, closeSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openLmdb } from "../../src/log/lmdb-backend.js";

const compiled = fileURLToPath(new URL("../../dist/log/lmdb-backend.js", import.meta.url));
let directory: string;

beforeEach(() => { directory = mkdtempSync(join(tmpdir(), "lockstep-store-")); });
afterEach(() => { rmSync(directory, { recursive: true, force: true }); });

const put = (key: string, value: string) => ({ type: "put" as const, key, value: Buffer.from(value) });

/** Runs a program that has the directory open as `backend`. */
function program(body: string): ChildProcess {
  const source = `import { openLmdb } from ${JSON.stringify(compiled)}; const backend = await openLmdb(${JSON.stringify(directory)}); ${body}`;
  return spawn(process.execPath, ["--input-type=module", "-e", source], { stdio: ["ignore", "pipe", "inherit"] });
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("it has an output");
  for await (const line of createInterface(child.stdout)) return line;
  throw new Error("it ended");
}

function ended(child: ChildProcess): Promise<void> {
  return child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : new Promise((resolve) => { child.once("exit", () => resolve()); });
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

  it("has one user: a second one, here or in another process, is refused as long as the first lives, even frozen", async () => {
    const backend = await openLmdb(directory);
    await expect(openLmdb(directory)).rejects.toMatchObject({ code: "STORE_LOCKED" });
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

  it("has all that was said to be written after each of twelve kills, and nothing by halves", async () => {
    let next = 0;
    for (let round = 0; round < 12; round++) {
      const writer = program(`for (let n = ${next}; ; n++) {
        const value = Buffer.from(String(n).repeat(200));
        await backend.commit([{ type: "put", key: "first", value }, { type: "put", key: "log/" + String(n).padStart(9, "0"), value }, { type: "put", key: "last", value }]);
        console.log(n);
      }`);
      if (writer.stdout === null) throw new Error("it has an output");
      let said = next - 1;
      const enough = said + 20 + round * 7;
      for await (const line of createInterface(writer.stdout)) {
        said = Number(line);
        if (said >= enough) writer.kill("SIGKILL");
      }
      await ended(writer);
      const backend = await openLmdb(directory);
      const last = Number(Array.from(backend.range("log/", "log/~")).at(-1)?.key.slice(4));
      expect(last).toBeGreaterThanOrEqual(said);
      for (const key of ["first", "last"]) expect(Buffer.from(backend.get(key) ?? []).toString()).toBe(String(last).repeat(200));
      await backend.close();
      next = last + 1;
    }
  }, 60_000);

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
      const reader = spawn(process.execPath, ["--input-type=module", "-e", `import { openLmdb } from ${JSON.stringify(compiled)};
        try { const backend = await openLmdb(${JSON.stringify(directory)}); let count = 0; for (const { value } of backend.range("log/", "log/~")) count += Buffer.from(value).toString() === "x".repeat(500); console.log("read " + count); await backend.close(); }
        catch (error) { console.log(error.code); }`], { stdio: ["ignore", "pipe", "ignore"] });
      const line = await firstLine(reader).catch(() => "crashed");
      await ended(reader);
      return line;
    };
    await fill();
    expect(await outcome()).toBe("read 400");
    for (const share of [0.2, 0.5, 0.9]) {
      await fill();
      truncateSync(file, Math.floor(statSync(file).size * share));
      expect(await outcome(), `cut to ${share}`).not.toMatch(/crashed|read 400/);
    }
    await fill();
    const descriptor = openSync(file, "r+");
    writeSync(descriptor, Buffer.alloc(8_192, 0x5a), 0, 8_192, 0);
    closeSync(descriptor);
    expect(await outcome()).toBe("STORE_DAMAGED");
    writeFileSync(file, "not a database");
    expect(await outcome()).toBe("STORE_DAMAGED");
    expect(existsSync(file)).toBe(true);
  }, 60_000);
});
