/** What docs/cluster.md tells operators about two nodes and frozen processes, on real Corosync nodes. */
import type { QuorumOption } from "@lockstep/framework";
import { afterEach, describe, expect, it } from "vitest";
import { eventually } from "./eventually.js";
import { ReplicaProcess } from "./replica-process.js";
import { quickTotem, useCluster } from "./use-cluster.js";

const readyMs = 20_000;
const testMs = 90_000;
let replicas: ReplicaProcess[] = [];
let groups = 0;

afterEach(async () => {
  await Promise.all(replicas.map((replica) => replica.kill()));
  replicas = [];
});

async function startGroup(cluster: ReturnType<ReturnType<typeof useCluster>>, nodes: readonly number[], quorum: QuorumOption): Promise<ReplicaProcess[]> {
  groups++;
  const settings = { group: `operations-${process.pid}-${groups}`, quorum };
  replicas = await Promise.all(nodes.map((nodeId) => ReplicaProcess.open(cluster, nodeId, settings)));
  return replicas;
}

async function becomes(replica: ReplicaProcess, role: string): Promise<string | undefined> {
  const what = `replica ${replica.nodeId} to be ${role}`;
  const seen = await eventually(async () => {
    const inspection = await replica.call("inspect");
    return inspection.role === role ? inspection : undefined;
  }, { what, timeoutMs: readyMs, details: async () => JSON.stringify(await replica.call("inspect")) });
  return seen.reason;
}

describe("two nodes with two_node: 1", () => {
  const cluster = useCluster({ nodes: 2, totem: quickTotem, quorum: { two_node: 1 } });

  it("take no write, and say why, unless the application says that nodes are fenced", async () => {
    const [one] = await startGroup(cluster(), [1, 2], "corosync");
    if (one === undefined) throw new Error("two replicas were started");
    const reason = await eventually(async () => {
      const inspection = await one.call("inspect");
      return inspection.role === "minority" && inspection.reason?.includes("two_node") === true ? inspection.reason : undefined;
    }, { what: "the reason to name two_node", timeoutMs: readyMs, details: async () => JSON.stringify(await one.call("inspect")) });
    expect(reason).toContain("fenced");
    await expect(one.call("note", "a")).rejects.toThrow("two_node");
  }, testMs);

  it("go on with one node when the other has gone, and lose nothing, if they are fenced", async () => {
    const fenced = { policy: "corosync", twoNode: "fenced" } as const;
    const [one, two] = await startGroup(cluster(), [1, 2], fenced);
    if (one === undefined || two === undefined) throw new Error("two replicas were started");
    await Promise.all([one.call("ready", readyMs), two.call("ready", readyMs)]);
    expect(await two.call("note", "a", "request-1")).toBe(1);
    await cluster().node(2).killDaemon();
    await eventually(async () => (await one.call("inspect")).members.length === 1, { what: "replica 1 to be alone", timeoutMs: readyMs, details: async () => JSON.stringify(await one.call("inspect")) });
    await one.call("ready", readyMs);
    expect(await one.call("timesOf", "a")).toBe(1);
    expect(await one.call("note", "b")).toBe(1);
    cluster().node(2).startDaemon();
    await cluster().waitForRing([1, 2]);
    await two.call("ready", readyMs);
    expect(await two.call("timesOf", "b")).toBe(1);
  }, testMs);
});

describe("three nodes", () => {
  const cluster = useCluster({ totem: quickTotem });

  it.each(["majority", "corosync"] as const)("go on without a replica that is frozen, and take it back, with the policy %s", async (quorum) => {
    const [one, two, three] = await startGroup(cluster(), [1, 2, 3], quorum);
    if (one === undefined || two === undefined || three === undefined) throw new Error("three replicas were started");
    await Promise.all(replicas.map((replica) => replica.call("ready", readyMs)));
    three.process.kill("SIGSTOP");
    try {
      await one.call("startLoad", "one", 4);
      await eventually(async () => (await one.call("acknowledged")) >= 20, { what: "20 acknowledgements without replica 3", timeoutMs: readyMs, details: async () => JSON.stringify(await one.call("inspect")) });
    } finally {
      three.process.kill("SIGCONT");
    }
    const { acknowledged } = await one.call("stopLoad");
    await becomes(three, "active");
    await eventually(async () => (await three.call("effectsOf", acknowledged)).every((times) => times === 1), { what: "replica 3 to hold every acknowledged command, once", timeoutMs: readyMs, details: async () => JSON.stringify(await three.call("inspect")) });
  }, testMs);
});
