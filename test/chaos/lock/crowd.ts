/** The clients of a run: processes on the nodes, some stopped at any moment, some between a look and a write for longer than their leases, some killed and followed by others. */
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "@lockstep/framework/testing";
import type { Cluster } from "../../cluster/cluster.js";
import { nodeAddress } from "../../cluster/corosync-conf.js";
import { ServedProcess } from "../../cluster/served-process.js";
import { monotonicMs } from "./records.js";
import { stumbling } from "./stumbling.js";
import type { ChaosLockClient } from "./client.js";
import { port } from "./replica-port.js";

export interface CrowdOptions {
  readonly cluster: Cluster;
  readonly seed: number;
  /** For the clients' logs. */
  readonly directory: string;
  /** The resource's socket. */
  readonly resource: string;
  readonly note: (what: string) => void;
  /** Something that no fault brought about. */
  readonly accident: (what: string) => void;
}

export interface LockClientProcess {
  readonly name: string;
  readonly nodeId: number;
  readonly process: ServedProcess<ChaosLockClient>;
  readonly ttlMs: number;
  readonly bound: boolean;
}

interface Worker extends LockClientProcess {
  /** Resolves when it has stopped working. */
  work: Promise<void>;
  /** In force: they lie over each other. */
  stops: number;
  killed: boolean;
}

const program = fileURLToPath(new URL("./client.js", import.meta.url));
const clientsPerNode = 3;
const gapMs = [500, 4_000] as const;
const ttlsMs = [1_500, 2_000, 3_000] as const;
const killShare = 0.3;
/** Of the TTL: most stops outlast the lease, some do not. */
const stopOfTtl = [0.2, 1.8] as const;
const restartMs = [100, 1_500] as const;

/** Their own node's replica first, then the others. */
export function endpointsOf(cluster: Cluster, nodeId: number): string[] {
  return [nodeId, ...cluster.nodeIds.filter((other) => other !== nodeId)].map((other) => `http://${nodeAddress(other)}:${port}`);
}

