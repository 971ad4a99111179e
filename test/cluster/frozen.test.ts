/** On three real Corosync nodes, a replica whose process is frozen: still a member as far as Corosync knows, and silent. And one whose daemon is. */
import { afterEach, describe, expect, it } from "vitest";
import { acknowledgedBy, allReady, expectAgreement } from "./agreement.js";
import { eventually, patienceMs } from "./eventually.js";
import { ReplicaProcess } from "./replica-process.js";
import { quickTotem } from "./corosync-conf.js";
import { useCluster } from "./use-cluster.js";

let replicas: readonly ReplicaProcess[] = [];

afterEach(async () => {
  await Promise.all(replicas.map((replica) => replica.kill()));
  replicas = [];
});

function untilTrue(replica: ReplicaProcess, what: string, condition: () => Promise<boolean>): Promise<boolean> {
  return eventually(condition, { what, details: async () => JSON.stringify(await replica.call("inspect")) });
}

describe("three replicas", () => {
  const cluster = useCluster({ totem: quickTotem });

  it.each(["majority", "corosync"] as const)("go on without one that is frozen, and take it back, with the quorum policy %s", async (quorum) => {
    const group = `frozen-${process.pid}-${quorum}`;
    replicas = await Promise.all([1, 2, 3].map((nodeId) => ReplicaProcess.open(cluster(), nodeId, { group, quorum })));
    const [one, , three] = replicas;
    if (one === undefined || three === undefined) throw new Error("three replicas were started");
    await Promise.all(replicas.map((replica) => replica.call("ready", patienceMs)));

    three.process.kill("SIGSTOP");
    try {
      await one.call("startLoad", "one", 4);
      await untilTrue(one, "20 acknowledgements without replica 3", async () => (await one.call("acknowledged")) >= 20);
    } finally {
      three.process.kill("SIGCONT");
    }
    const { acknowledged } = await one.call("stopLoad");
    expect(acknowledged.length).toBeGreaterThanOrEqual(20);
    await three.call("ready", patienceMs);
    await untilTrue(three, "replica 3 to hold every acknowledged command, once", async () => (await three.call("effectsOf", acknowledged)).every((times) => times === 1));
  });

  it("take a second process of its node in its place, and not the frozen one beside it", async () => {
    const group = `second-${process.pid}`;
    replicas = await Promise.all([1, 2, 3].map((nodeId) => ReplicaProcess.open(cluster(), nodeId, { group })));
    const [one, , three] = replicas;
    if (one === undefined || three === undefined) throw new Error("three replicas were started");
    await Promise.all(replicas.map((replica) => replica.call("ready", patienceMs)));
    await expect(ReplicaProcess.open(cluster(), 3, { group })).rejects.toThrow(/SLOT_TAKEN|runs another replica/);

    three.process.kill("SIGSTOP");
    try {
      const second = await ReplicaProcess.open(cluster(), 3, { group });
      replicas = [...replicas, second];
      await second.call("ready", patienceMs);
    } finally {
      three.process.kill("SIGCONT");
    }
    await untilTrue(three, "replica 3 to stop", async () => (await three.call("inspect")).role === "stopped");
    await one.call("startLoad", "one", 2);
    await untilTrue(one, "20 acknowledgements with the second process", async () => (await one.call("acknowledged")) >= 20);
    await one.call("stopLoad");
    expect((await one.call("inspect")).activeSlots).toEqual([1, 2, 3]);
  });

  it("tell of a daemon that stands still: its replica is active no more, the others go on, and it is back when the daemon is", async () => {
    const group = `daemon-${process.pid}`;
    replicas = await Promise.all([1, 2, 3].map((nodeId) => ReplicaProcess.open(cluster(), nodeId, { group })));
    const [one, , three] = replicas;
    if (one === undefined || three === undefined) throw new Error("three replicas were started");
    await allReady(replicas);
    for (const replica of [one, three]) await replica.call("startLoad", `n${replica.nodeId}`, 2);
    await acknowledgedBy(three, 20);
    await cluster().node(3).pauseDaemon();
    await eventually(async () => {
      const { role, reason } = await three.call("inspect");
      return role === "changing" && reason?.includes("nothing comes from the group any more") === true;
    }, { what: "replica 3 not to call itself active", details: async () => JSON.stringify(await three.call("inspect")) });
    await acknowledgedBy(one, 50);
    cluster().node(3).resumeDaemon();
    await acknowledgedBy(three, 20);
    await expectAgreement(replicas, await Promise.all([one, three].map((replica) => replica.call("stopLoad"))));
  });
});
