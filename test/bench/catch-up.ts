/** A replica that was away for a part of a million commands: what it is sent, and how long it takes, beside how much it missed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Cluster } from "../cluster/cluster.js";
import { BenchProcess } from "./bench-process.js";
import type { LargeFigures, LargeOrder } from "./large-worker.js";
import type { Report } from "./report.js";

const worker = fileURLToPath(new URL("large-worker.js", import.meta.url));
const commands = 1_000_000;
/** What others keep in memory of what they have applied: all that is missed, or nothing, so that it comes from their disks. */
const kept = { memory: 64 * 1024 * 1024, disk: 1_000 } as const;

export async function benchCatchUp(cluster: Cluster, report: Report): Promise<void> {
  for (const from of ["memory", "disk"] as const) await catchUpFrom(from, cluster, report);
}

async function catchUpFrom(from: keyof typeof kept, cluster: Cluster, report: Report): Promise<void> {
  const group = `catch-up-${from}-${process.pid}`;
  const directory = mkdtempSync(join(tmpdir(), "lockstep-bench-"));
  const start = (nodeId: number): BenchProcess =>
    new BenchProcess(cluster, nodeId, process.execPath, ["--expose-gc", worker, group, String(kept[from]), join(directory, String(nodeId))]);
  const replicas = cluster.nodeIds.map(start);
  try {
    const [first, , third] = replicas;
    await Promise.all(replicas.map((replica) => replica.next<LargeFigures>()));
    if (first === undefined || third === undefined) throw new Error("three replicas were started");
    await ask(first, { kind: "write", count: commands });
    let away = third;
    let before: LargeFigures | undefined;
    for (const missed of [0, 1_000, 10_000]) {
      await away.end();
      await ask(first, { kind: "write", count: missed });
      away = start(3);
      replicas.push(away);
      const figures = await away.next<LargeFigures>();
      const section = `A replica that missed a part of ${commands.toLocaleString("en-US")} commands of 100 bytes, which come from the others' ${from}`;
      const what = `${missed.toLocaleString("en-US")} missed: `;
      const tenth = missed === 10_000 ? before : undefined;
      report.add({
        section, what: `${what}bytes sent`, value: figures.transferBytes, unit: "B",
        ...(tenth === undefined ? {} : { against: { what: "with a tenth of it missed", value: tenth.transferBytes }, ratio: figures.transferBytes / tenth.transferBytes }),
      });
      report.add({ section, what: `${what}from the process's start, its own disk read, to active`, value: figures.secondsToReady, unit: "s" });
      before = figures;
    }
  } finally {
    await Promise.all(replicas.map((replica) => replica.end()));
    rmSync(directory, { recursive: true });
  }
}

async function ask(replica: BenchProcess, order: LargeOrder): Promise<LargeFigures> {
  replica.order(order);
  return replica.next<LargeFigures>();
}
