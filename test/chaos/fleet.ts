/** The replicas of a run: one process on each node, started again when it was killed, looked at all the time. */
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../cluster/cluster.js";
import { ServedProcess } from "../cluster/served-process.js";
import { MemoryAccount } from "./memory-account.js";
import type { ChaosServer, Durability, Status } from "./server.js";

export interface FleetOptions {
  readonly cluster: Cluster;
  /** The compiled program that serves ChaosServer. */
  readonly program: string;
  readonly group: string;
  readonly durability: Durability;
  /** For the replicas' logs, and their data if they are durable. */
  readonly directory: string;
  /** Something that no fault brought about. */
  readonly accident: (what: string) => void;
}

const lookEveryMs = 200;
const answerMs = 2_000;
/** Before a replica that ended by itself is started again. */
const supervisorMs = 500;

export interface Life {
  readonly number: number;
  readonly process: ServedProcess<ChaosServer>;
  frozen: boolean;
  status: Status | undefined;
  /** A question for the status is under way. */
  asked: Promise<boolean> | undefined;
  /** It is meant to end. */
  ending: boolean;
}

export class Fleet {
  readonly account: MemoryAccount;
  readonly #options: FleetOptions;
  readonly #lives = new Map<number, Life>();
  readonly #starts = new Map<number, number>();
  /** Where each one's log on disk began last. */
  readonly #bases = new Map<number, number>();
  #watching = true;
  /** How often a log on disk was seen to begin with a newer state. */
  snapshots = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.account = new MemoryAccount(options.cluster.nodeIds, options.durability);
  }

  get nodeIds(): readonly number[] {
    return this.#options.cluster.nodeIds;
  }

  life(nodeId: number): Life | undefined {
    return this.#lives.get(nodeId);
  }

  /** @throws Error if it is running. */
  start(nodeId: number): void {
    if (this.#lives.has(nodeId)) throw new Error(`the replica of node ${nodeId} is running`);
    const { cluster, program, directory, group, durability } = this.#options;
    const number = (this.#starts.get(nodeId) ?? 0) + 1;
    this.#starts.set(nodeId, number);
    const log = openSync(join(directory, `replica-${nodeId}.log`), "a");
    const child = cluster.node(nodeId).spawn(process.execPath, [program], { stdio: ["ignore", log, log, "ipc"], serialization: "advanced" });
    closeSync(log);
    const life: Life = { number, process: new ServedProcess(child, `the replica of node ${nodeId}`), frozen: false, status: undefined, asked: undefined, ending: false };
    this.#lives.set(nodeId, life);
    child.once("exit", (code, signal) => {
      if (!life.ending) this.#ended(nodeId, life, `the replica of node ${nodeId} ended by itself: code ${String(code)}, signal ${String(signal)}`);
    });
    life.process.call("open", group, cluster.nodeIds.length, durability === "disk" ? join(directory, `data-${nodeId}`) : undefined).catch(() => undefined);
  }

  /** SIGKILL: its memory is gone. */
  async kill(nodeId: number): Promise<void> {
    const life = this.#lives.get(nodeId);
    if (life === undefined) return;
    life.ending = true;
    this.account.erase(nodeId, life.status?.incarnation);
    this.#lives.delete(nodeId);
    await life.process.kill();
  }

  pause(nodeId: number): void {
    this.#freeze(nodeId, true);
  }

  resume(nodeId: number): void {
    this.#freeze(nodeId, false);
  }

  #freeze(nodeId: number, frozen: boolean): void {
    const life = this.#lives.get(nodeId);
    if (life === undefined || life.frozen === frozen) return;
    life.process.process.kill(frozen ? "SIGSTOP" : "SIGCONT");
    life.frozen = frozen;
  }

  /** Looks at a replica. False if it does not answer; then nothing new is known. */
  async look(nodeId: number): Promise<boolean> {
    const life = this.#lives.get(nodeId);
    if (life === undefined || life.frozen) return false;
    life.asked ??= this.#ask(nodeId, life);
    const patience = new AbortController();
    const answered = await Promise.race([life.asked, sleep(answerMs, false, { signal: patience.signal }).catch(() => false)]);
    patience.abort();
    return answered;
  }

  async #ask(nodeId: number, life: Life): Promise<boolean> {
    try {
      const status = await life.process.call("status");
      if (this.#lives.get(nodeId) !== life) return false;
      this.#checkPosition(nodeId, life.status, status);
      life.status = status;
      this.#countSnapshot(nodeId, status.base);
      this.account.saw(nodeId, status);
      if (status.stopped !== undefined) this.#ended(nodeId, life, `the replica of node ${nodeId} stopped itself: ${status.stopped}`);
      return true;
    } catch {
      return false;
    } finally {
      life.asked = undefined;
    }
  }

  #checkPosition(nodeId: number, before: Status | undefined, now: Status): void {
    if (before === undefined || before.incarnation !== now.incarnation || before.applied <= now.applied) return;
    this.#options.accident(`the replica of node ${nodeId} went back from position ${before.applied} to ${now.applied}`);
  }

  #countSnapshot(nodeId: number, base: number | undefined): void {
    if (base === undefined || base <= (this.#bases.get(nodeId) ?? 0)) return;
    this.#bases.set(nodeId, base);
    this.snapshots++;
  }

  /** Looks at all of them again and again until close(). */
  async watch(looked: () => void): Promise<void> {
    while (this.#watching) {
      await Promise.all(this.nodeIds.map((nodeId) => this.look(nodeId)));
      looked();
      await sleep(lookEveryMs);
    }
  }

  /** An end that was not ordered: noted, and mended as a supervisor would. */
  #ended(nodeId: number, life: Life, what: string): void {
    if (this.#lives.get(nodeId) !== life || !this.#watching) return;
    this.#options.accident(what);
    void this.#restart(nodeId);
  }

  async #restart(nodeId: number): Promise<void> {
    await this.kill(nodeId);
    await sleep(supervisorMs);
    if (this.#watching && !this.#lives.has(nodeId)) this.start(nodeId);
  }

  async close(): Promise<void> {
    this.#watching = false;
    await Promise.all(this.nodeIds.map((nodeId) => this.kill(nodeId)));
  }
}
