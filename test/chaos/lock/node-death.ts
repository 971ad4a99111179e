/**
 * How long nobody has a lock after its holder's node died: daemon, server and client killed at one instant, while one on another node waits. A session that is bound
 * to its replica ends when Corosync has given up the node; another one when its lease is over.
 */
import { eventually } from "../../cluster/eventually.js";
import { quickTotem } from "../../cluster/corosync-conf.js";
import type { Cluster } from "../../cluster/cluster.js";
import type { Fleet } from "../fleet.js";
import type { PlannedFault } from "../fault.js";
import type { Nemesis } from "../nemesis.js";
import type { Crowd } from "./crowd.js";
import { lockServer } from "./lock-server.js";

export interface NodeDeath {
  readonly node: number;
  readonly bound: boolean;
  readonly ttlMs: number;
  /** From the kill until the one who waited knew that it has the lock. */
  readonly toNextGrantMs: number;
  /** What it may be: see limitMs(). */
  readonly limitMs: number;
}

export interface NodeDeathOptions {
  readonly cluster: Cluster;
  readonly fleet: Fleet;
  readonly crowd: Crowd;
  /** Whose nodeDies is crowd.killOn(). */
  readonly nemesis: Nemesis;
}

const patienceMs = 60_000;
const boundTtlMs = 600_000;
const leaseTtlMs = 3_000;

/** As Corosync computes them from what it is configured with: corosync.conf(5), token_coefficient and consensus. */
function corosyncTimeouts(nodes: number): { readonly tokenMs: number; readonly consensusMs: number } {
  const { token, token_coefficient: coefficient } = quickTotem as { readonly token: number; readonly token_coefficient: number };
  const tokenMs = token + Math.max(0, nodes - 2) * coefficient;
  return { tokenMs, consensusMs: 1.2 * tokenMs };
}

/** Noticing the silence, agreeing on who is left, and a second for all that we do then. A lease ends in cluster time, which stands still meanwhile. */
export function limitMs(nodes: number, { ttlMs, bound }: { readonly ttlMs: number; readonly bound: boolean }): number {
  const { tokenMs, consensusMs } = corosyncTimeouts(nodes);
  return tokenMs + consensusMs + 1_000 + (bound ? 0 : ttlMs);
}

/** The cluster is at rest before, and is mended afterwards. */
export async function killHoldersNode({ cluster, fleet, crowd, nemesis }: NodeDeathOptions, node: number, bound: boolean): Promise<NodeDeath> {
  const ttlMs = bound ? boundTtlMs : leaseTtlMs;
  const elsewhere = cluster.nodeIds.find((other) => other !== node) ?? node;
  const [holder, waiter] = await Promise.all([crowd.open(node, { ttlMs, bound }), crowd.open(elsewhere, { ttlMs: 15_000, bound: false })]);
  const lock = `death-of-${node}-${bound ? "bound" : "lease"}`;
  await holder.process.call("acquire", lock);
  const next = waiter.process.call("acquire", lock);
  await eventually(async () => (await lockServer(fleet, elsewhere)?.call("dump"))?.waiting === 1, { what: "one to wait for the lock", timeoutMs: patienceMs });
  const death: PlannedFault = { startMs: 0, endMs: 0, fault: { kind: "killNode", node } };
  await nemesis.start(death);
  const diedAt = crowd.diedAt(node);
  if (diedAt === undefined) throw new Error(`node ${node} was not killed: ${nemesis.timeline.at(-1)?.what ?? ""}`);
  const { at } = await next;
  await waiter.process.call("close");
  await waiter.process.kill();
  await nemesis.end(death);
  await cluster.waitForRing(cluster.nodeIds);
  await allActive(fleet);
  return { node, bound, ttlMs, toNextGrantMs: at - diedAt, limitMs: limitMs(cluster.nodeIds.length, { ttlMs, bound }) };
}

export async function allActive(fleet: Fleet): Promise<void> {
  await eventually(async () => {
    const looked = await Promise.all(fleet.nodeIds.map((nodeId) => fleet.look(nodeId)));
    return looked.every(Boolean) && fleet.nodeIds.every((nodeId) => fleet.life(nodeId)?.status?.active === true);
  }, { what: "all replicas to be active", timeoutMs: patienceMs, details: () => JSON.stringify(fleet.nodeIds.map((nodeId) => fleet.life(nodeId)?.status)) });
}
