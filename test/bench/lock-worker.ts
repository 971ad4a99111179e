/** Clients of one lock service, in one process on a node of a cluster: each takes a lock, gives it back, and begins again. Speaks lines of JSON. */
import { createInterface } from "node:readline";
import { eventually } from "../cluster/eventually.js";
import { closedLoop, forSeconds } from "./closed-loop.js";
import { EtcdLocks, LockstepLocks, type Locks } from "./lock-clients.js";
import { ZookeeperLocks, zookeeperMode } from "./zookeeper.js";

export interface LockOrder {
  readonly seconds: number;
  readonly clients: number;
  /** All take the same lock; else each has its own. */
  readonly contended: boolean;
}

/** From the beginning: no line is lost that comes while the servers start. */
const orders = createInterface({ input: process.stdin });
const startTimeoutMs = 60_000;
const [kind = "", portText = "0", ...hosts] = process.argv.slice(2);
const port = Number(portText);
const all = await Promise.all(hosts.map((_, index) => eventually(() => open(index), { what: `${kind} on ${hosts[index] ?? ""} to give locks`, timeoutMs: startTimeoutMs })));
const best = all[await eventually(findBest, { what: `${kind} to have a leader`, timeoutMs: startTimeoutMs })];
if (best === undefined) throw new Error("there is no server");
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);

for await (const line of orders) {
  const { clients, contended, seconds } = JSON.parse(line) as LockOrder;
  const measured = await closedLoop(clients, forSeconds(seconds), async (client) => {
    const locks = clients === 1 ? best : (all[client % all.length] as Locks);
    const release = await locks.acquire(contended ? "one" : `own-${client}`);
    await release();
  });
  process.stdout.write(`${JSON.stringify(measured)}\n`);
}
await Promise.all(all.map((locks) => locks.close()));

function open(index: number): Promise<Locks> {
  const host = hosts[index] ?? "";
  if (kind === "etcd") return EtcdLocks.open(host, port);
  if (kind === "zookeeper") return ZookeeperLocks.open(host, port);
  return LockstepLocks.open([...hosts.slice(index), ...hosts.slice(0, index)].map((each) => `http://${each}:${port}`));
}

/** For a single client: the leader, where there is one; else the server on its own node, which is the first. */
async function findBest(): Promise<number | undefined> {
  if (kind !== "etcd" && kind !== "zookeeper") return 0;
  const leads = await Promise.all(hosts.map(async (host) => (kind === "zookeeper" ? (await zookeeperMode(host, port)) === "leader" : etcdLeads(host))));
  const leader = leads.indexOf(true);
  return leader === -1 ? undefined : leader;
}

async function etcdLeads(host: string): Promise<boolean> {
  return /^etcd_server_is_leader 1$/m.test(await (await fetch(`http://${host}:${port}/metrics`)).text());
}
