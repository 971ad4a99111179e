/** One run: a cluster, replicas, clients and faults for a while; then everything heals, comes to rest, and is judged. */
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Random } from "@lockstep/framework/testing";
import { Cluster } from "../cluster/cluster.js";
import { eventually } from "../cluster/eventually.js";
import { quickTotem, type Settings } from "../cluster/corosync-conf.js";
import { Togetherness, majorityTogether } from "./availability.js";
import { checkHistory } from "./checks.js";
import { Client } from "./client.js";
import { Fleet } from "./fleet.js";
import { History } from "./history.js";
import type { OperationRecord, Outcome, Value } from "./history.js";
import { digestOf } from "./machine.js";
import type { Dump } from "./machine.js";
import { Nemesis } from "./nemesis.js";
import { planFaults } from "./plan.js";
import { seconds } from "./report.js";
import type { RunReport, RunResult, SystemName } from "./report.js";
import type { Consistency, Durability, Status } from "./server.js";

export interface RunOptions {
  readonly system: SystemName;
  readonly seed: number;
  readonly nodes: number;
  readonly minutes: number;
  /** Put over what the bed gives its daemons. */
  readonly totem: Settings;
  readonly durability: Durability;
  /** Exists; gets the logs, the history and the timeline. */
  readonly directory: string;
  readonly progress: (line: string) => void;
}

const programs: Readonly<Record<SystemName, string>> = { lockstep: "lockstep-replica.js", baseline: "baseline-replica.js" };
const clientsPerNode = 3;
const progressEveryMs = 10_000;
const firstStartMs = 60_000;
const restMs = 60_000;

export async function runChaos(options: RunOptions): Promise<RunResult> {
  const cluster = await Cluster.start({ nodes: options.nodes, totem: { ...quickTotem, ...options.totem } });
  try {
    return await new Run(options, cluster).toTheEnd();
  } finally {
    cpSync(cluster.directory, join(options.directory, "daemons"), { recursive: true });
    await cluster.stop();
  }
}

interface Rest {
  /** From the end of the last fault. */
  readonly allActiveAfterMs: number | undefined;
  /** What was waited for in vain, if anything. */
  readonly obstacle: string | undefined;
}

class Run {
  readonly #options: RunOptions;
  readonly #cluster: Cluster;
  readonly #fleet: Fleet;
  readonly #nemesis: Nemesis;
  readonly #history = new History();
  readonly #togetherness = new Togetherness();
  readonly #accidents: string[] = [];
  #startMs = performance.now();

  constructor(options: RunOptions, cluster: Cluster) {
    this.#options = options;
    this.#cluster = cluster;
    const program = fileURLToPath(new URL(`./${programs[options.system]}`, import.meta.url));
    const group = `chaos-${options.system}-${options.seed}`;
    this.#fleet = new Fleet({ cluster, program, group, directory: options.directory, durability: options.durability, accident: (what) => this.#accident(what) });
    this.#nemesis = new Nemesis({ cluster, fleet: this.#fleet, now: () => this.#now(), changed: () => this.#healthChanged() });
  }

  async toTheEnd(): Promise<RunResult> {
    try {
      return await this.#everything();
    } finally {
      await this.#fleet.close();
      this.#keep();
    }
  }

