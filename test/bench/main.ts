/**
 * npm run bench [-- NAME …] [--totem KEY=VALUE …] [--json FILE] [--check]
 *
 * --totem: put into totem { } of the nodes' corosync.conf, such as transport=udpu.
 * --check: exit with 1 if a figure misses its goal, or one that was asked for cannot be taken here.
 * Every figure that a goal is about is a ratio to something in the same run, or says so. Needs root, Corosync and a C compiler for
 * all but `table`; what cannot run here is named.
 */
import { parseArgs } from "node:util";
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

const { values, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: "string" }, totem: { type: "string", multiple: true, default: [] }, json: { type: "string", default: "bench-results.json" }, check: { type: "boolean", default: false } } });
const named = [...positionals, ...(values.only?.split(",") ?? [])];
const wanted = named.length === 0 ? [...names] : named;
const unknown = wanted.find((name) => !isName(name));
if (unknown !== undefined) {
  console.error(`There is no benchmark "${unknown}"; there are ${names.join(", ")}.`);
  process.exit(2);
}
const totem = settingsOf(values.totem);

const report = new Report(`Corosync's transport: ${corosyncTransport(totem)}`);
const obstacle = corosyncAvailable();
let leftOut = 0;
for (const name of wanted.filter(isName)) {
  if (name === "table") await benchTable(report);
  else if (obstacle !== undefined) {
    console.error(`Left out: ${name}. ${obstacle}`);
    leftOut++;
  } else for (const nodes of nodeCounts(name)) await withCluster(nodes, (cluster) => onCluster[name](cluster, report));
}
report.print();
report.writeJson(values.json);
console.log(`\nWritten to ${values.json}.`);
if (values.check) process.exitCode = checked();

function checked(): number {
  const { missed } = report;
  for (const { section, what } of missed) console.log(`Goal missed: ${section}: ${what}`);
  return missed.length + leftOut === 0 ? 0 : 1;
}

function settingsOf(pairs: readonly string[]): Settings {
  try {
    return totemSettings(pairs);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    console.error(error.message);
    return process.exit(2);
  }
}

function nodeCounts(name: keyof typeof onCluster): readonly number[] {
  return name === "binding" ? [1, 3] : [3];
}

async function withCluster(nodes: number, bench: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = await Cluster.start({ nodes, totem });
  try {
    await bench(cluster);
  } finally {
    await cluster.stop();
  }
}
