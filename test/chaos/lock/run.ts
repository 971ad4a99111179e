/** One run with locks: a cluster, servers, clients, a resource and faults for a while; then everything heals, nodes die in quiet, and all is judged. */
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Cluster } from "../../cluster/cluster.js";
import { eventually } from "../../cluster/eventually.js";
import { quickTotem, type Settings } from "../../cluster/corosync-conf.js";
import { Fleet } from "../fleet.js";
import { Nemesis } from "../nemesis.js";
import { planFaults } from "../plan.js";
import { seconds } from "../report.js";
import type { Durability } from "../server.js";
import { checkLocks } from "./checks.js";
import { Crowd } from "./crowd.js";
import { lockServer } from "./lock-server.js";
import { allActive, killHoldersNode } from "./node-death.js";
import type { NodeDeath } from "./node-death.js";
import type { LockDump } from "./replica.js";
import type { LockRunResult } from "./report.js";
import { Witnesses } from "./witnesses.js";

export interface LockRunOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly minutes: number;
  /** Put over what the bed gives its daemons. */
  readonly totem: Settings;
  readonly durability: Durability;
  /** The resource refuses tokens that are too old. */
  readonly tokens: boolean;
  /** Exists; gets the logs, the records and the timeline. */
  readonly directory: string;
  readonly progress: (line: string) => void;
}

const progressEveryMs = 10_000;
const restMs = 60_000;

export async function runLockChaos(options: LockRunOptions): Promise<LockRunResult> {
  const cluster = await Cluster.start({ nodes: options.nodes, totem: { ...quickTotem, ...options.totem } });
  try {
    return await new LockRun(options, cluster).toTheEnd();
  } finally {
    cpSync(cluster.directory, join(options.directory, "daemons"), { recursive: true });
    await cluster.stop();
  }
}

class LockRun {
  readonly #options: LockRunOptions;
  readonly #cluster: Cluster;
  readonly #fleet: Fleet;
  readonly #nemesis: Nemesis;
  readonly #witnesses = new Witnesses();
  readonly #crowd: Crowd;
  readonly #accidents: string[] = [];
  readonly #nodeDeaths: NodeDeath[] = [];
  #allActiveAfterMs: number | undefined;
  #startMs = performance.now();

