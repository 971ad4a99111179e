/**
 * The same promises as everywhere, on three real Corosync nodes with real faults: after each of them all replicas hold
 * the same state, every acknowledged command is in it once, every unknown one at most once, every refused one not.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { acknowledgedBy, allReady, expectAgreement, untilMinority } from "./agreement.js";
import { eventually, patienceMs } from "./eventually.js";
import { ReplicaProcess } from "./replica-process.js";
import type { LoadResult, ReplicaSettings } from "./serve-replica.js";
import { quickTotem } from "./corosync-conf.js";
import { useCluster } from "./use-cluster.js";

const nodes = [1, 2, 3] as const;
const cluster = useCluster({ totem: quickTotem });
let replicas = new Map<number, ReplicaProcess>();
const directory = mkdtempSync(join(tmpdir(), "lockstep-diaries-"));
let groups = 0;
let settings: ReplicaSettings = { group: "none" };

async function startReplica(nodeId: number): Promise<ReplicaProcess> {
  const replica = await ReplicaProcess.open(cluster(), nodeId, settings);
  replicas.set(nodeId, replica);
  return replica;
}

async function startGroup(limits: ReplicaSettings["limits"] = {}): Promise<ReplicaProcess[]> {
  groups++;
  settings = { group: `journal-${process.pid}-${groups}`, limits };
  const started = await Promise.all(nodes.map((nodeId) => startReplica(nodeId)));
  await allReady(started);
  return started;
}

afterEach(async () => {
  await Promise.all(Array.from(replicas.values(), (replica) => replica.kill()));
  replicas = new Map();
});

afterAll(() => { rmSync(directory, { recursive: true }); });

async function startLoads(clients = 8): Promise<void> {
  await Promise.all(Array.from(replicas.values(), (replica) => replica.call("startLoad", `n${replica.nodeId}-${Math.random().toString(36).slice(2, 8)}`, clients)));
}

async function stopLoads(): Promise<LoadResult[]> {
  return Promise.all(Array.from(replicas.values(), (replica) => replica.call("stopLoad")));
}

describe("three replicas on three Corosync nodes", () => {
  it("apply the commands of all three in one order", async () => {
    const started = await startGroup();
    await startLoads(16);
    for (const replica of started) await acknowledgedBy(replica, 500);
    await expectAgreement(Array.from(replicas.values()), await stopLoads());
  });

  it("answer typed commands, refusals and repeated requests alike through every replica", async () => {
    const [one, two, three] = await startGroup();
    for (const replica of replicas.values()) expect(await replica.call("noteUntyped", { id: 1 }), "an input that is none").toBe("INVALID_INPUT");
    expect(await one?.call("note", "a", "request-1")).toBe(1);
    expect(await two?.call("note", "a", "request-1"), "the first answer, not a second effect").toBe(1);
    expect(await three?.call("timesOf", "a")).toBe(1);
    expect(await three?.call("refuse", "because")).toEqual({ code: "REJECTED", details: { code: "refused", details: { why: "because" } } });
    await expectAgreement(Array.from(replicas.values()), []);
  });

  it("bring a joiner up to a state of 50 MB by snapshot while three clients write", async () => {
    const [one, two, three] = await startGroup({ logRetentionBytes: 1 });
    await one?.call("fill", 50);
    await three?.kill();
    replicas.delete(3);
    await one?.call("startLoad", "one", 2);
    await two?.call("startLoad", "two", 1);
    if (one === undefined || two === undefined) throw new Error("three replicas were started");
    await acknowledgedBy(one, 50);
    const joiner = await startReplica(3);
    await Promise.all([joiner.call("ready", 3 * patienceMs), acknowledgedBy(two, 100)]);
    const loads = await Promise.all([one.call("stopLoad"), two.call("stopLoad")]);
    await expectAgreement(Array.from(replicas.values()), loads);
    expect((await joiner.call("holding")).ballast).toBe(50_000);
    // Replayed, the commands that made it are a few kilobytes.
    expect((await joiner.call("inspect")).totals.transferBytesTaken).toBeGreaterThan(50_000_000);
  });

  it("lose nothing when a replica is killed, and take it back", async () => {
    const [one, two, three] = await startGroup();
    if (one === undefined || two === undefined || three === undefined) throw new Error("three replicas were started");
    const diary = join(directory, settings.group);
    await one.call("startLoad", "one", 8);
    await two.call("startLoad", "two", 8);
    await three.call("startLoad", "three", 8, diary);
    await acknowledgedBy(three, 100);
    await three.kill();
    replicas.delete(3);
    await acknowledgedBy(one, 200);
    await startReplica(3);
    await replicas.get(3)?.call("ready", patienceMs);
    await acknowledgedBy(two, 200);
    const toldBeforeDeath = { acknowledged: readFileSync(diary, "utf8").trimEnd().split("\n"), unknown: [], refused: [], longestGapMs: 0 };
    expect(toldBeforeDeath.acknowledged.length).toBeGreaterThanOrEqual(100);
    await expectAgreement(Array.from(replicas.values()), [toldBeforeDeath, ...(await Promise.all([one.call("stopLoad"), two.call("stopLoad")]))]);
    // Those of the dead clients' that had no answer among them.
    expect((await one.call("holding")).repeated).toEqual([]);
  });

  it("lose nothing when a daemon is killed; its replica comes back by itself with the daemon", async () => {
    const [one, , three] = await startGroup();
    if (one === undefined || three === undefined) throw new Error("three replicas were started");
    await startLoads();
    await acknowledgedBy(three, 100);
    await cluster().node(3).killDaemon();
    await acknowledgedBy(one, 200);
    cluster().node(3).startDaemon();
    await cluster().waitForRing(nodes);
    await three.call("ready", patienceMs);
    await acknowledgedBy(three, 50);
    await expectAgreement(Array.from(replicas.values()), await stopLoads());
  });

  it("lose nothing when a minority is cut off: it refuses, the majority goes on, and it catches up when it is back", async () => {
    const [one, , three] = await startGroup();
    if (one === undefined || three === undefined) throw new Error("three replicas were started");
    for (let round = 0; round < 3; round++) {
      await startLoads();
      await acknowledgedBy(three, 100);
      await cluster().cut(3);
      await eventually(async () => (await three.call("inspect")).role === "minority", { what: "the cut replica to know that it is in a minority" });
      await acknowledgedBy(one, 100);
      await cluster().heal(3);
      await three.call("ready", patienceMs);
      await acknowledgedBy(three, 50);
      await expectAgreement(Array.from(replicas.values()), await stopLoads());
    }
  });

  it("lose nothing when all are cut from each other: nobody writes until two are together", async () => {
    const [one, two] = await startGroup();
    if (one === undefined || two === undefined) throw new Error("three replicas were started");
    for (let round = 0; round < 3; round++) {
      await startLoads();
      await acknowledgedBy(one, 100);
      // The token goes from 1 to 2 to 3. Heard by neither in the end, node 1 has it once more: what it sends then, if anything waits, comes
      // back to itself alone, and the others go on without it.
      for (const to of [3, 2]) await cluster().block({ from: 1, to });
      await cluster().separate([[1], [2], [3]]);
      for (const replica of replicas.values()) await untilMinority(replica);
      await cluster().separate([[1], [2, 3]]);
      await acknowledgedBy(two, 100);
      await cluster().heal();
      await acknowledgedBy(one, 100);
      await expectAgreement(Array.from(replicas.values()), await stopLoads());
    }
  });
});
