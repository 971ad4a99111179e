/** The quorum policy `corosync` on real votequorum: three nodes, two nodes with and without fencing, and five of which two may be left over. */
import { afterEach, describe, expect, it } from "vitest";
import { untilMinority } from "./agreement.js";
import type { Cluster } from "./cluster.js";
import { eventually, patienceMs } from "./eventually.js";
import { ReplicaProcess } from "./replica-process.js";
import type { ReplicaSettings } from "./serve-replica.js";
import { quickTotem } from "./corosync-conf.js";
import { useCluster } from "./use-cluster.js";

const open: ReplicaProcess[] = [];
let groups = 0;

async function start(cluster: Cluster, quorum: NonNullable<ReplicaSettings["quorum"]>): Promise<ReplicaProcess[]> {
  groups++;
  const settings = { group: `quorum-${process.pid}-${groups}`, quorum };
  const replicas = await Promise.all(cluster.nodeIds.map((nodeId) => ReplicaProcess.open(cluster, nodeId, settings)));
  open.push(...replicas);
  return replicas;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((replica) => replica.kill()));
});

/** What becomes of the replica of a node that has become quorate. */
async function decided(replica: ReplicaProcess): Promise<string> {
  return eventually(async () => {
    const { role, reason } = await replica.call("inspect");
    return role === "active" || reason?.startsWith("quorate") === true ? `${role}: ${String(reason)}` : undefined;
  }, { what: `replica ${replica.nodeId} to decide`, details: async () => JSON.stringify(await replica.call("inspect")) });
}

describe("the quorum policy corosync on three nodes", () => {
  const cluster = useCluster({ totem: quickTotem });

  it("commits with the votes of the quorate side, refuses on the other, and takes it back", async () => {
    const [one, two, three] = await start(cluster(), "corosync");
    if (one === undefined || two === undefined || three === undefined) throw new Error("three replicas were started");
    for (const replica of [one, two, three]) await replica.call("ready", patienceMs);
    expect(await one.call("note", "before")).toBe(1);
    await cluster().cut(3);
    await untilMinority(three, /not quorate/);
    await one.call("ready", patienceMs);
    expect(await one.call("note", "meanwhile")).toBe(1);
    expect(await two.call("timesOf", "meanwhile")).toBe(1);
    await cluster().heal(3);
    await three.call("ready", patienceMs);
    expect(await three.call("timesOf", "meanwhile")).toBe(1);
    expect(await three.call("note", "after")).toBe(1);
  });

  it("does not go on where an operator has said that one vote is enough, while the others go on", async () => {
    const [one, two, three] = await start(cluster(), "corosync");
    if (one === undefined || two === undefined || three === undefined) throw new Error("three replicas were started");
    for (const replica of [one, two, three]) await replica.call("ready", patienceMs);
    await cluster().separate([[1, 2], [3]]);
    await untilMinority(three, /not quorate/);
    await one.call("ready", patienceMs);
    expect(await one.call("note", "meanwhile")).toBe(1);
    await cluster().node(3).namespace.run("corosync-quorumtool", ["-e", "1"], { anyExitCode: true });
    await eventually(async () => (await cluster().node(3).status()).quorate, { what: "node 3 to be quorate alone" });
    expect(await decided(three)).toMatch(/^minority: .*fewer votes are enough than before/);
    await cluster().heal();
    await three.call("ready", patienceMs);
    expect(await three.call("timesOf", "meanwhile")).toBe(1);
  });
});

describe("the quorum policy corosync on two nodes with two_node", () => {
  const cluster = useCluster({ nodes: 2, totem: quickTotem, quorum: { two_node: 1 } });

  it("is refused without fencing, with what to do about it", async () => {
    const [one] = await start(cluster(), "corosync");
    if (one === undefined) throw new Error("two replicas were started");
    await untilMinority(one, /two_node.*fenced/);
  });

  it("goes on with one node where the other is fenced, and brings that up to date when it is back", async () => {
    const [one, two] = await start(cluster(), { policy: "corosync", twoNode: "fenced" });
    if (one === undefined || two === undefined) throw new Error("two replicas were started");
    await Promise.all([one, two].map((replica) => replica.call("ready", patienceMs)));
    expect(await two.call("note", "both")).toBe(1);
    // What fencing does to a node: power off, then on.
    await two.kill();
    await cluster().node(2).killDaemon();
    await eventually(async () => (await one.call("note", "alone").catch(() => 0)) > 0, { what: "the surviving node to commit alone", details: async () => JSON.stringify(await one.call("inspect")) });
    cluster().node(2).startDaemon();
    await cluster().waitForRing([1, 2]);
    const back = await ReplicaProcess.open(cluster(), 2, { group: (await one.call("inspect")).group, quorum: { policy: "corosync", twoNode: "fenced" } });
    open.push(back);
    await back.call("ready", patienceMs);
    expect(await back.call("timesOf", "both")).toBe(1);
    expect(await back.call("timesOf", "alone")).toBeGreaterThanOrEqual(1);
  });
});

describe("the quorum policy corosync on five nodes with last_man_standing", () => {
  const cluster = useCluster({ nodes: 5, totem: quickTotem, quorum: { last_man_standing: 1, last_man_standing_window: 500 } });

  it("goes on with two that are left, and never with the other three, however quorate their nodes are", async () => {
    const replicas = await start(cluster(), "corosync");
    const [one, two, three, four, five] = replicas;
    if (one === undefined || two === undefined || three === undefined || four === undefined || five === undefined) throw new Error("five replicas were started");
    for (const replica of replicas) await replica.call("ready", patienceMs);
    await cluster().separate([[1, 2, 3], [4, 5]]);
    await eventually(async () => (await quorumTool(1)).includes("Quorum:           2"), { what: "two of the three to be enough", details: () => quorumTool(1) });
    await cluster().separate([[1, 2], [3], [4, 5]]);
    await untilMinority(three);
    await eventually(async () => (await one.call("note", "of two").catch(() => 0)) > 0, { what: "two nodes to go on", details: async () => JSON.stringify(await one.call("inspect")) });
    await cluster().separate([[1, 2], [3, 4, 5]]);
    await eventually(async () => (await cluster().node(4).status()).quorate, { what: "the other three to be quorate", details: () => quorumTool(4) });
    expect(await decided(four)).toMatch(/^minority: .*last_man_standing/);
    expect(await two.call("note", "still of two")).toBe(1);
    await cluster().heal();
    for (const replica of replicas) await replica.call("ready", patienceMs);
    expect(await five.call("timesOf", "of two")).toBeGreaterThanOrEqual(1);
    expect(await five.call("timesOf", "still of two")).toBe(1);
  });

  async function quorumTool(nodeId: number): Promise<string> {
    return cluster().node(nodeId).namespace.run("corosync-quorumtool", ["-s"], { anyExitCode: true });
  }
});
