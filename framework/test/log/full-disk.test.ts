/**
 * A store that runs out of room: on a small file system of its own where the machine allows it (root, or user namespaces), and
 * everywhere with a limit to the size of files.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ended, linesOf, storeProcess } from "./store-process.js";

/** How a process is started that has little room, and what makes room in it. */
interface Bed {
  readonly launcher: (directory: string) => readonly string[];
  readonly makeRoom: string;
}

/** The file system is gone with its last process. */
const namespace = ["unshare", "--user", "--map-root-user", "--mount"];
const beds: Record<string, Bed> = {
  "files may not grow": {
    launcher: () => ["prlimit", `--fsize=${16 << 20}:unlimited`],
    makeRoom: "const { spawnSync } = await import('node:child_process'); spawnSync('prlimit', ['--pid', String(process.pid), '--fsize=unlimited']);",
  },
};
if (spawnSync(namespace[0] ?? "", [...namespace.slice(1), "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0) {
  beds["the file system is full"] = {
    launcher: (directory) => [...namespace, "sh", "-c", `mount -t tmpfs -o size=32m tmpfs ${directory} && head -c ${16 << 20} /dev/zero > ${directory}/ballast && mkdir ${directory}/store && exec "$@"`, "sh"],
    makeRoom: "fs.rmSync(directory + '/../ballast');",
  };
} else {
  console.log("Left out: a full file system, because this process may not mount one. To add it: run as root");
}

let directory: string;

beforeEach(() => { directory = mkdtempSync(join(tmpdir(), "lockstep-full-")); });
afterEach(() => { rmSync(directory, { recursive: true, force: true }); });

/** Answers with lines of JSON. */
const program = (makeRoom: string): string => `
  const fs = await import("node:fs");
  const say = (line) => console.log(JSON.stringify(line));
  const failure = (promise) => promise.then(() => "it was taken", ({ code, message }) => ({ code, message }));
  const open = async () => openLogStore(await openBackend(directory), log.identity);
  const end = (store) => { const found = store.recover(); return Array.from(found.entries).at(-1) ?? found.base; };

  let store = await open();
  store.recover();
  let last = log.genesis;
  const nextWrite = () => ({ entries: log.entriesAfter(last, 3, 20_000), head: log.head });
  for (;;) {
    const change = nextWrite();
    const failed = await failure(store.write(change));
    if (failed !== "it was taken") { say(failed); break; }
    last = change.entries.at(-1);
  }
  say(await failure(store.write(nextWrite())));
  await store.close();
  store = await open();
  say(["found", end(store).position === last.position]);

  const snapshot = store.beginSnapshot(last);
  let slices = 0;
  while (await failure(snapshot.write(Buffer.alloc(100_000, slices))) === "it was taken") slices++;
  await snapshot.abort().catch(() => {});
  say(["a promise without entries", await failure(store.write({ entries: [], head: log.head }))]);

  ${makeRoom}
  const change = nextWrite();
  await store.write(change);
  last = change.entries.at(-1);
  const again = store.beginSnapshot(last);
  for (let slice = 0; slice < 5; slice++) await again.write(Buffer.alloc(100_000, slice));
  await again.finish();
  await store.write({ base: last, entries: [], head: log.head });
  await store.close();
  store = await open();
  const found = store.recover();
  say(["after room was made", found.base.position === last.position, Array.from(found.snapshot).length, Array.from(found.entries).length]);
  await store.close();`;

describe.each(Object.entries(beds))("a store, when %s,", (_name, { launcher, makeRoom }) => {
  it("says so, does nothing by halves, opens and closes, and goes on when there is room", async () => {
    const where = join(directory, "store");
    mkdirSync(where);
    const child = storeProcess(where, program(makeRoom), launcher(directory));
    const said: unknown[] = [];
    for await (const line of linesOf(child)) said.push(JSON.parse(line));
    await ended(child);
    const failed = { code: "STORE_FAILED", message: expect.stringMatching(/takes nothing: .* KiB free\). Make room/) as string };
    expect(said).toEqual([failed, failed, ["found", true], ["a promise without entries", expect.anything()], ["after room was made", true, 5, 0]]);
    expect(child.exitCode).toBe(0);
  });
});

/** Others have taken all room before, so that a write has not even a part of it. */
const filledByOthers = (makeRoom: string): string => `
  const fs = await import("node:fs");
  const say = (line) => console.log(JSON.stringify(line));
  const failure = (promise) => promise.then(() => "it was taken", ({ code }) => code);
  const store = await openLogStore(await openBackend(directory), log.identity);
  store.recover();
  let last = log.genesis;
  // So that its tree has free pages: large values are then what there is no room for.
  for (let round = 0; round < 4; round++) {
    const entries = log.entriesAfter(last, 3, 600_000);
    await store.write({ entries, head: log.head });
    last = entries.at(-1);
  }
  const change = { entries: log.entriesAfter(last, 4, 1_000_000), head: log.head };
  const others = fs.openSync(directory + "/../others", "w");
  for (const bytes of [1 << 20, 4096]) for (let wrote = bytes; wrote === bytes;) try { wrote = fs.writeSync(others, Buffer.alloc(bytes)); } catch { break; }
  for (let attempt = 0; attempt < 30; attempt++) { const said = await failure(store.write(change)); if (attempt % 10 === 0) say(said); }
  fs.closeSync(others);
  fs.rmSync(directory + "/../others");
  ${makeRoom}
  say(await failure(store.write(change)));
  await store.close();`;

const full = beds["the file system is full"];

describe.runIf(full !== undefined)("a store of large entries, when others have filled the file system,", () => {
  // LMDB's own words for it are longer than the memory it has for them.
  it("says so, and goes on when there is room", async () => {
    const where = join(directory, "store");
    mkdirSync(where);
    const child = storeProcess(where, filledByOthers(full?.makeRoom ?? ""), full?.launcher(directory) ?? []);
    const said: unknown[] = [];
    for await (const line of linesOf(child)) said.push(JSON.parse(line));
    await ended(child);
    expect({ said, code: child.exitCode }).toEqual({ said: ["STORE_FAILED", "STORE_FAILED", "STORE_FAILED", "it was taken"], code: 0 });
  });
});

describe.runIf(full !== undefined)("a store on a file system without a size,", () => {
  // It says that it has no blocks, and that none of them are free.
  it("takes what it is given", async () => {
    const program = `
      const store = await openLogStore(await openBackend(directory), log.identity);
      store.recover();
      const entries = log.entriesAfter(log.genesis, 3);
      console.log(await store.write({ entries, head: log.head }).then(() => "it was taken", String));
      await store.close();`;
    const launcher = [...namespace, "sh", "-c", `mount -t tmpfs -o size=0 tmpfs ${directory} && mkdir ${directory}/store && exec "$@"`, "sh"];
    const child = storeProcess(join(directory, "store"), program, launcher);
    const said: string[] = [];
    for await (const line of linesOf(child)) said.push(line);
    await ended(child);
    expect({ said, code: child.exitCode }).toEqual({ said: ["it was taken"], code: 0 });
  });
});
