/** The quorum policy `corosync` on two nodes and a real quorum device (corosync-qnetd): who goes on when they part, and that nothing answered is lost. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { acknowledgedBy, allReady, expectAgreement, untilMinority } from "../cluster/agreement.js";
import { quickTotem } from "../cluster/corosync-conf.js";
import { eventually, patienceMs } from "../cluster/eventually.js";
import { QuorumDevice } from "../cluster/quorum-device.js";
import { ReplicaProcess } from "../cluster/replica-process.js";
import type { LoadResult } from "../cluster/serve-replica.js";
import { useCluster } from "../cluster/use-cluster.js";

const cluster = useCluster({ nodes: 2, totem: quickTotem, device: true });
let device: QuorumDevice | undefined;
let replicas = new Map<number, ReplicaProcess>();
let group = "";
let groups = 0;

async function startReplica(nodeId: number): Promise<ReplicaProcess> {
  const replica = await ReplicaProcess.open(cluster(), nodeId, { group, quorum: "corosync" });
  replicas.set(nodeId, replica);
  return replica;
}

async function startGroup(): Promise<readonly [ReplicaProcess, ReplicaProcess]> {
  groups++;
  group = `device-${process.pid}-${groups}`;
  const started = await Promise.all([startReplica(1), startReplica(2)] as const);
  await allReady(started);
  return started;
}

async function startLoad(replica: ReplicaProcess): Promise<void> {
  await replica.call("startLoad", `n${replica.nodeId}-${Math.random().toString(36).slice(2, 8)}`, 8);
}

/** What becomes of the replica of a node that is alone with the device's vote. */
async function decided(replica: ReplicaProcess): Promise<string> {
  await eventually(async () => (await cluster().node(replica.nodeId).status()).quorate, { what: `node ${replica.nodeId} to be quorate with the device` });
  return eventually(async () => {
    const { role, reason } = await replica.call("inspect");
    return role === "active" || reason?.includes("group's state") === true ? `${role}: ${String(reason)}` : undefined;
  }, { what: `replica ${replica.nodeId} to decide`, details: async () => JSON.stringify(await replica.call("inspect")) });
}

/** The replica goes on without the other, and answers a command. */
async function untilAlone(replica: ReplicaProcess): Promise<void> {
  await eventually(async () => (await replica.call("note", "alone").catch(() => 0)) > 0, { what: "the other to go on alone", details: async () => JSON.stringify(await replica.call("inspect")) });
}

/** Though it has the device's vote; then it takes over what the other has answered. */
async function refusesUntilTheyMeet(replica: ReplicaProcess, both: readonly ReplicaProcess[]): Promise<void> {
  expect(await decided(replica)).toMatch(/^minority/);
  await cluster().heal();
  await allReady(both);
  expect(await replica.call("timesOf", "alone")).toBeGreaterThanOrEqual(1);
  await expectAgreement(both, []);
}

async function stopLoads(loaded: readonly ReplicaProcess[]): Promise<LoadResult[]> {
  return Promise.all(loaded.map((replica) => replica.call("stopLoad")));
}

beforeEach(async () => {
  device ??= new QuorumDevice(cluster());
  await device.start();
});

afterEach(async () => {
  await Promise.all(Array.from(replicas.values(), (replica) => replica.kill()));
  replicas = new Map();
});

describe("two replicas and a quorum device", () => {
  it.each([[1, 2], [2, 1]] as const)("go on through node %i when node %i is cut off from everything, and lose nothing", async (stays, goes) => {
    const started = await startGroup();
    await Promise.all(started.map(startLoad));
    const [staying, going] = [replicas.get(stays), replicas.get(goes)];
    if (staying === undefined || going === undefined) throw new Error("two replicas were started");
    await acknowledgedBy(going, 100);
    await cluster().cut(goes);
    await untilMinority(going, /not quorate/);
    await acknowledgedBy(staying, 100);
    await cluster().heal(goes);
    await going.call("ready", patienceMs);
    await acknowledgedBy(going, 50);
    await expectAgreement(started, await stopLoads(started));
  });

  it("go on through the node which the device chooses, and only that, when they no longer hear each other", async () => {
    const started = await startGroup();
    const [one, two] = started;
    await Promise.all(started.map(startLoad));
    await acknowledgedBy(two, 100);
    await cluster().separate([[1], [2]]);
    // Of two halves, by its rule, that with the lowest node.
    await untilMinority(two, /not quorate/);
    await acknowledgedBy(one, 100);
    expect((await two.call("inspect")).role).toBe("minority");
    await cluster().heal();
    await two.call("ready", patienceMs);
    await expectAgreement(started, await stopLoads(started));
  });

  it.each([[1, 2], [2, 1]] as const)("go on through node %i when node %i dies, and take it back", async (stays, dies) => {
    const started = await startGroup();
    const [staying, dying] = [replicas.get(stays), replicas.get(dies)];
    if (staying === undefined || dying === undefined) throw new Error("two replicas were started");
    await Promise.all(started.map(startLoad));
    await acknowledgedBy(dying, 100);
    await Promise.all([dying.kill(), cluster().node(dies).killDaemon()]);
    await acknowledgedBy(staying, 100);
    cluster().node(dies).startDaemon();
    await cluster().waitForRing([1, 2]);
    await device?.start();
    await startReplica(dies);
    await expectAgreement(Array.from(replicas.values()), await stopLoads([staying]));
  });

  it("go on together without the device, and not alone", async () => {
    const started = await startGroup();
    const [one, two] = started;
    await device?.killArbiter();
    await Promise.all(started.map(startLoad));
    await acknowledgedBy(one, 100);
    await acknowledgedBy(two, 100);
    await cluster().cut(2);
    await untilMinority(one, /not quorate/);
    await untilMinority(two, /not quorate/);
    await cluster().heal();
    await expectAgreement(started, await stopLoads(started));
  });

  it("do not go on through a replica that was frozen while the other went on without it, though the device is with it then", async () => {
    const started = await startGroup();
    const [one, two] = started;
    two.process.kill("SIGSTOP");
    // Node 1 and the device have two votes of three.
    await untilAlone(one);
    await cluster().cut(1);
    await untilMinority(one, /not quorate/);
    two.process.kill("SIGCONT");
    await refusesUntilTheyMeet(two, started);
  });

  it.each([["awake", false], ["frozen", true]] as const)("do not go on through one that was cut off, %s, while the other went on, though the device is with it and the other gone", async (_how, frozen) => {
    const started = await startGroup();
    const [one, two] = started;
    if (frozen) two.process.kill("SIGSTOP");
    await cluster().cut(2);
    await eventually(async () => !(await cluster().node(2).status()).quorate, { what: "node 2 to be without quorum" });
    await untilAlone(one);
    await cluster().cut(1);
    await untilMinority(one);
    await cluster().heal(2);
    await eventually(async () => (await cluster().node(2).status()).quorate, { what: "node 2 to be quorate with the device" });
    // It hears at once that quorum was lost and is back.
    if (frozen) two.process.kill("SIGCONT");
    await refusesUntilTheyMeet(two, started);
  });
});
