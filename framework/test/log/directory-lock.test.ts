/** Processes that want one directory: never two have it, whoever dies when. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ChildProcess } from "node:child_process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DirectoryLock } from "../../src/log/directory-lock.js";
import { ended, firstLine, linesOf, storeProcess } from "./store-process.js";

let directory: string;

beforeEach(() => { directory = mkdtempSync(join(tmpdir(), "lockstep-lock-")); });
afterEach(() => { rmSync(directory, { recursive: true, force: true }); });

const locked = { code: "STORE_LOCKED" };
const sockets = (): string[] => readdirSync(directory).filter((name) => name.startsWith("lock-"));

/** Takes it and gives it back, for ever; says when it had it, and when somebody who lives had it too. */
const taker = `
  const fs = await import("node:fs");
  /** One that is being killed is listed until it is reaped, and runs nothing any more: its flags say that it is exiting (4). */
  const lives = (pid) => { try { return (Number(fs.readFileSync("/proc/" + pid + "/stat", "utf8").split(") ")[1].split(" ")[6]) & 4) === 0; } catch { return false; } };
  const inside = directory + "/inside";
  console.log("begins");
  for (;;) {
    const lock = await DirectoryLock.take(directory).catch((error) => { if (error.code !== "STORE_LOCKED") console.log("error " + error.message); });
    if (lock === undefined) continue;
    const before = fs.existsSync(inside) ? fs.readFileSync(inside, "utf8") : "";
    fs.writeFileSync(inside, String(process.pid));
    await new Promise((done) => setTimeout(done, Math.random() * 4));
    const after = fs.readFileSync(inside, "utf8");
    if ((before !== "" && lives(before)) || after !== String(process.pid)) console.log("two: " + before + " " + process.pid + " " + after);
    fs.rmSync(inside);
    await lock.release();
    console.log("had it");
  }`;

describe("the lock of a directory", () => {
  it("is had by one, and leaves nothing behind", async () => {
    const lock = await DirectoryLock.take(directory);
    await expect(DirectoryLock.take(directory)).rejects.toMatchObject({ ...locked, message: expect.stringContaining(`pid ${process.pid}`) as string });
    await lock.release();
    expect(sockets()).toEqual([]);
    await (await DirectoryLock.take(directory)).release();
  });

  it("ends with its process, however that ends, and the next one cleans up", async () => {
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      const child = storeProcess(directory, "await DirectoryLock.take(directory); console.log('has it'); setInterval(() => {}, 1000);");
      expect(await firstLine(child)).toBe("has it");
      await expect(DirectoryLock.take(directory)).rejects.toMatchObject(locked);
      child.kill(signal);
      await ended(child);
      const lock = await DirectoryLock.take(directory);
      expect(sockets()).toHaveLength(1);
      await lock.release();
    }
  });

  it("is had by one where paths are long and only Linux could shorten them, if the working directory is close enough; if not, it says so", async () => {
    // As elsewhere, /proc is not used; sockets' paths are as short here.
    const long = join(directory, "a".repeat(120), "data");
    mkdirSync(long, { recursive: true });
    const elsewhere = 'Object.defineProperty(process, "platform", { value: "darwin" });';
    const holder = storeProcess(long, `${elsewhere} process.chdir(directory); await DirectoryLock.take(directory); console.log("has it"); setInterval(() => {}, 1000);`);
    expect(await firstLine(holder)).toBe("has it");
    expect(readdirSync(long)).toEqual([expect.stringMatching(/^lock-\d+-[0-9a-f]{16}$/)]);
    await expect(DirectoryLock.take(long)).rejects.toMatchObject(locked);
    holder.kill("SIGKILL");
    await ended(holder);
    const far = storeProcess(long, `${elsewhere} process.chdir("/"); console.log(await DirectoryLock.take(directory).catch((error) => error.code + ": " + error.message));`);
    expect(await firstLine(far)).toMatch(/^STORE_FAILED: The path of the directory .+ is too long for a socket in it/);
    await ended(far);
  });

  it("is not had by one whose name was taken away by another, who thought it dead", async () => {
    // That it looks at, so that there is time.
    for (let pid = 1; pid < 10; pid++) writeFileSync(join(directory, `lock-${pid}-0123456789abcdef`), "");
    const taking = DirectoryLock.take(directory);
    let own: string | undefined;
    while (own === undefined) {
      await nextTurn();
      own = sockets().find((name) => name.startsWith(`lock-${process.pid}-`));
    }
    rmSync(join(directory, own));
    const lock = await taking;
    await expect(DirectoryLock.take(directory)).rejects.toMatchObject(locked);
    await lock.release();
  });

  it("is never had by two of those who fight for it, while some are killed", async () => {
    const violations: string[] = [];
    let kills = 0;
    const run = async (): Promise<void> => {
      while (kills < 12) {
        const child: ChildProcess = storeProcess(directory, taker);
        let own = 0;
        for await (const line of linesOf(child)) {
          if (line === "had it") own++;
          else if (line !== "begins") violations.push(line);
          // Anywhere: while it looks, has it, or gives it back.
          if (own === 5) setTimeout(() => child.kill("SIGKILL"), Math.random() * 10);
        }
        await ended(child);
        kills++;
      }
    };
    await Promise.all([run(), run(), run(), run()]);
    expect(violations).toEqual([]);
    const lock = await DirectoryLock.take(directory);
    expect(sockets()).toHaveLength(1);
    await lock.release();
  });
});
