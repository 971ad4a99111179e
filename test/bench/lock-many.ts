/** A service that holds many locks for many sessions: what a replica needs for them, and what keeping a session alive costs. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Cluster } from "../cluster/cluster.js";
import { nodeAddress } from "../cluster/corosync-conf.js";
import { BenchProcess } from "./bench-process.js";
import type { Measured } from "./closed-loop.js";
import type { ManyOrder } from "./lock-many-worker.js";
import { startLockServers } from "./lock-servers.js";
import { median, type Report } from "./report.js";

const worker = fileURLToPath(new URL("lock-many-worker.js", import.meta.url));
const sessions = 10_000;
const locksOfEach = 10;
const clients = 400;
const renewals = 3;
const port = 7402;

export async function benchManyLocks(cluster: Cluster, report: Report): Promise<void> {
  const servers = startLockServers(cluster, { name: "many", port, onDisk: true });
  const holder = new BenchProcess(cluster, 1, process.execPath, [worker, ...cluster.nodeIds.map((nodeId) => `http://${nodeAddress(nodeId)}:${port}`)]);
  const ask = (kind: ManyOrder["kind"]): Promise<Measured> => {
    holder.order({ kind, sessions, locksOfEach, clients } satisfies ManyOrder);
    return holder.next<Measured>();
  };
  try {
    await holder.next();
    const before = servers.pids.map(residentMb);
    const held = await ask("hold");
    const after = servers.pids.map(residentMb);
    const kept: { readonly rate: number; readonly cpuUs: number }[] = [];
    for (let turn = 0; turn < renewals; turn++) {
      const start = sum(servers.pids.map(cpuMsOf));
      const { commands, seconds } = await ask("renew");
      kept.push({ rate: commands / seconds, cpuUs: ((sum(servers.pids.map(cpuMsOf)) - start) * 1000) / commands });
    }
    const section = `lockstep-lock --data: ${(sessions * locksOfEach).toLocaleString("en-US")} locks held by ${sessions.toLocaleString("en-US")} sessions`;
    report.add({ section, what: "opening the sessions and taking their locks", value: held.seconds, unit: "s" });
    report.add({ section, what: "resident memory of a replica, over that before", value: median(after.map((mb, index) => mb - (before[index] ?? 0))), unit: "MB", against: { what: "before, MB", value: median(before) } });
    report.add({ section, what: `keep-alives, ${clients} under way`, value: median(kept.map(({ rate }) => rate)), unit: "keep-alives/s" });
    report.add({ section, what: "CPU of a keep-alive, the three replicas together", value: median(kept.map(({ cpuUs }) => cpuUs)), unit: "µs" });
  } finally {
    await holder.end();
    await servers.end();
  }
}

function residentMb(pid: number): number {
  return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? Number.NaN) * 1024) / 1e6;
}

/** User's and system's: fields 14 and 15, see proc(5). */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ") ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / clockTicks;
}

const clockTicks = Number(spawnSync("getconf", ["CLK_TCK"], { encoding: "utf8" }).stdout);

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
