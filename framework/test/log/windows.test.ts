/** A store on Windows, as far as its rules can be had elsewhere: sockets that are in no directory, files that are open for one process alone, directories that cannot be opened, files that only who writes can flush. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import type { ChildProcess } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ended, firstLine, storeProcess } from "./store-process.js";

const children: ChildProcess[] = [];

let scratch: string;
let directory: string;
/** The processes' working directory: a pipe's name is, here, that of a socket in it. */
let pipes: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "lockstep-windows-"));
  [directory, pipes] = [join(scratch, "data"), join(scratch, "pipes")];
  for (const made of [directory, pipes]) mkdirSync(made);
});
afterEach(async () => {
  // Of a test that failed.
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await ended(child);
  }
  rmSync(scratch, { recursive: true, force: true });
});

/** A process under these rules. @param container Where its pipes are. */
function onWindows(where: string, body: string, container = pipes): ChildProcess {
  const child = storeProcess(where, rules(container) + body);
  children.push(child);
  return child;
}

const rules = (container: string): string => `
  const { default: fs } = await import("node:fs");
  const { syncBuiltinESMExports } = await import("node:module");
  Object.defineProperty(process, "platform", { value: "win32" });
  process.chdir(${JSON.stringify(container)});
  const { openSync, fsyncSync } = fs;
  const refuse = (what, code = "EPERM") => { throw Object.assign(new Error(code + ": " + what), { code }); };
  const named = (path) => { try { const { dev, ino } = fs.statSync(path); return dev + " " + ino; } catch { return undefined; } };
  const listOf = (path) => { try { return fs.readdirSync(path).map((name) => path + "/" + name); } catch { return []; } };
  /** Whether some process has it open. */
  const isOpen = (path) => named(path) !== undefined && listOf("/proc").filter((path) => /\\d$/.test(path)).some((process) => listOf(process + "/fd").some((open) => named(open) === named(path)));
  const exclusive = 0x10000000;
  const readOnly = new Set();
  fs.openSync = (path, flags, ...rest) => {
    if (fs.existsSync(path) && fs.statSync(path).isDirectory()) refuse("a directory is not opened: " + path);
    const alone = typeof flags === "number" && (flags & exclusive) !== 0;
    if (alone && isOpen(path)) refuse("it is open: " + path, "EBUSY");
    const descriptor = openSync(path, alone ? flags & ~exclusive : flags, ...rest);
    if (flags === "r") readOnly.add(descriptor); else readOnly.delete(descriptor);
    return descriptor;
  };
  fs.fsyncSync = (descriptor) => readOnly.has(descriptor) ? refuse("only who writes flushes") : fsyncSync(descriptor);
  syncBuiltinESMExports();`;

const take = `console.log(await DirectoryLock.take(directory).then(() => "has it", (error) => error.code + ": " + error.message)); setInterval(() => {}, 1000);`;

describe("on Windows, a store", () => {
  it("is had by one process, by whatever path it is named, and by the next one when that is dead", async () => {
    const holder = onWindows(directory, take);
    expect(await firstLine(holder)).toBe("has it");
    expect(readdirSync(directory).map((name) => statSync(join(directory, name)).isFile())).toEqual([true]);
    const link = join(scratch, "link");
    symlinkSync(directory, link);
    // Containers have pipes of their own, and may have the same directory.
    mkdirSync(join(scratch, "other"));
    const second = onWindows(link, take, join(scratch, "other"));
    expect(await firstLine(second)).toMatch(new RegExp(`^STORE_LOCKED: Another process \\(pid ${holder.pid}\\)`));
    for (const child of [holder, second]) {
      child.kill("SIGKILL");
      await ended(child);
    }
    const third = onWindows(directory, take);
    expect(await firstLine(third)).toBe("has it");
    expect(readdirSync(directory)).toEqual([expect.stringContaining(`lock-${third.pid}-`)]);
    third.kill("SIGKILL");
    await ended(third);
  });

  it("is asked by whatever path its directory is named, at a pipe", async () => {
    const serve = `
      const { ControlServer } = await import(new URL("operate/control-server.js", dist));
      await ControlServer.open(directory, { inspect: () => ({ slot: 7 }) });
      console.log("open"); setInterval(() => {}, 1000);`;
    const asked = onWindows(directory, serve);
    expect(await firstLine(asked)).toBe("open");
    expect(readdirSync(pipes)).toEqual([expect.stringMatching(/^\\\\\.\\pipe\\lockstep-[0-9a-f]{32}-control$/)]);
    const link = join(scratch, "link");
    symlinkSync(directory, link);
    const ask = onWindows(link, `
      const { askReplica } = await import(new URL("operate/control-client.js", dist));
      console.log((await askReplica(directory, { command: "status" })).slot);`);
    expect(await firstLine(ask)).toBe("7");
    await ended(ask);
  });

  it("keeps what was committed when its process is killed, and is closed in order", async () => {
    const put = `const put = (key) => [{ type: "put", key, value: Buffer.from(key) }];`;
    const first = onWindows(directory, `${put}
      const backend = await openBackend(directory);
      for (const key of ["a", "b", "c"]) await backend.commit(put(key));
      console.log("committed"); setInterval(() => {}, 1000);`);
    expect(await firstLine(first)).toBe("committed");
    first.kill("SIGKILL");
    await ended(first);
    const second = onWindows(directory, `${put}
      const backend = await openBackend(directory);
      await backend.commit(put("d"));
      console.log(backend.keys("", "~", 10).filter((key) => key !== "journal").join());
      await backend.close();`);
    expect(await firstLine(second)).toBe("a,b,c,d");
    await ended(second);
    expect(second.exitCode).toBe(0);
  });
});
