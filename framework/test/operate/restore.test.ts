/** Restoring: a group made of a backup has what was in it, begins when it must, and never mixes with what was there before. */
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ReplicaEvent } from "../../src/replica-api.js";
import { planRestore, restore, type RestoreTarget } from "../../src/operate/restore.js";
import { inspectStore } from "../../src/operate/store-report.js";
import { eventually } from "../support/eventually.js";
import type { TestReplica } from "../support/test-group.js";
import { addAll, Bed, valuesOf } from "./bed.js";

let bed: Bed;
beforeEach(() => { bed = new Bed(); });
afterEach(() => bed.end());

function target(slot: number, more: Partial<RestoreTarget> = {}): RestoreTarget {
  return { directory: bed.path(String(slot)), group: "counters", slot, slots: [1, 2, 3], policy: "majority", ...more };
}

async function restoreInto(slot: number, file = bed.path("a.backup"), more: Partial<RestoreTarget> = {}): Promise<void> {
  await restore(file, await planRestore(file, target(slot, more)), "ada@desk", 1_000_000);
}

/** A group with something in it, a backup of it, and no replica left. */
async function makeBackup(count = 100): Promise<void> {
  const [one] = await bed.inMemory();
  await addAll(one, count);
  await one?.backup(bed.path("a.backup"), { by: "ada@desk" });
  await bed.stopAll();
}

/** What commands have made of the values up to a position. */
async function valuesAt(replica: TestReplica | undefined, position: number): Promise<[string, number][]> {
  const values = new Map<string, number>();
  const isAdd = (event: ReplicaEvent): event is ReplicaEvent & { input: { key: string; by: number } } => event.command === "add";
  for await (const event of replica?.events({ from: 1 }) ?? []) {
    if (event.position > position || event.command === "echo") break;
    if (isAdd(event)) values.set(event.input.key, (values.get(event.input.key) ?? 0) + event.input.by);
  }
  return Array.from(values).sort(([a], [b]) => (a < b ? -1 : 1));
}

