/** The program `lockstep` on the data of this server: a backup while it runs, and a group restored from it; a new start from one replica. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.js";
import { killAll, run, serving, type Run } from "../support/program.js";

const program = fileURLToPath(new URL("../../../../framework/bin/lockstep.js", import.meta.url));
let scratch: string;
let clients: Redis[] = [];

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "lockstep-kv-test-"));
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await killAll();
  await rm(scratch, { recursive: true });
});

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function lockstep(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }));
  });
}

async function expectDone(...args: string[]): Promise<string> {
  const { code, out, err } = await lockstep(...args);
  expect({ code, err }, args.join(" ")).toEqual({ code: 0, err: "" });
  return out;
}

async function connect(server: Run): Promise<readonly Redis[]> {
  const ports = await serving(server);
  clients = ports.map((port) => new Redis(port, { retryStrategy: null, maxRetriesPerRequest: 0 }));
  for (const client of clients) client.on("error", () => undefined); // the commands say so, too
  return clients;
}

async function stop(server: Run): Promise<void> {
  server.child.kill("SIGINT");
  expect(await server.ended).toBe(0);
}

describe("the program lockstep", () => {
  it("backs up what is being served, and makes a group of it that serves the same", async () => {
    const [data, restored, file] = [join(scratch, "data"), join(scratch, "restored"), join(scratch, "kv.backup")];
    const server = run("--port", "0", "--data", data);
    const [first, second] = await connect(server);
    await first?.mset("a", "1", "b", "2");
    await first?.set("gone", "soon", "EX", 3_600);
    const directory = join(data, "replica-1");
    expect(await expectDone("backup", "--data", directory, "--to", file, "--dry-run")).toMatch(/Nothing was changed.*there is room/s);
    expect(await readdir(scratch)).toEqual(["data"]);
    expect(await expectDone("backup", "--data", directory, "--to", file, "--by", "ada@desk")).toContain(`${file} holds the state of position`);
    await second?.set("a", "after the backup");
    const status = JSON.parse(await expectDone("status", "--data", directory, "--json")) as { role: string; operations: { who: string }[] };
    expect(status).toMatchObject({ role: "active", operations: [{ what: "backup", who: "ada@desk" }] });
    expect(await lockstep("inspect", "--data", directory)).toMatchObject({ code: 1, err: expect.stringContaining("lockstep status") as string });
    await stop(server);
    expect(await lockstep("status", "--data", directory)).toMatchObject({ code: 1, err: expect.stringContaining("No replica runs on") as string });

    const verified = await expectDone("verify", file);
    expect(verified).toMatch(/group +lockstep-kv\n/);
    expect(verified).toMatch(/by ada@desk, from the replica of slot 1/);
    expect(verified).toMatch(/keys in values +3\n/);
    expect(JSON.parse(await expectDone("verify", file, "--json"))).toMatchObject({ ok: true, group: "lockstep-kv", machine: { name: "lockstep-kv" }, by: "ada@desk" });

    const into = ["restore", file, "--data", join(restored, "replica-1"), "--group", "again", "--slot", "1", "--slots", "1,2,3"];
    expect(await expectDone(...into, "--dry-run")).toContain("Nothing was changed");
    expect((await readdir(scratch)).sort()).toEqual(["data", "kv.backup"]);
    expect(await expectDone(...into, "--by", "ada@desk")).toContain("Start those of slots 2, 3 with empty directories");
    expect(await lockstep(...into)).toMatchObject({ code: 1, err: expect.stringContaining("is not empty") as string });
    const again = run("--port", "0", "--data", restored, "--group", "again");
    for (const client of await connect(again)) expect(await client.mget("a", "b", "gone")).toEqual(["1", "2", "soon"]);
    expect(await clients[2]?.incr("a")).toBe(2);
    await stop(again);
    const inspected = await expectDone("inspect", "--data", join(restored, "replica-3"));
    expect(inspected).toMatch(/ada@desk: backup .*\n.*ada@desk: restore of the state of group lockstep-kv/);
  });

  it("lets a group go on from one replica when the others' disks are lost, if it is told so twice", async () => {
    const data = join(scratch, "data");
    const server = run("--port", "0", "--data", data);
    const [, , third] = await connect(server);
    await third?.mset("a", "1", "b", "2");
    expect(await third?.get("a")).toBe("1");
    await stop(server);
    for (const lost of ["replica-1", "replica-2"]) await rm(join(data, lost), { recursive: true });
    const stuck = run("--port", "0", "--data", data);
    expect(await stuck.ended).toBe(1);
    expect(stuck.output.err).toContain("have lost what they had on disk");
    const directory = join(data, "replica-3");
    await cp(directory, join(scratch, "copy"), { recursive: true });
    for (const flags of [["--dry-run"], []]) {
      const { code, out, err } = await lockstep("new-start", "--data", directory, ...flags);
      expect(out).toMatch(/Nothing was changed.*What is lost for good: every command that the others \(slots 1, 2\)/s);
      expect([code, err]).toEqual(flags.length > 0 ? [0, ""] : [2, expect.stringContaining("--yes")]);
    }
    // The attempt to start has left blank ones.
    for (const blank of ["replica-1", "replica-2"]) await rm(join(data, blank), { recursive: true, force: true });
    expect(await expectDone("new-start", "--data", directory, "--by", "ada@desk", "--yes")).toContain("Done");
    const again = run("--port", "0", "--data", data);
    for (const client of await connect(again)) expect(await client.mget("a", "b")).toEqual(["1", "2"]);
    const status = JSON.parse(await expectDone("status", "--data", join(data, "replica-1"), "--json")) as object;
    expect(status).toMatchObject({ operations: [{ what: "new start", who: "ada@desk" }] });
  });

  it("leaves a whole backup or none when the program is killed while it writes one", async () => {
    const data = join(scratch, "data");
    const value = "x".repeat(500);
    const seen = { whole: 0, none: 0 };
    for (let round = 0; round < 5; round++) {
      const server = run("--port", "0", "--data", data);
      const [first] = await connect(server);
      if (round === 0) for (let n = 0; n < 40; n++) await first?.mset(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`${n}:${i}`, value])));
      const file = join(scratch, `${round}.backup`);
      const asked = lockstep("backup", "--data", join(data, "replica-2"), "--to", file);
      // Somewhere between its beginning and its end.
      await eventually("it is being written", async () => (await readdir(scratch)).some((name) => name.startsWith(`${round}.`)));
      await pause(round * 30);
      server.child.kill("SIGKILL");
      await server.ended;
      const { code, err } = await asked;
      for (const client of clients.splice(0)) client.disconnect();
      if ((await readdir(scratch)).includes(`${round}.backup`)) {
        seen.whole++;
        expect(await expectDone("verify", file)).toMatch(/keys in values +20000\n/);
      } else {
        seen.none++;
        expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining("stopped before it had answered") as string });
        // All that was missing may have been its name.
        const partial = await lockstep("verify", `${file}.partial`);
        if (partial.code !== 0) expect(partial.err).toContain("BACKUP_DAMAGED");
      }
    }
    console.log(`backups whose replica was killed: ${JSON.stringify(seen)}`);
    expect(seen.none).toBeGreaterThan(0);
  });

  it("says what is wrong with its command line, and with files that are none of its", async () => {
    expect(await lockstep("backup")).toMatchObject({ code: 2, out: "", err: "lockstep: --data DIR is missing\nSee lockstep --help.\n" });
    expect(await lockstep("verify", program)).toMatchObject({ code: 1, out: "", err: expect.stringContaining("is not a backup of Lockstep") as string });
    expect(JSON.parse((await lockstep("verify", program, "--json")).out)).toMatchObject({ ok: false, code: "BACKUP_FOREIGN" });
    expect(await expectDone("--help")).toContain("lockstep restore FILE --data DIR");
  });
});
