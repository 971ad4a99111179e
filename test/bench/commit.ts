/** Commits on three real nodes: how many a second when all three submit, how long one client waits. */
import { fileURLToPath } from "node:url";
import type { Cluster } from "../cluster/cluster.js";
import { BenchProcess } from "./bench-process.js";
import type { Measured } from "./closed-loop.js";
import type { Order } from "./commit-worker.js";
import { Floor } from "./floor.js";
import { median, type Report } from "./report.js";

const worker = fileURLToPath(new URL("commit-worker.js", import.meta.url));
const commandBytes = 100;
const rounds = 3;
const warmUps = 2;
const clients = 2000;

export async function benchCommit(cluster: Cluster, report: Report): Promise<void> {
  using floor = new Floor(cluster);
  const replicas = cluster.nodeIds.map((nodeId) => new BenchProcess(cluster, nodeId, process.execPath, [worker, `commit-${process.pid}`]));
  try {
    for (const replica of replicas) await replica.next();
    await measure(replicas, { kind: "throughput", seconds: 3, clients }); // compiles the hot paths
    await benchThroughput(replicas, floor, report);
    await benchLatency(replicas, floor, report);
    for (const replica of replicas) replica.order({ kind: "stop", seconds: 0, clients: 0 } satisfies Order);
  } finally {
    await Promise.all(replicas.map((replica) => replica.end()));
  }
}

async function benchThroughput(replicas: readonly BenchProcess[], floor: Floor, report: Report): Promise<void> {
  const rates: number[] = [];
  const waits: number[] = [];
  const ceilings: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const runs = await measure(replicas, { kind: "throughput", seconds: 5, clients });
    rates.push(runs.reduce((sum, { commands, seconds }) => sum + commands / seconds, 0));
    waits.push(median(runs.map((run) => run.p50Ms)));
    ceilings.push((await floor.flood("c", 8192, 32, 3)) * 8192);
  }
  const section = `Commits on three nodes: ${commandBytes}-byte commands, ${clients} clients on each`;
  const rate = median(rates);
  report.add({ section, what: "all three submitting", value: rate, unit: "commands/s", goal: { atLeast: 40_000 } });
  report.add({ section, what: "p50 until the result", value: median(waits), unit: "ms" });
  const ceiling = median(ceilings);
  report.add({ section, what: "bytes of commands", value: (rate * commandBytes) / 1e6, unit: "MB/s", against: { what: "C flood of 8 kB, MB/s", value: ceiling / 1e6 }, ratio: (rate * commandBytes) / ceiling });
}

async function benchLatency(replicas: readonly BenchProcess[], floor: Floor, report: Report): Promise<void> {
  const ours: number[] = [];
  const raw: number[] = [];
  // A single client's ways are compiled after seconds of a single client.
  for (let round = 0; round < warmUps; round++) await measure(replicas.slice(0, 1), { kind: "latency", seconds: 3, clients: 1 });
  for (let round = 0; round < rounds; round++) {
    const [run] = await measure(replicas.slice(0, 1), { kind: "latency", seconds: 3, clients: 1 });
    ours.push(run?.p50Ms ?? Number.NaN);
    raw.push((await floor.ping("c", commandBytes, 1000)).answerP50Ms);
  }
  report.add({
    section: "One client on one of three nodes", what: "p50 until the result", value: median(ours), unit: "ms",
    against: { what: "C, message and answer, ms", value: median(raw) }, ratio: median(ours) / median(raw), goal: { atMost: 2 },
  });
}

async function measure(replicas: readonly BenchProcess[], order: Order): Promise<Measured[]> {
  for (const replica of replicas) replica.order(order);
  return Promise.all(replicas.map((replica) => replica.next<Measured>()));
}
