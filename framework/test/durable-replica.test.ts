/** Replicas on disks: what was acknowledged is there after all of them have stopped, whoever comes back first. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createReplica } from "../src/create-replica.js";
import { defineMachine } from "../src/machine/define-machine.js";
import { memory, MemoryNetwork } from "../src/transport/memory/index.js";
import { eventually } from "./support/eventually.js";
import { TestGroup, counters, quickLimits, renewable, type TestReplica } from "./support/test-group.js";

let directory: string;
let group: TestGroup;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lockstep-durable-"));
  group = new TestGroup(3);
});
afterEach(async () => {
  await group.stop();
  rmSync(directory, { recursive: true, force: true });
});

function start(nodeId: number, limits = {}): Promise<TestReplica> {
  return group.start(nodeId, { durability: "disk", directory: join(directory, String(nodeId)), limits });
}

async function startAll(limits = {}): Promise<TestReplica[]> {
  const replicas = await Promise.all(group.network.nodes.map((nodeId) => start(nodeId, limits)));
  await Promise.all(replicas.map((replica) => replica.ready()));
  return replicas;
}

/** All are gone at once: nothing is left in memory. */
async function stopAll(): Promise<void> {
  await group.stop();
  group = new TestGroup(3);
}

describe("durable replicas", () => {
  it("have everything that was acknowledged after all of them have stopped", async () => {
    const replicas = await startAll();
    for (let round = 0; round < 10; round++) await Promise.all(replicas.map((replica, index) => replica.submit.add({ key: `key ${index}`, by: 1 }, { requestId: `${round}-${index}` })));
    await stopAll();
    const again = await startAll();
    for (const [index, replica] of again.entries()) expect(await replica.query.total(`key ${index}`, { consistency: "linearizable" })).toBe(10);
    // What answered a request once is remembered as well.
    expect(await again[0]?.submit.add({ key: "key 0", by: 1 }, { requestId: "9-0" })).toBe(10);
    expect(await again[1]?.submit.add({ key: "key 0", by: 1 })).toBe(11);
  });

  it("are ready when what their disks held is applied, and not before", async () => {
    const [first] = await startAll();
    for (let n = 0; n < 20; n++) await first?.submit.add({ key: "x", by: 1 });
    // It depends on which disk is first: once would show little.
    for (let round = 0; round < 12; round++) {
      await stopAll();
      const seen: (number | undefined)[] = [];
      await Promise.all(group.network.nodes.map(async (nodeId) => {
        const replica = await start(nodeId);
        await replica.ready();
        seen.push(replica.state.values.get("x"));
      }));
      expect(seen, `round ${round}`).toEqual([20, 20, 20]);
    }
  });

  it("are not active, and take no commands, before what their disks held is applied", async () => {
    const [first] = await startAll();
    for (let n = 0; n < 20; n++) await first?.submit.add({ key: "x", by: 1 });
    await stopAll();
    const seen: unknown[] = [];
    const refused: unknown[] = [];
    await Promise.all(group.network.nodes.map(async (nodeId) => {
      const replica = await start(nodeId);
      const look = (role: string): void => {
        if (role === "active") seen.push(replica.state.values.get("x"));
        if (role === "synchronising") replica.submit.add({ key: "y", by: 1 }).catch((error: unknown) => refused.push(error));
      };
      look(replica.role);
      replica.onRoleChange(look);
      await replica.ready();
    }));
    expect(seen).toEqual([20, 20, 20]);
    expect(refused).not.toEqual([]);
    for (const error of refused) expect(error).toMatchObject({ code: "NOT_READY", outcome: "none" });
  });

  it("come back without one of them, and take it in when it comes", async () => {
    const [first] = await startAll();
    await first?.submit.add({ key: "x", by: 1 });
    await stopAll();
    const two = await start(2);
    await expect(two.ready({ timeoutMs: 300 })).rejects.toMatchObject({ code: "NOT_READY" });
    const three = await start(3);
    await Promise.all([two.ready(), three.ready()]);
    expect(await two.submit.add({ key: "x", by: 1 })).toBe(2);
    const one = await start(1);
    await one.ready();
    expect(await one.query.total("x", { consistency: "linearizable" })).toBe(2);
  });

  it("come back one by one in any order, with any of them missing, and take in the last one whenever it comes", async () => {
    const orders = [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] as const;
    const [first] = await startAll();
    await first?.submit.add({ key: "x", by: 1 });
    for (const [round, [one, other, missing]] of orders.entries()) {
      await stopAll();
      const early = await start(one);
      await eventually(() => early.role === "minority", "one alone to be a minority");
      await expect(early.submit.add({ key: "x", by: 1 })).rejects.toMatchObject({ code: "NOT_PRIMARY" });
      const second = await start(other);
      await Promise.all([early.ready(), second.ready()]);
      expect(await second.submit.add({ key: "x", by: 1 })).toBe(round * 2 + 2);
      const late = await start(missing);
      await late.ready();
      expect(await late.submit.add({ key: "x", by: 1 })).toBe(round * 2 + 3);
    }
  });

  it("replace the log by snapshots as it grows, and begin with the last one", async () => {
    const limits = { snapshotLogBytes: 2_000, snapshotSliceBytes: 200 };
    const [first] = await startAll(limits);
    for (let n = 0; n < 200; n++) await first?.submit.add({ key: `key ${n}`, by: n });
    await stopAll();
    const again = await startAll(limits);
    const one = again[0];
    if (one === undefined) throw new Error("there are three");
    for (let n = 0; n < 200; n++) expect(one.state.values.get(`key ${n}`)).toBe(n);
    expect(await one.submit.add({ key: "key 0", by: 1 })).toBe(1);
  });

  it("replace it again and again, also where more is applied during a snapshot than is kept in memory", async () => {
    const limits = { snapshotLogBytes: 5_000, snapshotSliceBytes: 400, logRetentionBytes: 1, unwrittenBytes: 1_000_000 };
    const replicas = await startAll(limits);
    const bases = new Set<number>();
    let going = true;
    const load = replicas.map(async (replica, index) => {
      for (let n = 0; going; n++) await replica.submit.add({ key: `key ${index} ${n % 100}`, by: 1 });
    });
    await eventually(() => {
      for (const replica of replicas) bases.add(replica.inspect().disk?.base ?? 0);
      return replicas.every((replica) => (replica.inspect().disk?.base ?? 0) > 600);
    }, "the log on each disk to begin later several times");
    going = false;
    await Promise.all(load);
    expect(bases.size).toBeGreaterThan(replicas.length * 2);
  });

  it("have no events of before a restart that their disk does not tell, say so, and go on with those that come", async () => {
    const [first] = await startAll({ snapshotLogBytes: 500, snapshotSliceBytes: 200 });
    for (let n = 0; n < 60; n++) await first?.submit.add({ key: "x", by: 1 });
    await eventually(() => (first?.inspect().disk?.base ?? 0) > 5, "the log on disk to begin later");
    await stopAll();
    const [again] = await Promise.all(group.network.nodes.map((nodeId) => start(nodeId)));
    if (again === undefined) throw new Error("there are three");
    const early = again.events().next();
    await again.ready();
    await expect(again.events({ from: 1 }).next()).rejects.toMatchObject({ code: "EVENTS_TRIMMED" });
    const { positions } = again.inspect();
    const late = again.events({ from: positions.applied + 1 }).next();
    await again.submit.add({ key: "y", by: 1 });
    expect((await late).value).toMatchObject({ command: "add", input: { key: "y", by: 1 } });
    expect((await early).value).toMatchObject({ command: "add" });
  });

  it("take in a member while they work on, however much comes while it writes the state down", async () => {
    const [first, second, third] = await startAll({ logRetentionBytes: 1, incrementalBytes: 1, snapshotLogBytes: 1e12 });
    if (first === undefined || second === undefined) throw new Error("there are three");
    for (let n = 0; n < 3_000; n += 100) await Promise.all(Array.from({ length: 100 }, (_, i) => first.submit.add({ key: `key ${n + i}`, by: 1 })));
    for (let n = 0; n < 3_000; n += 100) await Promise.all(Array.from({ length: 100 }, (_, i) => first.submit.add({ key: `key ${n + i}`, by: 1 })));
    await third?.stop();
    rmSync(join(directory, "3"), { recursive: true });
    let going = true;
    const load = [first, second].map(async (replica) => {
      while (going) await replica.submit.add({ key: "load", by: 1 });
    });
    const joiner = await start(3, { logRetentionBytes: 1, unwrittenBytes: 1, snapshotSliceBytes: 20 });
    await joiner.ready();
    expect(joiner.inspect().disk?.base).toBeGreaterThan(0);
    going = false;
    await Promise.all(load);
  });

  it("take a member whose disk was lost for a blank one, and give it the state", async () => {
    const [first] = await startAll();
    await first?.submit.add({ key: "x", by: 1 });
    await stopAll();
    rmSync(join(directory, "1"), { recursive: true });
    const again = await startAll();
    expect(await again[0]?.query.total("x", { consistency: "linearizable" })).toBe(1);
    await stopAll();
    const alone = await Promise.all([start(1), start(2)]);
    await Promise.all(alone.map((replica) => replica.ready()));
    expect(await alone[0]?.query.total("x", { consistency: "linearizable" })).toBe(1);
  });

  it("do not begin anew when the disks of a majority are gone, and say which", async () => {
    const [first] = await startAll();
    await first?.submit.add({ key: "x", by: 1 });
    await stopAll();
    for (const lost of ["1", "2"]) rmSync(join(directory, lost), { recursive: true });
    const again = await Promise.all([1, 2, 3].map((nodeId) => start(nodeId)));
    await eventually(() => again.every((replica) => replica.role === "minority" && /Slots 1, 2 have lost/.test(replica.inspect().reason ?? "")), "all to be a minority that says what was lost");
    await expect(again[0]?.submit.add({ key: "x", by: 1 })).rejects.toMatchObject({ code: "NOT_PRIMARY" });
  });

  it("refuse a directory that is in use, damaged, or another's, and change nothing in it", async () => {
    await startAll();
    await expect(start(1)).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await stopAll();
    const other = new MemoryNetwork({ nodes: 3 });
    const open = (nodeId: number, options: object) => createReplica(counters(), { group: "counters", transport: memory({ network: other, nodeId }), limits: quickLimits, durability: "disk", logger: { debug() {}, info() {}, warn() {}, error() {} }, ...options });
    await expect(open(2, { directory: join(directory, "1") })).rejects.toMatchObject({ code: "STORE_FOREIGN", message: expect.stringContaining("of node 1, not 2") as string });
    await expect(open(1, { group: "others", directory: join(directory, "1") })).rejects.toMatchObject({ code: "STORE_FOREIGN" });
    const file = readdirSync(join(directory, "2")).find((name) => name === "data.mdb");
    truncateSync(join(directory, "2", file ?? ""), 9_000);
    await expect(open(2, { directory: join(directory, "2") })).rejects.toMatchObject({ code: "STORE_DAMAGED" });
  });

  it("refuse what another version of the machine answered, whose log its handlers would make something else of, and leave it as it is", async () => {
    const open = (version: number, by: number) => createReplica(defineMachine({
      name: "steps", version, initialState: () => ({ n: 0 }), commands: (command) => ({ step: command((draft) => (draft.n += by)) }),
    }), { group: "steps", transport: memory(), limits: quickLimits, durability: "disk", directory, logger: { debug() {}, info() {}, warn() {}, error() {} } });
    const first = await open(1, 1);
    await first.ready();
    expect(await first.submit.step(undefined, { requestId: "a" })).toBe(1);
    await first.stop();
    await expect(open(2, 10)).rejects.toMatchObject({ code: "STORE_FOREIGN", message: expect.stringContaining("version 1 of machine \"steps\", not 2") as string });
    const again = await open(1, 1);
    await again.ready();
    expect(await again.submit.step(undefined, { requestId: "a" })).toBe(1);
    expect(again.state).toEqual({ n: 1 });
    await again.stop();
  });

  it("stop rather than come back as another node, whose store they do not have, and go on as the one they were", async () => {
    const options = (nodeId: number) => ({ durability: "disk", directory: join(directory, String(nodeId)) }) as const;
    const transport = renewable(group.network, 1, 3);
    const [one, two, three] = await Promise.all([group.start(1, { ...options(1), transport }), start(2), start(3)]);
    await Promise.all([one, two, three].map((replica) => replica.ready()));
    expect(await one.submit.add({ key: "x", by: 1 })).toBe(1);
    await three.stop();
    group.network.kill(1);
    await eventually(() => one.role === "stopped", "the one whose node has another id to stop");
    expect(await one.stopped).toMatchObject({ code: "CONFIGURATION_INVALID", message: expect.stringContaining("id was 1 and is 3 now") });
    await one.stop();
    group.network.start(1);
    const again = await start(1);
    await Promise.all([again.ready(), two.ready()]);
    expect(await again.submit.add({ key: "x", by: 1 })).toBe(2);
  });

  it("do not mix with replicas in memory", async () => {
    const [one] = await Promise.all([start(1), start(2)]);
    const inMemory = await group.start(3);
    expect(await inMemory.stopped).toMatchObject({ code: "MACHINE_MISMATCH", message: expect.stringContaining("durability memory instead of disk") as string });
    await eventually(() => one.role === "minority", "the others to wait for one that fits");
  });

  it("need a directory, and only if they are durable", async () => {
    await expect(group.start(1, { durability: "disk" })).rejects.toMatchObject({ code: "CONFIGURATION_INVALID" });
    await expect(group.start(1, { directory })).rejects.toMatchObject({ code: "CONFIGURATION_INVALID", message: expect.stringContaining("not \"memory\" with one") as string });
  });

  it("say what is in the way of their socket, and leave it there", async () => {
    mkdirSync(join(directory, "control"));
    await expect(group.start(1, { durability: "disk", directory })).rejects.toMatchObject({ code: "STORE_FAILED", message: expect.stringContaining("Move it away") as string });
    expect(readdirSync(join(directory, "control"))).toEqual([]);
  });
});
