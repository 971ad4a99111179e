/**
 * Durable writes beside etcd's: three servers of each kind on the same nodes and the same disk, clients in one process of their own, in
 * turns. The same replicas without a server in front of them are measured along with them.
 */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Cluster } from "../cluster/cluster.js";
import { nodeAddress } from "../cluster/corosync-conf.js";
import { BenchProcess } from "./bench-process.js";
import type { Measured } from "./closed-loop.js";
import type { Order } from "./commit-worker.js";
import { Floor, type CommitTimes } from "./floor.js";
import { flushesPerSecond } from "./flush-floor.js";
import type { LoadOrder, LoadReady } from "./load-worker.js";
import { compare, median, type Report, type Result } from "./report.js";
import { Servers, etcdPort, kvPort } from "./servers.js";

const loadWorker = fileURLToPath(new URL("load-worker.js", import.meta.url));
const commitWorker = fileURLToPath(new URL("commit-worker.js", import.meta.url));
const valueBytes = 100;
const clientCounts = [1, 10, 100] as const;
const rounds = 5;
const seconds = 2;
const writesGoal = { clients: 100, atLeast: 5 } as const;
const latencyGoal = { clients: 1, atMost: 1.5 } as const;

interface Figures {
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU of the clients' process, as a share of one core. */
  readonly cpu: number;
}

type Load = (clients: number, leader: number) => Promise<Figures>;
type System = "etcd" | "kv" | "framework";

export async function benchEtcd(cluster: Cluster, report: Report): Promise<void> {
  using floor = new Floor(cluster);
  const processes: BenchProcess[] = [];
  const servers = [Servers.etcd(cluster), Servers.kv(cluster)];
  try {
    const start = (kind: string, port: number): BenchProcess =>
      new BenchProcess(cluster, 1, process.execPath, [loadWorker, kind, String(port), String(valueBytes), ...cluster.nodeIds.map(nodeAddress)]);
    const [etcd, kv] = [start("etcd", etcdPort), start("kv", kvPort)];
    const replicas = cluster.nodeIds.map((nodeId) => startReplica(cluster, nodeId));
    processes.push(etcd, kv, ...replicas);
    const { leader } = await etcd.next<LoadReady>();
    await kv.next<LoadReady>();
    for (const replica of replicas) await replica.next();
    const loads = { etcd: loadOf(etcd), kv: loadOf(kv), framework: loadInProcess(replicas) };
    await warmUp(loads, leader);
    for (const clients of clientCounts) await benchClients(clients, leader, { loads, floor }, cluster, report);
  } finally {
    await Promise.all(processes.map((process) => process.end()));
    await Promise.all(servers.map((three) => three.end()));
  }
}

/** Servers have been running for long, as a rule: V8 has compiled what etcd's compiler had compiled before. Small batches take other ways than large ones. */
async function warmUp(loads: Readonly<Record<System, Load>>, leader: number): Promise<void> {
  for (const load of Object.values(loads)) {
    for (const clients of [100, 10, 1, 10, 1]) await load(clients, leader);
  }
}

function startReplica(cluster: Cluster, nodeId: number): BenchProcess {
  const directory = `${cluster.directory}/bench-framework-${nodeId}`;
  mkdirSync(directory, { mode: 0o700 });
  return new BenchProcess(cluster, nodeId, process.execPath, [commitWorker, `bench-framework-${process.pid}`, "{}", directory, String(valueBytes)]);
}

/** A single client asks etcd's leader, which is its best; and of Lockstep the replica beside it. */
function loadOf(worker: BenchProcess): Load {
  return async (clients, leader) => {
    worker.order({ kind: "load", seconds, clients, ...(clients === 1 ? { only: leader } : {}) } satisfies LoadOrder);
    return figuresOf([await worker.next<Measured>()]);
  };
}

function loadInProcess(replicas: readonly BenchProcess[]): Load {
  return async (clients, leader) => {
    const shares = replicas.map((replica, index) => ({ replica, clients: clients === 1 ? Number(index === leader) : Math.ceil((clients - index) / replicas.length) }));
    const busy = shares.filter((share) => share.clients > 0);
    for (const share of busy) share.replica.order({ kind: "latency", seconds, clients: share.clients } satisfies Order);
    return figuresOf(await Promise.all(busy.map(({ replica }) => replica.next<Measured>())));
  };
}

function figuresOf(runs: readonly Measured[]): Figures {
  return {
    rate: runs.reduce((sum, run) => sum + run.commands / run.seconds, 0),
    p50Ms: median(runs.map((run) => run.p50Ms)), p99Ms: median(runs.map((run) => run.p99Ms)), cpu: runs.reduce((sum, run) => sum + run.cpu, 0),
  };
}

async function benchClients(clients: number, leader: number, { loads, floor }: { readonly loads: Readonly<Record<System, Load>>; readonly floor: Floor }, cluster: Cluster, report: Report): Promise<void> {
  const figures: Record<System, Figures[]> = { etcd: [], kv: [], framework: [] };
  const flushes: number[] = [];
  const floors: CommitTimes[] = [];
  const senders = Math.min(clients, cluster.nodeIds.length);
  for (let round = 0; round < rounds; round++) {
    for (const system of ["etcd", "kv", "framework"] as const) figures[system].push(await loads[system](clients, leader));
    floors.push(await floor.commit({ bytes: valueBytes, commands: Math.ceil(clients / senders), senders, seconds, durable: true }));
    flushes.push(flushesPerSecond(cluster.directory, 0.5));
  }
  const section = `Durable writes of ${valueBytes} bytes, ${clients === 1 ? "one client" : `${clients} clients`}, three members each, beside etcd`;
  const add = (system: "kv" | "framework", name: string, measure: keyof Figures, unit: string, goal?: Result["goal"]): void => {
    const { value, other, ratio, spread } = compare(figures[system].map((run) => run[measure]), figures.etcd.map((run) => run[measure]));
    report.add({ section, what: name, value, unit, against: { what: "etcd", value: other }, ratio, spread, ...(goal === undefined ? {} : { goal }) });
  };
  add("kv", "lockstep-kv, ioredis", "rate", "writes/s", clients === writesGoal.clients ? { atLeast: writesGoal.atLeast } : undefined);
  add("kv", "lockstep-kv, p50", "p50Ms", "ms", clients === latencyGoal.clients ? { atMost: latencyGoal.atMost } : undefined);
  add("kv", "lockstep-kv, p99", "p99Ms", "ms");
  add("kv", "clients' CPU, share of a core", "cpu", "cores");
  add("framework", "replicas in the clients' processes", "rate", "writes/s");
  add("framework", "replicas in the clients' processes, p50", "p50Ms", "ms");
  for (const [measure, what, unit] of [["commandsPerSecond", "the floor: C on libcpg, the same messages and flushes", "writes/s"], ["p50Ms", "the floor, p50", "ms"]] as const) {
    const { value, other, ratio, spread } = compare(floors.map((run) => run[measure]), figures.etcd.map((run) => (measure === "p50Ms" ? run.p50Ms : run.rate)));
    report.add({ section, what, value, unit, against: { what: "etcd", value: other }, ratio, spread });
  }
  report.add({ section, what: "the disk: a page written and flushed, over and over", value: median(flushes), unit: "flushes/s" });
}
