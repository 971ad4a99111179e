/** Commit latency while a snapshot of a million keys is written to the disks of three nodes, beside quiet times of the same run. */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Cluster } from "../cluster/cluster.js";
import { BenchProcess } from "./bench-process.js";
import type { Measured } from "./closed-loop.js";
import type { DurableOrder } from "./durable-worker.js";
import { compare, median, type Report } from "./report.js";

const worker = fileURLToPath(new URL("durable-worker.js", import.meta.url));
const keys = 1_000_000;
const clients = 10;
const rounds = 3;
const quietSeconds = 3;
/** Old records are removed along with the writes after a snapshot. */
const droppingSeconds = 1;
/** More than the quiet times write: the bench decides when a snapshot begins. */
const snapshotLogBytes = 16 * 1024 * 1024;

export async function benchSnapshot(cluster: Cluster, report: Report): Promise<void> {
  const replicas = cluster.nodeIds.map((nodeId) => {
    const directory = `${cluster.directory}/bench-snapshot-${nodeId}`;
    mkdirSync(directory, { mode: 0o700 });
    return new BenchProcess(cluster, nodeId, process.execPath, [worker, `snapshot-${process.pid}`, directory, "corosync", String(snapshotLogBytes)]);
  });
  try {
    for (const replica of replicas) await replica.next();
    const [first] = replicas;
    if (first === undefined) throw new Error("three replicas were started");
    const ask = async <T>(order: DurableOrder): Promise<T> => { first.order(order); return first.next<T>(); };
    await ask({ kind: "fill", keys });
    await ask({ kind: "load", clients, seconds: 2 }); // compiles the hot paths
    const [quiet, writing, dropping]: [Measured[], Measured[], Measured[]] = [[], [], []];
    for (let round = 0; round < rounds; round++) {
      quiet.push(await ask({ kind: "load", clients, seconds: quietSeconds }));
      await ask({ kind: "pad" });
      writing.push(await ask({ kind: "loadUntilStored", clients }));
      dropping.push(await ask({ kind: "load", clients, seconds: droppingSeconds }));
    }
    const section = `Commit latency while a snapshot of ${keys.toLocaleString("en-US")} keys of 100 bytes is written on all three nodes, ${clients} clients`;
    const add = (what: string, runs: readonly Measured[], measure: "p50Ms" | "p99Ms", goal?: { atMost: number }): void => {
      const { value, other, ratio, spread } = compare(runs.map((run) => run[measure]), quiet.map((run) => run[measure]));
      report.add({ section, what, value, unit: "ms", against: { what: "quiet", value: other }, ratio, spread, ...(goal === undefined ? {} : { goal }) });
    };
    add("p99 while it is written", writing, "p99Ms", { atMost: 3 });
    add("p50 while it is written", writing, "p50Ms");
    add("p99 right afterwards, while what it replaces is removed", dropping, "p99Ms");
    report.add({ section, what: "time that writing it took", value: median(writing.map((run) => run.seconds)), unit: "s" });
  } finally {
    await Promise.all(replicas.map((replica) => replica.end()));
  }
}
