/** Backups: what is in one, that a replica goes on while it is taken, and that one that is not whole is never taken for one that is. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backupFormat, magic } from "../../src/operate/backup-format.js";
import { verifyBackup } from "../../src/operate/verify-backup.js";
import { dist } from "../log/store-process.js";
import { addAll, Bed } from "./bed.js";

let bed: Bed;
beforeEach(() => { bed = new Bed(); });
afterEach(() => bed.end());

describe("a backup", () => {
  it("is of one position, with all up to it, whatever is written meanwhile", async () => {
    const [one, two] = await bed.inMemory();
    await addAll(one, 300);
    let writing = true;
    const writer = (async () => { while (writing) await two?.submit.add({ key: "meanwhile", by: 1 }); })();
    const taken = await Promise.all([1, 2, 3].map(async (n) => one?.backup(bed.path(`${n}.backup`), { by: "ada@desk" })));
    writing = false;
    await writer;
    for (const result of taken) {
      const { header, bytes, content } = await verifyBackup(result?.path ?? "");
      expect(header).toMatchObject({ group: "counters", slot: 1, slots: [1, 2, 3], policy: "majority", machine: { name: "counters", version: 1 }, by: "ada@desk" });
      expect(header.point).toEqual({ position: result?.position, hash: result?.hash });
      expect(bytes).toBe(result?.bytes);
      expect(content.tables).toEqual([{ name: "values", keys: expect.toSatisfy((keys: number) => keys === 300 || keys === 301) as number }]);
      expect(content.operations.at(-1)?.position).toBeLessThanOrEqual(header.point.position);
    }
  });

  it("is recorded in the group: who, what and where, on every replica and in every snapshot", async () => {
    const replicas = await bed.startAll({ limits: { snapshotLogBytes: 2_000 } });
    await replicas[0]?.backup(bed.path("a"), { by: "ada@desk" });
    await addAll(replicas[0], 100);
    await replicas[1]?.backup(bed.path("b"), { by: "bob@desk" });
    for (const replica of replicas) await replica.query.total("x", { consistency: "linearizable" });
    const expected = [
      { what: "backup", who: "ada@desk", details: `to ${bed.path("a")}, by the replica of slot 1` },
      { what: "backup", who: "bob@desk", details: `to ${bed.path("b")}, by the replica of slot 2` },
    ];
    for (const replica of replicas) expect(replica.inspect().operations).toMatchObject(expected);
    expect((await verifyBackup(bed.path("b"))).content.operations).toMatchObject(expected);
    await bed.stopAll();
    for (const replica of await bed.startAll()) expect(replica.inspect().operations).toMatchObject(expected);
  });

  it("shows to nobody who follows the machine's commands", async () => {
    const [one] = await bed.inMemory();
    const seen: string[] = [];
    const events = one?.events();
    const following = (async () => { for await (const event of events ?? []) { seen.push(event.command); if (seen.length === 2) return; } })();
    await one?.submit.add({ key: "x", by: 1 });
    await one?.backup(bed.path("a"), { by: "ada" });
    await one?.submit.echo("x");
    await following;
    expect(seen).toEqual(["add", "echo"]);
  });

  it("lets everything else have its turn while it is written", async () => {
    const [one] = await bed.inMemory();
    for (let n = 0; n < 20; n++) await addAll(one, 1_000, `part ${n}`);
    let turns = 0;
    const counting = setInterval(() => { turns++; }, 0);
    const answers: Promise<number>[] = [];
    const submitting = setInterval(() => { if (one !== undefined) answers.push(one.submit.add({ key: "x", by: 1 })); }, 1);
    await one?.backup(bed.path("a"), { by: "ada" });
    clearInterval(counting);
    clearInterval(submitting);
    await Promise.all(answers);
    const { content } = await verifyBackup(bed.path("a"));
    expect(content.slices).toBeGreaterThan(5);
    expect(turns).toBeGreaterThan(5);
    expect(content.tables[0]?.keys).toBeGreaterThanOrEqual(20_000);
  });

  it("never takes another file's place, is private, and leaves nothing behind when it fails", async () => {
    const [one] = await bed.inMemory();
    await one?.backup(bed.path("a"), { by: "ada" });
    expect(statSync(bed.path("a")).mode & 0o777).toBe(0o600);
    const before = readFileSync(bed.path("a"));
    await expect(one?.backup(bed.path("a"), { by: "ada" })).rejects.toMatchObject({ code: "OPERATION_REFUSED" });
    expect(readFileSync(bed.path("a"))).toEqual(before);
    writeFileSync(bed.path("b.partial"), "another's");
    await expect(one?.backup(bed.path("b"), { by: "ada" })).rejects.toMatchObject({ code: "OPERATION_REFUSED", message: expect.stringContaining("b.partial") as string });
    await expect(one?.backup(bed.path("missing", "c"), { by: "ada" })).rejects.toMatchObject({ code: "BACKUP_FAILED" });
    mkdirSync(bed.path("d.partial"));
    await expect(one?.backup(bed.path("d"), { by: "ada" })).rejects.toMatchObject({ code: "OPERATION_REFUSED" });
    expect(readdirSync(bed.directory).sort()).toEqual(["a", "b.partial", "d.partial"]);
    // Nothing was recorded of what was refused at once.
    expect(one?.inspect().operations).toHaveLength(1);
  });

  it("that the disk does not take, or that is broken off, is none", async () => {
    const program = `
      const { writeBackup } = await import(${JSON.stringify(new URL("operate/backup-writer.js", dist).href)});
      const ballot = { era: 0, ringSeq: 4n, ringNode: 1, k: 1, attempt: 0 };
      const header = { group: "g", slot: 1, slots: [1], policy: "majority", machine: { name: "m", version: 1 }, point: { position: 1, hash: "0".repeat(32) }, ballot, now: 0, atMs: 0, by: "ada" };
      const source = (slices) => ({ position: 1, slices, aboutBytes: () => 0 });
      const write = (slices) => writeBackup("a", header, source(slices), 1000).then(() => "written", ({ code, message }) => ({ code, message }));
      const failing = function* () { yield Buffer.alloc(1000); throw new Error("the state cannot be read"); };
      const large = function* () { for (let n = 0; n < 100; n++) yield Buffer.alloc(10_000); };
      const answers = [await write(failing), await write(large)];
      // What flushes the directory, and not the file.
      const { default: fs } = await import("node:fs");
      fs.fsyncSync = () => { throw new Error("EIO: fsync"); };
      (await import("node:module")).syncBuiltinESMExports();
      console.log(JSON.stringify([...answers, await write(function* () { yield Buffer.alloc(1000); })]));`;
    const { stdout, stderr } = spawnSync("prlimit", [`--fsize=${256 << 10}:unlimited`, process.execPath, "--input-type=module", "-e", program], { cwd: bed.directory, encoding: "utf8" });
    expect(JSON.parse(stdout), stderr).toMatchObject([
      { code: "BACKUP_FAILED", message: expect.stringContaining("the state cannot be read") as string },
      { code: "BACKUP_FAILED", message: expect.stringContaining("EFBIG") as string },
      { code: "BACKUP_FAILED", message: expect.stringContaining("EIO") as string },
    ]);
    expect(readdirSync(bed.directory)).toEqual([]);
  });

  it("needs a primary view", async () => {
    const alone = await bed.start(1);
    await expect(alone.backup(bed.path("a"), { by: "ada" })).rejects.toMatchObject({ code: expect.stringMatching(/NOT_PRIMARY|NOT_READY/) as string });
    expect(existsSync(bed.path("a"))).toBe(false);
  });
});

describe("a backup that is not whole", () => {
  let good: Buffer;
  let path: string;
  beforeEach(async () => {
    const [one] = await bed.inMemory();
    await addAll(one, 50);
    await one?.backup(bed.path("good"), { by: "ada" });
    good = readFileSync(bed.path("good"));
    path = bed.path("bad");
  });

  it("is told wherever it ends", async () => {
    for (let length = 0; length < good.byteLength; length += length < 200 || length > good.byteLength - 200 ? 1 : 37) {
      writeFileSync(path, good.subarray(0, length));
      await expect(verifyBackup(path), `${length} bytes`).rejects.toMatchObject(length === 0 ? { code: "BACKUP_FOREIGN" } : { code: "BACKUP_DAMAGED", message: expect.stringContaining("cut short") as string });
    }
  });

  it("is told whichever bit was changed", async () => {
    await fc.assert(fc.asyncProperty(fc.nat(good.byteLength - 1), fc.nat(7), async (at, bit) => {
      const bytes = Buffer.from(good);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      writeFileSync(path, bytes);
      const codes = at < magic.byteLength + 4 ? /BACKUP_FOREIGN|BACKUP_DAMAGED/ : /BACKUP_DAMAGED/;
      await expect(verifyBackup(path)).rejects.toMatchObject({ code: expect.stringMatching(codes) as string, message: expect.not.stringContaining("cut short") as string });
    }), { numRuns: 400, examples: [[magic.byteLength + 5, 7], [good.byteLength - 1, 0]] });
  });

  it("is told when something follows it, or it is twice itself", async () => {
    for (const more of [Buffer.from("x"), good]) {
      writeFileSync(path, Buffer.concat([good, more]));
      await expect(verifyBackup(path)).rejects.toMatchObject({ code: "BACKUP_DAMAGED", message: expect.stringContaining("follow its end") as string });
    }
  });

  it("is told apart from what is none, and from a newer version's", async () => {
    writeFileSync(path, "something else altogether");
    await expect(verifyBackup(path)).rejects.toMatchObject({ code: "BACKUP_FOREIGN", message: expect.stringContaining("not a backup") as string });
    const newer = Buffer.from(good);
    newer.writeUInt32LE(backupFormat + 1, magic.byteLength);
    writeFileSync(path, newer);
    await expect(verifyBackup(path)).rejects.toMatchObject({ code: "BACKUP_FOREIGN", message: expect.stringContaining(`format ${backupFormat + 1}`) as string });
    await expect(verifyBackup(bed.path("missing"))).rejects.toMatchObject({ code: "BACKUP_FAILED" });
    await expect(verifyBackup(bed.directory)).rejects.toMatchObject({ code: "BACKUP_FAILED" });
  });

  it.skipIf(process.platform === "win32")("is not waited for where a pipe is named that nobody writes to", async () => {
    expect(spawnSync("mkfifo", [path]).status).toBe(0);
    await expect(verifyBackup(path)).rejects.toMatchObject({ code: "BACKUP_FAILED", message: expect.stringContaining("not a file") as string });
  });
});
