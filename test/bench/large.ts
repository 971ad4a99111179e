/** A state of two gigabytes: memory and held event loops on both sides while a blank replica takes it over. */
import { fileURLToPath } from "node:url";
import type { Cluster } from "../cluster/cluster.js";
import { BenchProcess } from "./bench-process.js";
import type { LargeFigures, LargeOrder } from "./large-worker.js";
import type { Report } from "./report.js";

const worker = fileURLToPath(new URL("large-worker.js", import.meta.url));
const bytesPerKey = 1_000;

export async function benchLarge(cluster: Cluster, report: Report, keys = 2_000_000): Promise<void> {
  const group = `large-${process.pid}`;
  const start = (nodeId: number): BenchProcess => new BenchProcess(cluster, nodeId, process.execPath, ["--expose-gc", "--max-old-space-size=8000", worker, group]);
  const replicas = cluster.nodeIds.map(start);
  try {
    const [donor, second, joiner] = replicas;
    await Promise.all(replicas.map((replica) => replica.next<LargeFigures>()));
    if (donor === undefined || second === undefined || joiner === undefined) throw new Error("three replicas were started");
    await joiner.end();
    await ask(donor, { kind: "fill", count: keys });
    const quiet = await Promise.all([ask(donor, { kind: "measure", count: 0 }), ask(second, { kind: "measure", count: 0 })]);
    const begun = performance.now();
    const fresh = start(3);
    replicas.push(fresh);
    const fed = await fresh.next<LargeFigures>();
    const seconds = (performance.now() - begun) / 1000;
    const after = await Promise.all([ask(donor, { kind: "measure", count: 0 }), ask(second, { kind: "measure", count: 0 })]);
    const section = `A state of ${(keys * bytesPerKey / 1e9).toFixed(1)} GB (${keys.toLocaleString("en-US")} keys) on three nodes, taken over by a blank replica`;
    if (fed.keys !== keys) throw new Error(`the joiner has ${fed.keys} keys of ${keys}`);
    const growth = after.map((figures, index) => figures.peakMb - (quiet[index]?.rssMb ?? 0));
    report.add({ section, what: "process start to active", value: seconds, unit: "s" });
    report.add({ section, what: "joiner's peak memory", value: fed.peakMb, unit: "MB", against: { what: "afterwards, MB", value: fed.rssMb } });
    report.add({ section, what: "others' peak memory, over that before", value: Math.max(...growth), unit: "MB", against: { what: "before, MB", value: Math.max(...quiet.map((figures) => figures.rssMb)) } });
    report.add({ section, what: "joiner's event loop held at longest", value: fed.longestHoldMs, unit: "ms", against: { what: "of that garbage collection, ms", value: fed.longestGcMs } });
    report.add({ section, what: "joiner's event loop, CPU of its thread in one hold at most", value: fed.longestCpuMs, unit: "ms" });
    report.add({ section, what: "others' event loop held at longest", value: Math.max(...after.map((figures) => figures.longestHoldMs)), unit: "ms", against: { what: "of that garbage collection, ms", value: Math.max(...after.map((figures) => figures.longestGcMs)) } });
    report.add({ section, what: "others' event loop, CPU of its thread in one hold at most", value: Math.max(...after.map((figures) => figures.longestCpuMs)), unit: "ms" });
  } finally {
    await Promise.all(replicas.map((replica) => replica.end()));
  }
}

async function ask(replica: BenchProcess, order: LargeOrder): Promise<LargeFigures> {
  replica.order(order);
  return replica.next<LargeFigures>();
}