describe("a group restored from a backup", () => {
  it("has exactly the state of the backup's position, although clients wrote on meanwhile", async () => {
    const [one, two] = await bed.inMemory();
    await addAll(one, 200);
    let writing = true;
    const writer = (async () => { for (let n = 0; writing; n++) await two?.submit.add({ key: `meanwhile ${n % 7}`, by: 1 }); })();
    const taken = await one?.backup(bed.path("a.backup"), { by: "ada@desk" });
    for (let n = 0; n < 20; n++) await one?.submit.add({ key: "after", by: 1 });
    writing = false;
    await writer;
    await one?.submit.echo("the end");
    const expected = await valuesAt(one, taken?.position ?? 0);
    await bed.stopAll();
    await restoreInto(1);
    const replicas = await bed.startAll();
    expect(expected.length).toBeGreaterThan(200);
    for (const replica of replicas) expect(valuesOf(replica)).toEqual(expected);
    expect(replicas[2]?.inspect().operations).toMatchObject([
      { what: "backup", who: "ada@desk" },
      { what: "restore", who: "ada@desk", atMs: 1_000_000, position: (taken?.position ?? 0) + 1, details: expect.stringContaining("of group counters") as string },
    ]);
  });

  it("begins when all of its slots are there, and not before", async () => {
    await makeBackup();
    await restoreInto(2);
    const [two, three] = [await bed.start(2), await bed.start(3)];
    await eventually(() => two.role === "minority" && three.role === "minority", "the two to wait for the third");
    const one = await bed.start(1);
    await Promise.all([one, two, three].map((replica) => replica.ready()));
    expect(await one.query.total("key 9", { consistency: "linearizable" })).toBe(10);
    // From now on it is a group like any other.
    await bed.stopAll();
    const [again, other] = [await bed.start(1), await bed.start(3)];
    await Promise.all([again.ready(), other.ready()]);
    expect(await other.submit.add({ key: "key 9", by: 1 })).toBe(11);
  });

  it("remembers answered requests, and goes on from the backup's cluster time", async () => {
    const [one] = await bed.inMemory();
    await one?.submit.add({ key: "x", by: 5 }, { requestId: "r" });
    await one?.backup(bed.path("a.backup"), { by: "ada" });
    const before = one?.inspect().now ?? 0;
    await bed.stopAll();
    await restoreInto(1);
    const replicas = await bed.startAll();
    expect(await replicas[1]?.submit.add({ key: "x", by: 5 }, { requestId: "r" })).toBe(5);
    expect((replicas[0]?.inspect().now ?? 0) - before).toBeLessThan(60_000);
  });

  it("takes another name, and other slots", async () => {
    await makeBackup();
    await restoreInto(3, undefined, { group: "copies", slots: [3] });
    await expect(bed.start(3)).rejects.toMatchObject({ code: "STORE_FOREIGN" });
    const alone = await bed.start(3, { group: "copies", slots: [3] });
    await alone.ready();
    expect(await alone.submit.add({ key: "key 0", by: 1 })).toBe(2);
  });

  it("ends well when two slots were restored from the same file", async () => {
    await makeBackup();
    await restoreInto(1);
    await restoreInto(2);
    const replicas = await bed.startAll();
    expect(await replicas[2]?.submit.add({ key: "key 0", by: 1 })).toBe(2);
    const states = new Set(replicas.map((replica) => JSON.stringify([valuesOf(replica), replica.inspect().operations])));
    await eventually(() => new Set(replicas.map((replica) => JSON.stringify([valuesOf(replica), replica.inspect().operations]))).size === 1, `all to be alike, not ${[...states].join(" / ")}`);
    expect(replicas[0]?.inspect().operations.filter(({ what }) => what === "restore")).toHaveLength(1);
  });

  it("does not mix with what two slots were restored from different files: one of them stops, and keeps what it has", async () => {
    const [one] = await bed.inMemory();
    await addAll(one, 10);
    await one?.backup(bed.path("first"), { by: "ada" });
    await addAll(one, 10, "later");
    await one?.backup(bed.path("second"), { by: "ada" });
    await bed.stopAll();
    await restoreInto(1, bed.path("first"));
    await restoreInto(2, bed.path("second"));
    const before = [await inspectStore(bed.path("1")), await inspectStore(bed.path("2"))];
    const replicas = [await bed.start(1), await bed.start(2), await bed.start(3)];
    const error = await Promise.race([replicas[0]?.stopped, replicas[1]?.stopped]);
    expect(error).toMatchObject({ code: "DIVERGED", message: expect.stringContaining("needs an empty directory") as string });
    await bed.stopAll();
    const after = [await inspectStore(bed.path("1")), await inspectStore(bed.path("2"))];
    expect(after.filter((report, at) => report.log?.end.hash === before[at]?.log?.end.hash)).not.toHaveLength(0);
  });

  it("does not stop replicas that go on with a majority of what was there before: the one that was restored stops", async () => {
    const replicas = await bed.startAll();
    await addAll(replicas[0], 10);
    await replicas[0]?.backup(bed.path("a.backup"), { by: "ada" });
    await addAll(replicas[0], 10, "later");
    await replicas[2]?.stop();
    rmSync(bed.path("3"), { recursive: true });
    await restoreInto(3);
    const three = await bed.start(3);
    expect(await three.stopped).toMatchObject({ code: "DIVERGED", message: expect.stringContaining("was restored or started anew") as string });
    await replicas[0]?.ready();
    expect(await replicas[0]?.submit.add({ key: "later 0", by: 1 })).toBe(2);
  });

  it("stops a replica of the time before that comes back, which keeps what it has", async () => {
    const old = await bed.startAll();
    await addAll(old[0], 10);
    await old[0]?.backup(bed.path("a.backup"), { by: "ada" });
    await addAll(old[0], 10, "later");
    await bed.stopAll();
    cpSync(bed.path("3"), bed.path("old"), { recursive: true });
    for (const slot of ["1", "2", "3"]) rmSync(bed.path(slot), { recursive: true });
    await restoreInto(1);
    const [one, two, three] = await bed.startAll();
    await addAll(one, 5, "new");
    await three?.stop();
    const held = (await inspectStore(bed.path("old"))).log?.end;
    const back = await bed.start(3, { directory: bed.path("old") });
    expect(await back.stopped).toMatchObject({ code: "DIVERGED", message: expect.stringContaining("of the time before") as string });
    expect((await inspectStore(bed.path("old"))).log?.end).toEqual(held);
    expect(await two?.submit.add({ key: "new 0", by: 1 })).toBe(2);
  });
});

