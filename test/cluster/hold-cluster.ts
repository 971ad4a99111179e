/** Run by bed.test.ts as a process of its own: starts a cluster of one node, says where it is, and waits to be ended. */
import { Cluster } from "./cluster.js";

const cluster = await Cluster.start({ nodes: 1, totem: { token: 400 } });
console.log(JSON.stringify({ directory: cluster.directory, holders: cluster.nodeIds.map((nodeId) => cluster.node(nodeId).namespace.holder.pid) }));
setInterval(() => undefined, 60_000);