  constructor(options: LockRunOptions, cluster: Cluster) {
    this.#options = options;
    this.#cluster = cluster;
    const { directory, durability, seed } = options;
    const accident = (what: string): void => { this.#accident(what); };
    const note = (what: string): void => { this.#nemesis.note(what); };
    this.#fleet = new Fleet({ cluster, program: fileURLToPath(new URL("./replica.js", import.meta.url)), group: `chaos-locks-${seed}`, directory, durability, accident });
    this.#nemesis = new Nemesis({ cluster, fleet: this.#fleet, now: () => this.#now(), changed: () => undefined, nodeDies: (nodeId) => this.#crowd.killOn(nodeId) });
    this.#crowd = new Crowd({ cluster, seed, directory, resource: this.#witnesses.socket, note, accident });
  }

  async toTheEnd(): Promise<LockRunResult> {
    try {
      return await this.#everything();
    } finally {
      await this.#crowd.kill();
      this.#witnesses.close();
      await this.#fleet.close();
      this.#keep();
    }
  }

  async #everything(): Promise<LockRunResult> {
    const { nodes, seed, minutes, durability, directory, tokens } = this.#options;
    for (const nodeId of this.#cluster.nodeIds) this.#fleet.start(nodeId);
    const watching = this.#fleet.watch(() => {
      for (const nodeId of this.#nemesis.mendDaemons()) this.#accident(`Corosync on node ${nodeId} ended by itself`);
    });
    await allActive(this.#fleet);
    await this.#witnesses.start(this.#cluster, directory, tokens, (what) => { this.#accident(what); });
    await this.#crowd.start();
    this.#startMs = performance.now();
    const progress = setInterval(() => { this.#tellProgress(); }, progressEveryMs);
    try {
      const durationMs = minutes * 60_000;
      await Promise.all([this.#nemesis.run(planFaults({ seed, nodes, durationMs, durability, nodesDie: true })), this.#crowd.torment(durationMs, () => this.#now())]);
      const obstacle = await this.#comeToRest();
      await this.#fleet.close();
      await watching;
      return this.#judge(obstacle);
    } finally {
      clearInterval(progress);
    }
  }

  /** Returns what was waited for in vain. */
  async #comeToRest(): Promise<string | undefined> {
    const healedMs = this.#now();
    this.#nemesis.note("all faults are over");
    try {
      await this.#cluster.waitForRing(this.#cluster.nodeIds, { timeoutMs: restMs });
      await allActive(this.#fleet);
      this.#allActiveAfterMs = this.#now() - healedMs;
      this.#nemesis.note("all replicas are active");
      await within(restMs, this.#crowd.finish(), "every client's calls to be answered");
      this.#nemesis.note("every waiter is answered");
      await this.#letNodesDie();
      await this.#crowd.close();
      await eventually(() => this.#areAlikeAndEmpty(), { what: "all sessions to end, and all replicas to be alike", timeoutMs: restMs, details: async () => JSON.stringify(await this.#dumps()) });
      this.#nemesis.note("no session is left, all replicas are alike");
      return undefined;
    } catch (error) {
      this.#nemesis.note((error as Error).message);
      return (error as Error).message;
    }
  }

  async #letNodesDie(): Promise<void> {
    const parts = { cluster: this.#cluster, fleet: this.#fleet, crowd: this.#crowd, nemesis: this.#nemesis };
    for (const node of this.#cluster.nodeIds) await this.#letNodeDie(() => killHoldersNode(parts, node, true));
    await this.#letNodeDie(() => killHoldersNode(parts, 1, false));
  }

  async #letNodeDie(kill: () => Promise<NodeDeath>): Promise<void> {
    const death = await kill();
    this.#nodeDeaths.push(death);
    this.#nemesis.note(`node ${death.node} died with a holder (${death.bound ? "bound" : "lease"}): next grant after ${Math.round(death.toNextGrantMs)} ms`);
  }

  async #areAlikeAndEmpty(): Promise<boolean> {
    const dumps = await this.#dumps();
    const [first] = dumps;
    return first !== undefined && dumps.length === this.#options.nodes && first.sessions === 0 && first.waiting === 0 &&
      dumps.every(({ digest, applied }) => digest === first.digest && applied === first.applied) && this.#witnesses.haveHeard(first.revision);
  }

  async #dumps(): Promise<LockDump[]> {
    const dumps = await Promise.all(this.#cluster.nodeIds.map(async (nodeId) => lockServer(this.#fleet, nodeId)?.call("dump").catch(() => undefined)));
    return dumps.filter((dump) => dump !== undefined);
  }

  #judge(notAtRest: string | undefined): LockRunResult {
    const { seed, nodes, minutes, durability, tokens } = this.#options;
    const { events, records, contradictions } = this.#witnesses;
    const { findings: judged, counts } = checkLocks(events, records);
    const findings = { ...judged, events: [...judged.events, ...contradictions] };
    const sessionsEnded: Record<string, number> = {};
    for (const { event } of events) if (event.type === "session-ended") sessionsEnded[event.reason] = (sessionsEnded[event.reason] ?? 0) + 1;
    return {
      findings,
      report: {
        system: "lockstep-lock", seed, nodes, minutes, durability, tokens,
        faults: Object.fromEntries(this.#nemesis.injected), faultsSkipped: this.#nemesis.skipped, clients: this.#crowd.done, outcomes: this.#crowd.outcomes,
        ...counts,
        found: {
          lateWrites: findings.lateWrites.length, overlappingSections: findings.overlappingSections.length, tokens: findings.tokens.length, incompatibleHolders: findings.incompatibleHolders.length,
          overtaken: findings.overtaken.length, unknownGrants: findings.unknownGrants.length, beliefs: findings.beliefs.length, events: findings.events.length,
        },
        sessionsEnded, nodeDeaths: this.#nodeDeaths, allActiveAfterMs: this.#allActiveAfterMs, notAtRest, accidents: this.#accidents,
      },
    };
  }

  // What happens meanwhile.

  #now(): number {
    return performance.now() - this.#startMs;
  }

  #accident(what: string): void {
    this.#accidents.push(what);
    this.#nemesis.note(what);
  }

  /** With what can be said already; an event that is still to come may change it. */
  #tellProgress(): void {
    const { inForce, injected, skipped } = this.#nemesis;
    const { counts, findings } = checkLocks(this.#witnesses.events, this.#witnesses.records);
    const faults = Array.from(injected.values()).reduce((sum, count) => sum + count, 0);
    const { stops, stumbles, kills } = this.#crowd.done;
    this.#options.progress(`${seconds(this.#now())} of ${this.#options.minutes * 60} s: ${counts.grants} grants, ${counts.writesAccepted} writes, ${counts.writesRefused} refused, ${findings.lateWrites.length} late; ` +
      `${findings.incompatibleHolders.length + findings.tokens.length + findings.beliefs.length + findings.overtaken.length} violations; ${faults} faults, ${skipped} skipped; clients: ${stops + stumbles} stops, ${kills} kills; ${inForce.join(", ") || "no fault"}`);
  }

  /** What a failure is looked into with. */
  #keep(): void {
    const { directory } = this.#options;
    const { events, records } = this.#witnesses;
    const lines = (name: string, all: readonly unknown[]): void => { writeFileSync(join(directory, name), all.map((one) => `${JSON.stringify(one)}\n`).join("")); };
    lines("events.jsonl", events);
    lines("resource.jsonl", records);
    writeFileSync(join(directory, "timeline.txt"), this.#nemesis.timeline.map(({ ms, what }) => `${seconds(ms).padStart(9)}  ${what}\n`).join(""));
  }
}

async function within(ms: number, work: Promise<void>, what: string): Promise<void> {
  const patience = new AbortController();
  const late = sleep(ms, "late", { signal: patience.signal }).catch(() => "in time");
  const ended = await Promise.race([work.then(() => "in time"), late]);
  patience.abort();
  if (ended === "late") throw new Error(`Waited ${ms} ms in vain for ${what}.`);
}
