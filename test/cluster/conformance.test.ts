/** The clustered transport keeps what every transport promises: three real nodes, a process for each member, real faults. */
import { fileURLToPath } from "node:url";
import { registerConformance } from "@lockstep/framework/conformance";
import type { ConformanceBed, ConformanceMember } from "@lockstep/framework/conformance";
import { afterAll, describe, expect, it } from "vitest";
import type { Cluster } from "./cluster.js";
import { RemoteMember } from "./remote-member.js";
import { quickTotem } from "./corosync-conf.js";
import { useCluster } from "./use-cluster.js";

const memberProgram = fileURLToPath(new URL("../dist/cluster/corosync-member.js", import.meta.url));

function clusterBed(cluster: () => Cluster): ConformanceBed {
  const processOf = (member: ConformanceMember): RemoteMember => member as RemoteMember;
  return {
    nodes: [1, 2, 3],
    tellsQuorum: true,
    // On a machine that is busy with other daemons too.
    timeoutMs: 60_000,
    open: async (nodeId) => new RemoteMember(cluster().node(nodeId).spawn(process.execPath, [memberProgram], { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" })),
    network: {
      cut: async (sides) => cluster().separate(sides),
      heal: async () => {
        await cluster().heal();
        await cluster().waitForRing(cluster().nodeIds);
      },
    },
    processes: {
      kill: async (member) => processOf(member).kill("SIGKILL"),
      freeze: async (member) => { processOf(member).process.kill("SIGSTOP"); },
      thaw: async (member) => { processOf(member).process.kill("SIGCONT"); },
    },
    nodeFaults: {
      kill: async (nodeId) => cluster().node(nodeId).killDaemon(),
      start: async (nodeId) => {
        cluster().node(nodeId).startDaemon();
        await cluster().waitForRing(cluster().nodeIds);
      },
    },
  };
}

const leftOut = registerConformance({ describe, it }, "corosync()", clusterBed(useCluster({ totem: quickTotem })));

afterAll(() => {
  expect(leftOut).toEqual([]);
});
