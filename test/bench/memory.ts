/** Memory: a million keys of 100 bytes in one replica, and the peaks of who feeds a joiner, and of the joiner. */
import { fileURLToPath } from "node:url";
import type { Cluster } from "../cluster/cluster.js";
import { BenchProcess } from "./bench-process.js";
import type { MemoryFigures, MemoryOrder } from "./memory-worker.js";
import type { Report } from "./report.js";

const worker = fileURLToPath(new URL("memory-worker.js", import.meta.url));
const keys = 1_000_000;

export async function benchMemory(cluster: Cluster, report: Report): Promise<void> {
  const group = `memory-${process.pid}`;
  const start = (nodeId: number): BenchProcess => new BenchProcess(cluster, nodeId, process.execPath, ["--expose-gc", worker, group]);
  const replicas = cluster.nodeIds.map(start);
  try {
    const [donor, , joiner] = replicas;
    const [empty] = await Promise.all(replicas.map((replica) => replica.next<MemoryFigures>()));
    if (donor === undefined || joiner === undefined || empty === undefined) throw new Error("three replicas were started");
    const full = await ask(donor, { kind: "fill", keys });
    await joiner.end();
    // Either of the two may be the donor, and its peak until now was of other things.
    const quiet = await measure(replicas.slice(0, 2));
    const begun = performance.now();
    const fresh = start(3);
    replicas.push(fresh);
    const fed = await fresh.next<MemoryFigures>();
    const seconds = (performance.now() - begun) / 1000;
    const others = await measure(replicas.slice(0, 2));
    const section = `Memory: ${keys.toLocaleString("en-US")} keys of 100 bytes on three nodes`;
    report.add({ section, what: "one replica, over an empty one", value: full.rssMb - empty.rssMb, unit: "MB", against: { what: "bytes of keys and values, MB", value: (keys * 100) / 1e6 }, ratio: (full.rssMb - empty.rssMb) / ((keys * 100) / 1e6) });
    report.add({ section, what: "others' peak while a joiner is fed", value: Math.max(...others.map((figures) => figures.peakMb)), unit: "MB", against: { what: "before, MB", value: Math.max(...quiet.map((figures) => figures.rssMb)) } });
    report.add({ section, what: "joiner's peak", value: fed.peakMb, unit: "MB", against: { what: "afterwards, MB", value: fed.rssMb } });
    report.add({ section, what: `process start to active with ${fed.keys.toLocaleString("en-US")} keys`, value: seconds, unit: "s" });
  } finally {
    await Promise.all(replicas.map((replica) => replica.end()));
  }
}

function measure(replicas: readonly BenchProcess[]): Promise<MemoryFigures[]> {
  return Promise.all(replicas.map((replica) => ask(replica, { kind: "measure", keys: 0 })));
}

async function ask(replica: BenchProcess, order: MemoryOrder): Promise<MemoryFigures> {
  replica.order(order);
  return replica.next<MemoryFigures>();
}