describe("restoring", () => {
  it("refuses a directory that holds anything, and changes nothing in it", async () => {
    await makeBackup(5);
    mkdirSync(bed.path("1"));
    await restoreInto(1);
    await expect(restoreInto(1)).rejects.toMatchObject({ code: "OPERATION_REFUSED", message: expect.stringContaining("not empty") as string });
    mkdirSync(bed.path("2"));
    writeFileSync(bed.path("2", "notes"), "another's");
    await expect(restoreInto(2)).rejects.toMatchObject({ code: "OPERATION_REFUSED" });
    writeFileSync(bed.path("3"), "a file");
    await expect(restoreInto(3)).rejects.toMatchObject({ code: "OPERATION_REFUSED", message: expect.stringContaining("is a file") as string });
    expect(readdirSync(bed.path("2"))).toEqual(["notes"]);
    expect((await inspectStore(bed.path("1"))).log?.entries).toBe(1);
  });

  it("makes nothing of a backup that is damaged", async () => {
    await makeBackup(5);
    const file = bed.path("bad");
    writeFileSync(file, "lockstep backup\n");
    await expect(restoreInto(1, file)).rejects.toMatchObject({ code: "BACKUP_DAMAGED" });
    expect(readdirSync(bed.directory)).not.toContain("1");
  });

  it("by two at once into one directory is done by one, whose store stays: the other is refused", async () => {
    await makeBackup(5);
    const seen: unknown[] = [];
    for (let round = 0; round < 20; round++) {
      const directory = bed.path(`raced-${round}`);
      const plans = [await planRestore(bed.path("a.backup"), target(1, { directory })), await planRestore(bed.path("a.backup"), target(1, { directory, group: "others" }))];
      const results = await Promise.allSettled(plans.map((plan) => restore(bed.path("a.backup"), plan, "ada", 1)));
      const codes = results.flatMap((result) => (result.status === "rejected" ? [(result.reason as { code: string }).code] : []));
      seen.push(...codes);
      // Both may have found the other one, and gone back.
      if (codes.length === 2) continue;
      const winner = plans[results.findIndex(({ status }) => status === "fulfilled")]?.target.group;
      expect(await inspectStore(directory), `round ${round}: ${codes.join()}`).toMatchObject({ identity: { group: winner }, log: { entries: 1 } });
    }
    expect(seen.filter((code) => code !== "STORE_LOCKED" && code !== "OPERATION_REFUSED")).toEqual([]);
    expect(seen.length).toBeGreaterThanOrEqual(20);
  });

  it("leaves a store alone that somebody made since it was planned", async () => {
    await makeBackup(5);
    const plan = await planRestore(bed.path("a.backup"), target(1));
    await restoreInto(1, undefined, { group: "others" });
    const before = await inspectStore(bed.path("1"));
    await expect(restore(bed.path("a.backup"), plan, "ada", 1)).rejects.toMatchObject({ code: "OPERATION_REFUSED", message: expect.stringContaining("is not empty") as string });
    expect(await inspectStore(bed.path("1"))).toEqual(before);
  });

});
