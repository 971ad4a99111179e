/** A replica in a process on a node of a test cluster: what a test holds of it. The process runs serve-replica.ts. */
import { fileURLToPath } from "node:url";
import type { Cluster } from "./cluster.js";
import type { ReplicaServer, ReplicaSettings } from "./serve-replica.js";
import { ServedProcess } from "./served-process.js";

const program = fileURLToPath(new URL("../dist/cluster/serve-replica.js", import.meta.url));

export class ReplicaProcess extends ServedProcess<ReplicaServer> {
  readonly nodeId: number;

  constructor(cluster: Cluster, nodeId: number) {
    super(cluster.node(nodeId).spawn(process.execPath, [program], { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" }), `replica process ${nodeId}`);
    this.nodeId = nodeId;
  }

  static async open(cluster: Cluster, nodeId: number, settings: ReplicaSettings): Promise<ReplicaProcess> {
    const replica = new ReplicaProcess(cluster, nodeId);
    try {
      await replica.call("open", settings);
    } catch (error) {
      await replica.kill();
      throw error;
    }
    return replica;
  }
}
