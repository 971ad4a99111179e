/** Commits with durability "disk" beside "memory", on the same three nodes, in turns; and how many of them share a flush. */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Cluster } from "../cluster/cluster.js";
import { BenchProcess } from "./bench-process.js";
import type { Measured } from "./closed-loop.js";
import type { Order } from "./commit-worker.js";
import { flushesPerSecond } from "./flush-floor.js";
import { compare, median, type Report } from "./report.js";

const worker = fileURLToPath(new URL("commit-worker.js", import.meta.url));
const rounds = 5;
const seconds = 2;
/** On each node; a single one is on the first. */
const clientsOnEach = [1 / 3, 33, 1000] as const;

export async function benchDisk(cluster: Cluster, report: Report): Promise<void> {
  const start = (nodeId: number, directory: string): BenchProcess =>
    new BenchProcess(cluster, nodeId, process.execPath, [worker, `${directory === "" ? "memory" : "disk"}-${process.pid}`, "{}", directory]);
  const memory = cluster.nodeIds.map((nodeId) => start(nodeId, ""));
  const disk = cluster.nodeIds.map((nodeId) => {
    const directory = `${cluster.directory}/bench-disk-${nodeId}`;
    mkdirSync(directory, { mode: 0o700 });
    return start(nodeId, directory);
  });
  try {
    for (const replica of [...memory, ...disk]) await replica.next();
    // Compiles the hot paths, those of a single client after seconds of a single client.
    for (const replicas of [memory, disk]) for (const clients of [100, 33, 1 / 3, 1 / 3]) await measure(replicas, clients);
    for (const clients of clientsOnEach) await benchClients(clients, { memory, disk }, cluster, report);
  } finally {
    await Promise.all([...memory, ...disk].map((replica) => replica.end()));
  }
}

async function benchClients(clients: number, { memory, disk }: Readonly<Record<"memory" | "disk", readonly BenchProcess[]>>, cluster: Cluster, report: Report): Promise<void> {
  const runs = { memory: [] as Figures[], disk: [] as Figures[] };
  const flushes: number[] = [];
  for (let round = 0; round < rounds; round++) {
    runs.memory.push(await measure(memory, clients));
    runs.disk.push(await measure(disk, clients));
    flushes.push(flushesPerSecond(cluster.directory, 0.5));
  }
  const section = `Commits of 100 bytes with durability "disk" on three nodes, ${clients < 1 ? "one client" : `${clients} clients on each`}`;
  for (const [measureName, what, unit] of [["rate", "commits", "commits/s"], ["p50Ms", "p50", "ms"], ["p99Ms", "p99", "ms"]] as const) {
    const { value, other, ratio, spread } = compare(runs.disk.map((run) => run[measureName]), runs.memory.map((run) => run[measureName]));
    report.add({ section, what, value, unit, against: { what: "in memory", value: other }, ratio, spread });
  }
  const { value, other, ratio, spread } = compare(runs.disk.map((run) => run.rate), flushes);
  report.add({ section, what: "commits for each flush that the disk could do", value, unit: "commits/s", against: { what: "flushes/s", value: other }, ratio, spread });
}

interface Figures {
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function measure(replicas: readonly BenchProcess[], clients: number): Promise<Figures> {
  const asked = clients < 1 ? replicas.slice(0, 1) : replicas;
  for (const replica of asked) replica.order({ kind: "throughput", seconds, clients: Math.max(1, clients) } satisfies Order);
  const runs = await Promise.all(asked.map((replica) => replica.next<Measured>()));
  return { rate: runs.reduce((sum, run) => sum + run.commands / run.seconds, 0), p50Ms: median(runs.map((run) => run.p50Ms)), p99Ms: median(runs.map((run) => run.p99Ms)) };
}
