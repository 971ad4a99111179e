/**
 * npm run bench [-- NAME …] [--totem KEY=VALUE …] [--json FILE] [--check]
 *
 * --totem: put into totem { } of the nodes' corosync.conf, such as transport=udpu.
 * --check: exit with 1 also if a figure misses its goal, or one that was asked for cannot be taken here.
 * Every figure that a goal is about is a ratio to something in the same run, or says so. Needs root, Corosync and a C compiler for
 * all but `table`; what cannot run here is named.
 */
import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { UsageError, runCommand } from "../command-line.js";
import { corosyncAvailable } from "../cluster/available.js";
import { Cluster } from "../cluster/cluster.js";
import { corosyncTransport, totemSettings, type Settings } from "../cluster/corosync-conf.js";
import { ClusterError } from "../cluster/processes.js";
import { benchBinding } from "./binding.js";
import { benchCatchUp } from "./catch-up.js";
import { benchCommit } from "./commit.js";
import { benchDisk } from "./disk.js";
import { benchEtcd } from "./etcd.js";
import { benchLarge } from "./large.js";
import { benchLock } from "./lock.js";
import { benchMemory } from "./memory.js";
import { Report } from "./report.js";
import { benchRestart } from "./restart.js";
import { etcdMissing } from "./servers.js";
import { benchSnapshot } from "./snapshot.js";
import { benchTable } from "./table.js";

const onCluster = {
  binding: benchBinding, commit: benchCommit, memory: benchMemory, "catch-up": benchCatchUp, large: benchLarge, etcd: benchEtcd, lock: benchLock, disk: benchDisk, snapshot: benchSnapshot, restart: benchRestart,
} as const;
const names = ["table", "binding", "commit", "memory", "disk", "etcd", "lock", "snapshot", "restart", "catch-up", "large"] as const;
type Name = (typeof names)[number];

function isName(text: string): text is Name {
  return (names as readonly string[]).includes(text);
}

const usage = `Usage: npm run bench -- [NAME …] [--totem KEY=VALUE …] [--json FILE] [--check]
NAME is ${names.join(", ")}; without any: all of them.`;

interface Wanted {
  readonly parts: readonly Name[];
  readonly totem: Settings;
  readonly json: string;
  readonly check: boolean;
}

function wanted(args: readonly string[]): Wanted {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { totem: { type: "string", multiple: true, default: [] }, json: { type: "string", default: "bench-results.json" }, check: { type: "boolean", default: false } } });
  const unknown = positionals.find((name) => !isName(name));
  if (unknown !== undefined) throw new UsageError(`There is no benchmark "${unknown}".`);
  return { parts: positionals.length === 0 ? names : positionals.filter(isName), totem: totemSettings(values.totem), json: writable(values.json), check: values.check };
}

/** Looked at before an hour of measuring, not after it. */
function writable(file: string): string {
  try {
    accessSync(existsSync(file) ? file : dirname(file), constants.W_OK);
    return file;
  } catch (error) {
    throw new UsageError(`--json ${file}: ${(error as Error).message}`, { cause: error });
  }
}

async function main({ parts, totem, json, check }: Wanted): Promise<number> {
  const settings = Object.entries(totem).map(([key, value]) => `, ${key}=${value}`).join("");
  const report = new Report(`Corosync's transport: ${corosyncTransport(totem)}${settings}`);
  const obstacle = corosyncAvailable();
  let failed = 0;
  for (const name of parts) {
    try {
      const why = name === "table" ? undefined : (obstacle ?? (name === "etcd" ? etcdMissing() : undefined));
      if (why !== undefined) report.leaveOut({ what: name, why });
      else if (name === "table") await benchTable(report);
      else for (const nodes of nodeCounts(name)) await withCluster(nodes, totem, (cluster) => onCluster[name](cluster, report));
    } catch (error) {
      // What the others measured is worth having.
      console.error(`Failed: ${name}.`, error instanceof ClusterError ? error.message : error);
      failed++;
    }
    // After each part: the next one may be interrupted.
    if (!report.isEmpty) report.writeJson(json);
  }
  if (report.isEmpty) console.log(`Nothing was measured, so ${json} is as it was.`);
  else {
    report.print();
    console.log(`\nWritten to ${json}.`);
  }
  if (failed > 0) return 1;
  return check ? checked(report) : 0;
}

function checked({ missed, leftOut }: Report): number {
  for (const { section, what } of missed) console.log(`Goal missed: ${section}: ${what}`);
  return missed.length + leftOut.length === 0 ? 0 : 1;
}

function nodeCounts(name: keyof typeof onCluster): readonly number[] {
  return name === "binding" ? [1, 3] : [3];
}

async function withCluster(nodes: number, totem: Settings, bench: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = await Cluster.start({ nodes, totem });
  try {
    await bench(cluster);
  } finally {
    await cluster.stop();
  }
}

await runCommand(usage, async (args) => main(wanted(args)));
