/** Puts a plan's faults in force and ends them, at their times, on a real cluster; keeps the timeline of what it did. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../cluster/cluster.js";
import type { NodeHealth } from "./availability.js";
import { describeFault, faultKinds, isProcessFault } from "./fault.js";
import type { Fault, FaultKind, PlannedFault, ProcessFault } from "./fault.js";
import type { Fleet } from "./fleet.js";

export interface Moment {
  readonly ms: number;
  readonly what: string;
}

export interface NemesisOptions {
  readonly cluster: Cluster;
  readonly fleet: Fleet;
  /** Milliseconds since the start of the run. */
  readonly now: () => number;
  /** What is in force has changed. */
  readonly changed: () => void;
  /** A node dies at this instant: kills its clients. */
  readonly nodeDies?: (nodeId: number) => Promise<void>;
}

export class Nemesis {
  readonly timeline: Moment[] = [];
  readonly injected = new Map<FaultKind, number>(faultKinds.map((kind) => [kind, 0]));
  skipped = 0;
  readonly #options: NemesisOptions;
  readonly #inForce = new Set<PlannedFault>();

  constructor(options: NemesisOptions) {
    this.#options = options;
  }

  get inForce(): string[] {
    return Array.from(this.#inForce, ({ fault }) => describeFault(fault));
  }

  /** Resolves when the last fault of the plan is over. */
  async run(plan: readonly PlannedFault[]): Promise<void> {
    const moments = plan.flatMap((planned) => [{ atMs: planned.startMs, planned }, { atMs: planned.endMs, planned }]);
    for (const { atMs, planned } of moments.sort((a, b) => a.atMs - b.atMs)) {
      await sleep(Math.max(0, atMs - this.#options.now()));
      if (atMs === planned.startMs) await this.start(planned);
      else await this.end(planned);
    }
  }

  note(what: string): void {
    this.timeline.push({ ms: Math.round(this.#options.now()), what });
  }

  health(nodeId: number): NodeHealth {
    const { cluster, fleet } = this.#options;
    const { linkDown, deafTo } = this.#networkFaults(nodeId);
    const life = fleet.life(nodeId);
    const replicaIsWell = life !== undefined && !life.frozen && fleet.account.remembers(nodeId);
    return { linkDown, deafTo, daemonRuns: cluster.node(nodeId).daemonPid !== undefined && !this.#has("pauseDaemon", nodeId), replicaIsWell };
  }

  /** A daemon that ended though nobody killed it is started again, as systemd would. Returns which. */
  mendDaemons(): number[] {
    const { cluster, fleet } = this.#options;
    const ended = cluster.nodeIds.filter((nodeId) => cluster.node(nodeId).daemonPid === undefined && !this.#isMeantToBeDown("killDaemon", nodeId));
    for (const nodeId of ended) {
      fleet.account.erase(nodeId, fleet.life(nodeId)?.status?.incarnation);
      cluster.node(nodeId).startDaemon();
    }
    return ended;
  }

  /** Now, whatever the plan says. */
  async start(planned: PlannedFault): Promise<void> {
    const { fault } = planned;
    // Before it strikes: a daemon that is killed must not be taken for one that ended by itself.
    this.#inForce.add(planned);
    const obstacle = isProcessFault(fault) ? await this.#strike(fault) : undefined;
    if (fault.kind === "powerLoss") await this.#cutPower();
    if (obstacle !== undefined) {
      this.#inForce.delete(planned);
      this.skipped++;
      this.note(`skipped: ${describeFault(fault)}: ${obstacle}`);
      return;
    }
    if (!isProcessFault(fault)) await this.#applyNetwork();
    this.injected.set(fault.kind, (this.injected.get(fault.kind) ?? 0) + 1);
    this.note(describeFault(fault));
    this.#options.changed();
  }

  async end(planned: PlannedFault): Promise<void> {
    if (!this.#inForce.delete(planned)) return;
    const { fault } = planned;
    if (isProcessFault(fault)) this.#mend(fault);
    else if (fault.kind === "powerLoss") this.#restorePower();
    else await this.#applyNetwork();
    this.note(`end of: ${describeFault(fault)}`);
    this.#options.changed();
  }

  /** Returns why it is not done, if it is not. */
  async #strike({ kind, node }: ProcessFault): Promise<string | undefined> {
    const { cluster, fleet } = this.#options;
    const life = fleet.life(node);
    // Which incarnation is erased, or frozen, has to be known: memory-account.ts. A frozen one has not changed since it was looked at.
    if (kind !== "pauseDaemon" && life?.frozen !== true && !(await fleet.look(node)) && life !== undefined) return "its replica does not answer";
    if ((kind === "killDaemon" || kind === "killReplica" || kind === "killNode") && !fleet.account.mayErase(node)) return "less than a majority would remember";
    switch (kind) {
      case "pauseDaemon":
        if (cluster.node(node).daemonPid === undefined) return "it is down";
        await cluster.node(node).pauseDaemon();
        return undefined;
      case "killDaemon":
        if (cluster.node(node).daemonPid === undefined) return "it is down";
        fleet.account.erase(node, life?.status?.incarnation);
        await cluster.node(node).killDaemon();
        return undefined;
      case "pauseReplica":
        if (life === undefined) return "it is down";
        fleet.pause(node);
        return undefined;
      case "killReplica":
        if (life === undefined) return "it is down";
        await fleet.kill(node);
        return undefined;
      case "killNode":
        if (life === undefined || cluster.node(node).daemonPid === undefined) return "it is down";
        // Each sends its signals before it first waits.
        await Promise.all([cluster.node(node).killDaemon(), fleet.kill(node), this.#options.nodeDies?.(node)]);
        return undefined;
      default: return kind satisfies never;
    }
  }

  #mend({ kind, node }: ProcessFault): void {
    const { cluster, fleet } = this.#options;
    switch (kind) {
      case "pauseDaemon":
        if (cluster.node(node).daemonPid !== undefined) cluster.node(node).resumeDaemon();
        return;
      case "killDaemon":
        if (!this.#isMeantToBeDown("killDaemon", node)) cluster.node(node).startDaemon();
        return;
      case "pauseReplica": return fleet.resume(node);
      case "killReplica":
        if (fleet.life(node) === undefined && !this.#isMeantToBeDown("killReplica", node)) fleet.start(node);
        return;
      case "killNode": return this.#startAgain(node);
      default: return kind satisfies never;
    }
  }

  async #cutPower(): Promise<void> {
    const { cluster, fleet } = this.#options;
    await Promise.all(cluster.nodeIds.map(async (nodeId) => {
      const node = cluster.node(nodeId);
      await Promise.all([fleet.kill(nodeId), ...(node.daemonPid === undefined ? [] : [node.killDaemon()])]);
    }));
  }

  #restorePower(): void {
    for (const nodeId of this.#options.cluster.nodeIds) this.#startAgain(nodeId);
  }

  #startAgain(nodeId: number): void {
    const { cluster, fleet } = this.#options;
    if (cluster.node(nodeId).daemonPid === undefined && !this.#isMeantToBeDown("killDaemon", nodeId)) cluster.node(nodeId).startDaemon();
    if (fleet.life(nodeId) === undefined && !this.#isMeantToBeDown("killReplica", nodeId)) fleet.start(nodeId);
  }

  #isMeantToBeDown(kind: "killDaemon" | "killReplica", nodeId: number): boolean {
    return this.#has(kind, nodeId) || this.#has("killNode", nodeId) || Array.from(this.#inForce).some(({ fault }) => fault.kind === "powerLoss");
  }

  #has(kind: ProcessFault["kind"], nodeId: number): boolean {
    return Array.from(this.#inForce).some(({ fault }) => fault.kind === kind && fault.node === nodeId);
  }

  async #applyNetwork(): Promise<void> {
    const { cluster } = this.#options;
    await Promise.all(cluster.nodeIds.map((nodeId) => cluster.setFaults(nodeId, this.#networkFaults(nodeId))));
  }

  /** Of all faults that are in force: the end of one must not heal another. */
  #networkFaults(nodeId: number): { linkDown: boolean; deafTo: number[]; lossPercent: number } {
    const faults = Array.from(this.#inForce, ({ fault }) => fault);
    return {
      linkDown: faults.some((fault) => fault.kind === "cut" && fault.node === nodeId),
      deafTo: [...new Set(faults.flatMap((fault) => deafnessOf(nodeId, fault)))].sort((a, b) => a - b),
      lossPercent: Math.max(0, ...faults.map((fault) => (fault.kind === "loss" ? fault.percent : 0))),
    };
  }
}

/** Whom a node does not hear because of a fault. */
function deafnessOf(nodeId: number, fault: Fault): readonly number[] {
  switch (fault.kind) {
    case "split": return fault.side.includes(nodeId) ? fault.rest : fault.side;
    case "block": return fault.to === nodeId ? [fault.from] : [];
    case "partialCut": return fault.between.includes(nodeId) ? fault.between.filter((other) => other !== nodeId) : [];
    default: return [];
  }
}