export class Crowd {
  /** Stops at any moment, stumbles, kills. */
  readonly done = { stops: 0, stumbles: 0, kills: 0 };
  readonly outcomes: Record<string, number> = {};
  readonly #options: CrowdOptions;
  readonly #random: Random;
  /** By place: each has a client, or will have the next. */
  readonly #workers = new Map<number, Worker>();
  /** All that were ever opened. */
  readonly #clients: LockClientProcess[] = [];
  readonly #deaths = new Map<number, number>();
  readonly #entering = new Set<Promise<void>>();
  #lives = 0;
  #running = true;

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#random = Random.of(options.seed, 77);
  }

  async start(): Promise<void> {
    const places = this.#options.cluster.nodeIds.length * clientsPerNode;
    await Promise.all(Array.from({ length: places }, (_, place) => this.#enter(place)));
  }

  /** Stops and kills, from the seed, until it is time. */
  async torment(untilMs: number, now: () => number): Promise<void> {
    for (;;) {
      const rest = this.#random.between(...gapMs);
      if (now() + rest >= untilMs) return;
      await sleep(rest);
      const place = this.#random.between(0, this.#options.cluster.nodeIds.length * clientsPerNode - 1);
      const [low, high] = stopOfTtl;
      const [kill, share, restart] = [this.#random.chance(killShare), low + (high - low) * this.#random.next(), this.#random.between(...restartMs)];
      const worker = this.#workers.get(place);
      if (worker === undefined) continue;
      if (kill) this.#succeed(place, worker, restart);
      else this.#stop(worker, worker.ttlMs * share, "any moment");
    }
  }

  /** Those that are left end what they are at: every one who waits is answered. */
  async finish(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#entering);
    const workers = Array.from(this.#workers.values());
    await Promise.all(workers.map(async ({ process, work }) => {
      await process.call("stop").catch(() => undefined);
      await work;
    }));
  }

  /** Their sessions with them. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#workers.values(), (worker) => worker.process.call("close").catch(() => undefined)));
    await this.kill();
  }

  async kill(): Promise<void> {
    this.#running = false;
    const workers = Array.from(this.#workers.values());
    for (const worker of workers) worker.killed = true;
    await Promise.all(workers.map((worker) => worker.process.kill()));
  }

  /** The clients on a node die with it; those who work have successors, a while later. */
  async killOn(nodeId: number): Promise<void> {
    this.#deaths.set(nodeId, monotonicMs());
    const there = this.#clients.filter((client) => client.nodeId === nodeId);
    const killed = there.map((client) => client.process.kill());
    for (const [place, worker] of Array.from(this.#workers)) if (worker.nodeId === nodeId && this.#running) this.#succeed(place, worker, this.#random.between(...restartMs));
    await Promise.all(killed);
  }

  /** monotonicMs() of the node's last death. */
  diedAt(nodeId: number): number | undefined {
    return this.#deaths.get(nodeId);
  }

  /** A client that does nothing by itself. */
  async open(nodeId: number, { ttlMs, bound }: { readonly ttlMs: number; readonly bound: boolean }): Promise<LockClientProcess> {
    const { cluster, directory, resource, seed } = this.#options;
    this.#lives++;
    const name = `c${this.#lives}-on-${nodeId}`;
    const log = openSync(join(directory, "clients.log"), "a");
    const child = cluster.node(nodeId).spawn(process.execPath, [program], { stdio: ["ignore", log, log, "ipc"], serialization: "advanced" });
    closeSync(log);
    const served = new ServedProcess<ChaosLockClient>(child, name);
    await served.call("setUp", { name, seed: seed * 1_000 + this.#lives, endpoints: endpointsOf(cluster, nodeId), ttlMs, bound, resource });
    const client = { name, nodeId, process: served, ttlMs, bound };
    this.#clients.push(client);
    return client;
  }

  async #enter(place: number): Promise<void> {
    const { cluster } = this.#options;
    const nodeId = 1 + (place % cluster.nodeIds.length);
    const opened = await this.open(nodeId, { ttlMs: this.#random.pick(ttlsMs) ?? ttlsMs[0], bound: place < cluster.nodeIds.length });
    const worker: Worker = { ...opened, work: Promise.resolve(), stops: 0, killed: false };
    worker.work = this.#workOf(worker);
    worker.process.process.on("message", (message) => {
      if (message === stumbling) this.#stop(worker, worker.ttlMs * (1 + 0.5 * this.#random.next()), "between look and write");
    });
    this.#workers.set(place, worker);
    if (!this.#running) await opened.process.call("stop").catch(() => undefined);
  }

  async #workOf(worker: Worker): Promise<void> {
    try {
      const outcomes = await worker.process.call("work");
      for (const [outcome, count] of Object.entries(outcomes)) this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + count;
    } catch (error) {
      if (!worker.killed) this.#options.accident(`client ${worker.name} ended by itself: ${(error as Error).message}`);
    }
  }

  #stop(worker: Worker, ms: number, where: string): void {
    if (worker.killed || !this.#running) return;
    if (where === "any moment") this.done.stops++;
    else this.done.stumbles++;
    this.#options.note(`stop client ${worker.name} for ${Math.round(ms)} ms (TTL ${worker.ttlMs}): ${where}`);
    worker.process.process.kill("SIGSTOP");
    worker.stops++;
    setTimeout(() => {
      worker.stops--;
      if (!worker.killed && worker.stops === 0) worker.process.process.kill("SIGCONT");
    }, ms);
  }

  #succeed(place: number, worker: Worker, restMs: number): void {
    const entering = this.#replace(place, worker, restMs).finally(() => { this.#entering.delete(entering); });
    this.#entering.add(entering);
  }

  async #replace(place: number, worker: Worker, restMs: number): Promise<void> {
    this.done.kills++;
    this.#options.note(`kill client ${worker.name}`);
    worker.killed = true;
    this.#workers.delete(place);
    await worker.process.kill();
    await sleep(restMs);
    if (this.#running) await this.#enter(place).catch((error: unknown) => { this.#options.accident(`a client could not be started: ${(error as Error).message}`); });
  }
}
