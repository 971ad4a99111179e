/** Three replicas of the lock service on the nodes of a cluster. */
import { fileURLToPath } from "node:url";
import type { Cluster } from "../cluster/cluster.js";
import { nodeAddress } from "../cluster/corosync-conf.js";
import { Servers } from "./servers.js";

const program = fileURLToPath(new URL("../../../examples/lock-service/dist/cli/main.js", import.meta.url));

/** @param options.name Of the group, in this run. */
export function startLockServers(cluster: Cluster, { name, port, onDisk }: { readonly name: string; readonly port: number; readonly onDisk: boolean }): Servers {
  return Servers.start(cluster, `lock-${name}`, process.execPath, (nodeId, directory) => [
    program, "serve", "--transport", "corosync", "--group", `bench-lock-${name}-${process.pid}`, "--host", nodeAddress(nodeId), "--port", String(port),
    ...(onDisk ? ["--data", directory] : []),
  ]);
}