  async #everything(): Promise<RunResult> {
    const { nodes, seed, minutes } = this.#options;
    for (const nodeId of this.#cluster.nodeIds) this.#fleet.start(nodeId);
    const watching = this.#fleet.watch(() => this.#looked());
    await this.#until("active for the first time", firstStartMs, () => this.#statuses()?.every(({ active }) => active));
    this.#startMs = performance.now();
    this.#healthChanged();
    const progress = setInterval(() => this.#tellProgress(), progressEveryMs);
    const clients = this.#makeClients();
    const working = Promise.all(clients.map((client) => client.run()));
    try {
      await this.#nemesis.run(planFaults({ seed, nodes, durationMs: minutes * 60_000, durability: this.#options.durability }));
      const rest = await this.#comeToRest(async () => {
        for (const client of clients) client.stop();
        await working;
      });
      const endMs = this.#now();
      const dumps = await this.#dumps();
      await this.#fleet.close();
      await watching;
      return this.#judge(dumps, rest, endMs);
    } finally {
      clearInterval(progress);
      for (const client of clients) client.stop();
    }
  }

  #makeClients(): Client[] {
    const { nodes, seed } = this.#options;
    const lastSeen = new Map<string, Value>();
    return Array.from({ length: nodes * clientsPerNode }, (_, index) => new Client({
      name: `c${index + 1}`, fleet: this.#fleet, history: this.#history, random: new Random(seed * 1_000 + index), lastSeen,
      now: () => this.#now(), home: 1 + (index % nodes),
    }));
  }

  /** After the last fault. The clients go on until all replicas are active; then nothing may be left that has not ended. */
  async #comeToRest(stopClients: () => Promise<void>): Promise<Rest> {
    const healedMs = this.#nemesis.timeline.at(-1)?.ms ?? 0;
    let allActiveAfterMs: number | undefined;
    this.#nemesis.note("all faults are over");
    try {
      await this.#cluster.waitForRing(this.#cluster.nodeIds, { timeoutMs: restMs });
      await this.#until("active", restMs, async () => {
        // Older news may be of before the ring.
        const looked = await Promise.all(this.#cluster.nodeIds.map((nodeId) => this.#fleet.look(nodeId)));
        return looked.every(Boolean) && this.#statuses()?.every(({ active }) => active) === true;
      });
      allActiveAfterMs = this.#now() - healedMs;
      this.#nemesis.note("all replicas are active");
      await stopClients();
      await this.#until("at one position, with one state and nothing pending", restMs, () => this.#areAlike());
      this.#nemesis.note("all replicas are alike");
      return { allActiveAfterMs, obstacle: undefined };
    } catch (error) {
      await stopClients();
      this.#nemesis.note((error as Error).message);
      await this.#describeUnrest();
      return { allActiveAfterMs, obstacle: (error as Error).message };
    }
  }

  /** Who is in the group as each daemon sees it, and what each replica knows. */
  async #describeUnrest(): Promise<void> {
    const views = await Promise.all(this.#cluster.nodeIds.map(async (nodeId) => {
      const replica = this.#fleet.life(nodeId)?.process.call("describe").catch(String);
      const daemon = this.#cluster.node(nodeId).namespace.run("corosync-cpgtool", [], { timeoutMs: 2_000, anyExitCode: true }).catch(String);
      return `== node ${nodeId}\n${await daemon}\n${await replica ?? "no replica"}\n`;
    }));
    writeFileSync(join(this.#options.directory, "unrest.txt"), views.join(""));
  }

  async #areAlike(): Promise<boolean> {
    const statuses = this.#statuses();
    const settled = statuses?.every(({ active, pending, applied }) => active && pending === 0 && applied === statuses[0]?.applied);
    if (settled !== true) return false;
    const digests = Array.from((await this.#dumps()).values(), digestOf);
    return digests.length === this.#options.nodes && digests.every((digest) => digest === digests[0]);
  }

  async #dumps(): Promise<Map<number, Dump>> {
    const dumps = await Promise.all(this.#cluster.nodeIds.map(async (nodeId) => {
      const dump = await this.#fleet.life(nodeId)?.process.call("dump").catch(() => undefined);
      return dump === undefined ? [] : [[nodeId, dump] as const];
    }));
    return new Map(dumps.flat());
  }

  /** Undefined while one of them has said nothing yet. */
  #statuses(): Status[] | undefined {
    const known = this.#cluster.nodeIds.flatMap((nodeId) => this.#fleet.life(nodeId)?.status ?? []);
    return known.length === this.#options.nodes ? known : undefined;
  }

  async #until(what: string, timeoutMs: number, condition: () => boolean | undefined | Promise<boolean>): Promise<void> {
    await eventually(condition, { what: `all replicas to be ${what}`, timeoutMs, details: () => [JSON.stringify(this.#statuses()), ...this.#accidents.slice(-3)].join("\n") });
  }

  #judge(dumps: ReadonlyMap<number, Dump>, { allActiveAfterMs, obstacle }: Rest, endMs: number): RunResult {
    const { system, seed, nodes, minutes, durability } = this.#options;
    const { operations } = this.#history;
    const findings = checkHistory(operations, dumps);
    const writes = operations.filter(({ work }) => work.type !== "read");
    const ended = (of: readonly OperationRecord[], type: Outcome["type"]): OperationRecord[] => of.filter(({ outcome }) => outcome?.type === type);
    const reads = (consistency: Consistency): number => ended(operations, "ok").filter(({ work }) => work.type === "read" && work.consistency === consistency).length;
    const silence = this.#togetherness.longestSilence(groupAnswers(operations), endMs);
    return {
      findings,
      report: {
        system, seed, nodes, minutes, durability,
        faults: Object.fromEntries(this.#nemesis.injected), faultsSkipped: this.#nemesis.skipped,
        operations: operations.length,
        writesAcknowledged: ended(writes, "ok").length, writesOfUnknownOutcome: ended(writes, "unknown").length, writesRefused: ended(writes, "none").length,
        linearizableReads: reads("linearizable"), sequentialReads: reads("sequential"),
        lost: findings.lost.length, duplicated: findings.duplicated.length, doneThoughRefused: findings.doneThoughRefused.length,
        contradictory: findings.contradictory.length, nonLinearizable: findings.nonLinearizable.length, keysChecked: new Set(operations.map(({ key }) => key)).size,
        badReads: findings.badReads.length, replicasThatDiffer: findings.diverged.length,
        longestSilenceMs: Math.round(silence.ms), longestSilenceFromMs: Math.round(silence.fromMs),
        allActiveAfterMs, notAtRest: obstacle, accidents: this.#accidents, snapshotsOnDisk: this.#fleet.snapshots,
      } satisfies RunReport,
    };
  }

  // What happens meanwhile.

  #now(): number {
    return performance.now() - this.#startMs;
  }

  #looked(): void {
    for (const nodeId of this.#nemesis.mendDaemons()) this.#accident(`Corosync on node ${nodeId} ended by itself`);
    this.#healthChanged();
  }

  #healthChanged(): void {
    const health = new Map(this.#cluster.nodeIds.map((nodeId) => [nodeId, this.#nemesis.health(nodeId)]));
    this.#togetherness.update(majorityTogether(health), this.#now());
  }

  #accident(what: string): void {
    this.#accidents.push(what);
    this.#nemesis.note(what);
  }

  #tellProgress(): void {
    const { inForce, injected, skipped } = this.#nemesis;
    const faults = Array.from(injected.values()).reduce((sum, count) => sum + count, 0);
    const roles = this.#cluster.nodeIds.map((nodeId) => `${nodeId} ${this.#describe(nodeId)}`).join(", ");
    this.#options.progress(`${seconds(this.#now())} of ${this.#options.minutes * 60} s: ${this.#history.acknowledgedWrites} writes acknowledged; ${faults} faults, ${skipped} skipped; ${roles}; ${inForce.join(", ") || "no fault"}`);
  }

  #describe(nodeId: number): string {
    const life = this.#fleet.life(nodeId);
    if (life === undefined) return "down";
    return life.frozen ? "frozen" : (life.status?.role.split(":")[0] ?? "starting");
  }

  /** What a failure is looked into with. */
  #keep(): void {
    const { directory } = this.#options;
    this.#history.write(join(directory, "history.jsonl"));
    writeFileSync(join(directory, "timeline.txt"), this.#nemesis.timeline.map(({ ms, what }) => `${seconds(ms).padStart(9)}  ${what}\n`).join(""));
  }
}

/** Times of answers that took the group: writes and linearizable reads. Ascending. */
function groupAnswers(operations: readonly OperationRecord[]): number[] {
  return operations.flatMap(({ work, outcome, returnMs }) => {
    const tookTheGroup = work.type !== "read" || work.consistency === "linearizable";
    return tookTheGroup && outcome?.type === "ok" && returnMs !== undefined ? [returnMs] : [];
  }).sort((a, b) => a - b);
}
