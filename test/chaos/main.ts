/**
 * npm run chaos -- [--minutes M] [--seed S] [--nodes 3|5] [--disk] [--compare | --machine lock [--without-tokens] [--unhurried]] [--totem KEY=VALUE …] [--keep DIR] [--json FILE]
 *
 * Real Corosync nodes, replicas and clients, with faults from a seed; docs/chaos.md says how to read what it prints. Exit code 0: everything
 * as promised; 1: not, or it could not run to its end; 2: wrong usage. --totem goes into totem { } of corosync.conf: transport=udpu.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { UsageError, runCommand } from "../command-line.js";
import { corosyncAvailable } from "../cluster/available.js";
import { totemSettings, type Settings } from "../cluster/corosync-conf.js";
import { ClusterError } from "../cluster/processes.js";
import { formatLockReport, lockViolations } from "./lock/report.js";
import { runLockChaos } from "./lock/run.js";
import { formatReports, violations } from "./report.js";
import type { RunReport, SystemName } from "./report.js";
import { runChaos } from "./run.js";

const usage = "Usage: npm run chaos -- [--minutes M] [--seed S] [--nodes 3|5] [--disk] [--compare | --machine lock [--without-tokens] [--unhurried]] [--totem KEY=VALUE …] [--keep DIR] [--json FILE]";

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly nodes: number;
  /** Durable replicas, and faults that take the power from all of them at once. */
  readonly disk: boolean;
  readonly compare: boolean;
  /** The lock service, and a resource that its tokens guard. */
  readonly locks: boolean;
  /** Of locks: the resource accepts everything. */
  readonly withoutTokens: boolean;
  /** Of locks: how long a dead node keeps its locks is told and not judged, as on a machine that is busy with other things. */
  readonly unhurried: boolean;
  /** Put over what the bed gives its daemons. */
  readonly totem: Settings;
  /** Keeps the logs there, whatever comes out. */
  readonly keep: string | undefined;
  readonly json: string;
}

function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "2" }, seed: { type: "string" }, nodes: { type: "string", default: "3" },
      disk: { type: "boolean", default: false }, compare: { type: "boolean", default: false }, keep: { type: "string" }, json: { type: "string", default: "chaos-results.json" },
      machine: { type: "string" }, "without-tokens": { type: "boolean", default: false }, unhurried: { type: "boolean", default: false }, totem: { type: "string", multiple: true, default: [] },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes <= 24 * 60)) throw new UsageError(`--minutes is a number above 0, at most ${24 * 60}; not ${values.minutes}`);
  if (values.nodes !== "3" && values.nodes !== "5") throw new UsageError(`--nodes is 3 or 5, not ${values.nodes}`);
  if (values.seed !== undefined && !/^\d{1,9}$/.test(values.seed)) throw new UsageError(`--seed is a whole number of at most 9 digits, not ${values.seed}`);
  if (values.disk && values.compare) throw new UsageError("--compare is for replicas in memory: the other service has no disk");
  if (values.machine !== undefined && values.machine !== "lock") throw new UsageError(`--machine is lock, or left out; not ${values.machine}`);
  const locks = values.machine === "lock";
  if (locks && values.compare) throw new UsageError("--compare is not for --machine lock: there is --without-tokens");
  if (!locks && (values["without-tokens"] || values.unhurried)) throw new UsageError("--without-tokens and --unhurried are for --machine lock");
  return {
    minutes, seed: values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : Number(values.seed), nodes: Number(values.nodes),
    disk: values.disk, compare: values.compare, locks, withoutTokens: values["without-tokens"], unhurried: values.unhurried, totem: totemSettings(values.totem),
    keep: values.keep === undefined ? undefined : emptyDirectory(values.keep), json: values.json,
  };
}

function emptyDirectory(given: string): string {
  const directory = resolve(given);
  try {
    mkdirSync(directory, { recursive: true });
    if (readdirSync(directory).length === 0) return directory;
  } catch (error) {
    throw new UsageError(`--keep ${given}: ${(error as Error).message}`, { cause: error });
  }
  throw new UsageError(`--keep ${given}: there is something in it; name a directory that is empty, or not there yet`);
}

async function main(options: Options): Promise<number> {
  const obstacle = corosyncAvailable();
  if (obstacle !== undefined) throw new ClusterError(obstacle);
  const { minutes, seed, nodes, disk, compare, locks, withoutTokens, totem, keep, json } = options;
  const flags = [...(disk ? ["--disk"] : []), ...(compare ? ["--compare"] : []), ...(locks ? ["--machine lock"] : []), ...(withoutTokens ? ["--without-tokens"] : []), ...Object.entries(totem).map(([key, value]) => `--totem ${key}=${value}`)];
  console.log(`Chaos for ${minutes} min on ${nodes} nodes. To repeat these faults: npm run chaos -- ${[`--seed ${seed} --minutes ${minutes} --nodes ${nodes}`, ...flags].join(" ")}`);
  const directory = keep ?? mkdtempSync(join(tmpdir(), "lockstep-chaos-"));
  let asPromised = false;
  try {
    const { reports, text, found } = await (locks ? lockChaos(options, directory) : keyChaos(options, directory));
    console.log(`\n${text}\n`);
    writeFileSync(json, `${JSON.stringify(reports, undefined, 2)}\n`);
    for (const violation of found) console.log(`VIOLATION ${violation}`);
    asPromised = found.length === 0;
    console.log(asPromised ? `Everything as promised. Written to ${json}.` : `${found.length} violations, seed ${seed}. Written to ${json}.`);
  } finally {
    if (asPromised && keep === undefined) rmSync(directory, { recursive: true, force: true });
    else console.log(`Timeline, history and all logs are in ${directory}`);
  }
  return asPromised ? 0 : 1;
}

interface Outcome {
  readonly reports: readonly object[];
  readonly text: string;
  /** What is not as promised. */
  readonly found: readonly string[];
}

async function keyChaos({ minutes, seed, nodes, disk, compare, totem }: Options, directory: string): Promise<Outcome> {
  const reports: RunReport[] = [];
  const found: string[] = [];
  for (const system of compare ? ["lockstep", "baseline"] as const : ["lockstep"] as const) {
    const result = await runChaos({ system, seed, nodes, minutes, totem, durability: disk ? "disk" : "memory", directory: ownDirectory(directory, system), progress: (line) => console.log(`${compare ? `${system} ` : ""}${line}`) });
    reports.push(result.report);
    writeFileSync(join(directory, system, "findings.json"), JSON.stringify(result.findings, undefined, 2));
    // The baseline is there to be seen losing; only Lockstep has promised anything.
    if (system === "lockstep") found.push(...violations(result));
  }
  return { reports, text: formatReports(reports), found };
}

async function lockChaos({ minutes, seed, nodes, disk, withoutTokens, unhurried, totem }: Options, directory: string): Promise<Outcome> {
  const own = ownDirectory(directory, "locks");
  const result = await runLockChaos({ seed, nodes, minutes, totem, durability: disk ? "disk" : "memory", tokens: !withoutTokens, directory: own, progress: (line) => console.log(line) });
  writeFileSync(join(own, "findings.json"), JSON.stringify(result.findings, undefined, 2));
  return { reports: [result.report], text: formatLockReport(result.report), found: lockViolations(result, { hurried: !unhurried }) };
}

function ownDirectory(directory: string, system: SystemName | "locks"): string {
  const own = join(directory, system);
  mkdirSync(own);
  return own;
}

await runCommand(usage, async (args) => main(readOptions(args)));
