/** How long a replica with a million keys takes to be ready again, and what it keeps on disk: with a snapshot alone, and with a full log behind it. */
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Cluster } from "../cluster/cluster.js";
import { BenchProcess } from "./bench-process.js";
import type { DurableOrder, DurableReady } from "./durable-worker.js";
import { median, type Report } from "./report.js";

const worker = fileURLToPath(new URL("durable-worker.js", import.meta.url));
const keys = 1_000_000;
const bytesOfKey = 100;
const starts = 3;
/** What stat(2) counts in. */
const blockBytes = 512;

export async function benchRestart(cluster: Cluster, report: Report): Promise<void> {
  const directory = `${cluster.directory}/bench-restart`;
  mkdirSync(directory, { mode: 0o700 });
  const section = `Restart of one replica with ${keys.toLocaleString("en-US")} keys of ${bytesOfKey} bytes`;
  const stateMb = keys * bytesOfKey / 1e6;
  const start = (): BenchProcess => new BenchProcess(cluster, 1, process.execPath, [worker, "restart", directory, "alone"]);
  const blank = await timed(start, 0);
  const first = start();
  try {
    await first.next<DurableReady>();
    await ask(first, { kind: "fill", keys });
    await ask(first, { kind: "log" });
    await ask(first, { kind: "whenStored" });
  } finally {
    await first.end();
  }
  const atSnapshot = await timedStarts(start);
  const atSnapshotMb = usedMb(directory);
  const last = start();
  try {
    await last.next<DurableReady>();
    await ask(last, { kind: "log" });
  } finally {
    await last.end();
  }
  const withLog = await timedStarts(start);
  report.add({ section, what: "process start to ready, after a snapshot", value: atSnapshot, unit: "s", against: { what: "blank, s", value: blank } });
  report.add({ section, what: "process start to ready, with a full log behind it", value: withLog, unit: "s", against: { what: "after a snapshot, s", value: atSnapshot }, ratio: withLog / atSnapshot });
  report.add({ section, what: "bytes on disk, after a snapshot", value: atSnapshotMb, unit: "MB", against: { what: "keys and values, MB", value: stateMb }, ratio: atSnapshotMb / stateMb });
  const withLogMb = usedMb(directory);
  report.add({ section, what: "bytes on disk, with a full log behind it", value: withLogMb, unit: "MB", against: { what: "keys and values, MB", value: stateMb }, ratio: withLogMb / stateMb });
}

async function ask(replica: BenchProcess, order: DurableOrder): Promise<unknown> {
  replica.order(order);
  return replica.next();
}

async function timedStarts(start: () => BenchProcess): Promise<number> {
  const seconds: number[] = [];
  for (let count = 0; count < starts; count++) seconds.push(await timed(start, keys));
  return median(seconds);
}

async function timed(start: () => BenchProcess, expected: number): Promise<number> {
  const begun = performance.now();
  const replica = start();
  try {
    const ready = await replica.next<DurableReady>();
    if (ready.keys !== expected) throw new Error(`the replica has ${ready.keys} keys instead of ${expected}`);
    return (performance.now() - begun) / 1000;
  } finally {
    await replica.end();
  }
}

function usedMb(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).blocks * blockBytes, 0) / 1e6;
}
