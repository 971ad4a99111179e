/**
 * Locks beside etcd's and ZooKeeper's: three servers of each on the same nodes and the same disk, the clients of each in one process, in turns. Everybody who is
 * compared has flushed what it answers; this service without a disk is measured along.
 */
import { fileURLToPath } from "node:url";
import type { Cluster } from "../cluster/cluster.js";
import { nodeAddress } from "../cluster/corosync-conf.js";
import { BenchProcess } from "./bench-process.js";
import type { Measured } from "./closed-loop.js";
import { benchManyLocks } from "./lock-many.js";
import { startLockServers } from "./lock-servers.js";
import type { LockOrder } from "./lock-worker.js";
import { compare, median, type Report, type Result } from "./report.js";
import { Servers, etcdMissing, etcdPort } from "./servers.js";
import { startZookeeper, zookeeperMissing, zookeeperPort } from "./zookeeper.js";

const worker = fileURLToPath(new URL("lock-worker.js", import.meta.url));
const ports = { disk: 7400, memory: 7401, etcd: etcdPort, zookeeper: zookeeperPort } as const;
const rounds = 5;
const seconds = 2;
/** Of the better of the two others. */
const goal = { atLeast: 5 } as const;

type System = keyof typeof ports;
type Rival = "etcd" | "zookeeper";
type Figures = Partial<Record<System, Measured[]>>;

const rivals: readonly { readonly system: Rival; readonly missing: () => string | undefined }[] = [
  { system: "etcd", missing: etcdMissing }, { system: "zookeeper", missing: zookeeperMissing },
];

export async function benchLock(cluster: Cluster, report: Report): Promise<void> {
  const present = rivals.filter(({ system, missing }) => {
    const why = missing();
    if (why !== undefined) report.leaveOut({ what: `${system}, which lock is measured beside`, why });
    return why === undefined;
  }).map(({ system }) => system);
  const systems: readonly System[] = [...present, "disk", "memory"];
  const servers: Servers[] = [];
  const clients = new Map<System, BenchProcess>();
  try {
    for (const system of systems) {
      servers.push(start(cluster, system));
      clients.set(system, new BenchProcess(cluster, 1, process.execPath, [worker, system, String(ports[system]), ...cluster.nodeIds.map(nodeAddress)]));
    }
    for (const process of clients.values()) await process.next();
    // V8 compiles the hot paths, those of one client after seconds of one client; ZooKeeper's machine does it alike, and etcd was compiled before.
    for (const [count, contended] of [[100, false], [100, true], [1, false], [100, false], [1, false], [1, false]] as const) await round(clients, { clients: count, contended, seconds });
    for (const [count, contended] of [[1, false], [100, false], [100, true]] as const) {
      const figures: Figures = {};
      for (let turn = 0; turn < rounds; turn++) {
        for (const [system, measured] of await round(clients, { clients: count, contended, seconds })) (figures[system] ??= []).push(measured);
      }
      tell(report, figures, present, { clients: count, contended, seconds });
    }
  } finally {
    await Promise.all(Array.from(clients.values(), (process) => process.end()));
    await Promise.all(servers.map((three) => three.end()));
  }
  await benchManyLocks(cluster, report);
}

/** Everybody once, in turns. */
async function round(clients: ReadonlyMap<System, BenchProcess>, order: LockOrder): Promise<Map<System, Measured>> {
  const results = new Map<System, Measured>();
  for (const [system, process] of clients) {
    process.order(order);
    results.set(system, await process.next<Measured>());
  }
  return results;
}

function start(cluster: Cluster, system: System): Servers {
  if (system === "etcd") return Servers.etcd(cluster);
  if (system === "zookeeper") return startZookeeper(cluster);
  return startLockServers(cluster, { name: system, port: ports[system], onDisk: system === "disk" });
}

function tell(report: Report, figures: Figures, present: readonly Rival[], { clients, contended }: LockOrder): void {
  const section = contended ? `One lock, ${clients} clients who all want it: handovers, three members each` : `Locks taken and given back, ${clients === 1 ? "one client" : `${clients} clients, each its own lock`}, three members each`;
  const unit = contended ? "handovers/s" : "locks/s";
  const rate = ({ commands, seconds: elapsed }: Measured): number => commands / elapsed;
  const of = (system: System, measure: (run: Measured) => number): number[] => (figures[system] ?? []).map(measure);
  const better = [...present].sort((a, b) => median(of(b, rate)) - median(of(a, rate)))[0];
  const row = (system: System, what: string, measure: (run: Measured) => number, measureUnit: string, wanted?: Result["goal"]): void => {
    const rival = better === undefined ? undefined : compare(of(system, measure), of(better, measure));
    report.add({
      section, what, unit: measureUnit, value: median(of(system, measure)),
      ...(rival === undefined || better === undefined ? {} : { against: { what: better, value: rival.other }, ratio: rival.ratio, spread: rival.spread }), ...(wanted === undefined ? {} : { goal: wanted }),
    });
  };
  row("disk", "lockstep-lock --data", rate, unit, better === undefined ? undefined : goal);
  row("disk", "lockstep-lock --data, p50", (run) => run.p50Ms, "ms");
  row("disk", "lockstep-lock --data, p99", (run) => run.p99Ms, "ms");
  row("memory", "lockstep-lock, in memory", rate, unit);
  row("memory", "lockstep-lock, in memory, p50", (run) => run.p50Ms, "ms");
  for (const rival of present) report.add({ section, what: `${rival}, p50 ${median(of(rival, (run) => run.p50Ms)).toFixed(2)} ms`, value: median(of(rival, rate)), unit });
  for (const system of ["disk", "memory", ...present] as const) report.add({ section, what: `CPU of the clients' process: ${nameOf(system)}`, value: median(of(system, (run) => run.cpu)), unit: "cores" });
}

function nameOf(system: System): string {
  return system === "disk" ? "lockstep-lock --data" : system === "memory" ? "lockstep-lock, in memory" : system;
}
