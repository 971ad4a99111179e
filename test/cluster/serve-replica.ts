/** A replica of the journal in a process of its own, driven over IPC: the other end of replica-process.ts. */
import { appendFileSync } from "node:fs";
import { createReplica, corosync, isLockstepError } from "@lockstep/framework";
import type { Inspection, Limits, QuorumOption, Replica } from "@lockstep/framework";
import { digestOf, journal } from "./journal.js";
import { serveCalls } from "./serve-calls.js";

export interface ReplicaSettings {
  readonly group: string;
  readonly limits?: Partial<Limits>;
  readonly quorum?: QuorumOption;
}

/** What became of the commands of a load. */
export interface LoadResult {
  readonly acknowledged: readonly string[];
  /** Outcome unknown: at most once. */
  readonly unknown: readonly string[];
  /** Certainly not done. */
  readonly refused: readonly string[];
  /** The longest time between two acknowledgements, milliseconds. */
  readonly longestGapMs: number;
}

type Journal = ReturnType<typeof open> extends Promise<infer R> ? R : never;

function open({ group, limits, quorum }: ReplicaSettings) {
  return createReplica(journal, { group, transport: corosync(), ...(limits === undefined ? {} : { limits }), ...(quorum === undefined ? {} : { quorum }) });
}

class Load {
  readonly #acknowledged: string[] = [];
  readonly #unknown: string[] = [];
  readonly #refused: string[] = [];
  readonly #clients: Promise<void>[];
  readonly #diary: string | undefined;
  #running = true;
  #lastAckMs = performance.now();
  #longestGapMs = 0;

  constructor(replica: Replica<unknown, typeof journal.commands, typeof journal.queries>, label: string, clients: number, diary?: string) {
    this.#diary = diary;
    this.#clients = Array.from({ length: clients }, (_, client) => this.#client(replica, `${label}-${client}`));
  }

  get acknowledged(): number {
    return this.#acknowledged.length;
  }

  async #client(replica: Replica<unknown, typeof journal.commands, typeof journal.queries>, label: string): Promise<void> {
    for (let sequence = 0; this.#running; sequence++) {
      const id = `${label}-${sequence}`;
      try {
        const times = await replica.submit.note({ id }, { timeoutMs: 3_000 });
        if (times !== 1) throw new Error(`${id} took effect ${times} times`);
        this.#note(id);
      } catch (error) {
        if (!isLockstepError(error)) throw error;
        (error.outcome === "unknown" ? this.#unknown : this.#refused).push(id);
        // Refusals come at once: do not spin.
        await new Promise((resolve) => { setTimeout(resolve, 20); });
      }
    }
  }

  #note(id: string): void {
    const now = performance.now();
    this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#lastAckMs);
    this.#lastAckMs = now;
    this.#acknowledged.push(id);
    if (this.#diary !== undefined) appendFileSync(this.#diary, `${id}\n`);
  }

  async stop(): Promise<LoadResult> {
    this.#running = false;
    await Promise.all(this.#clients);
    return { acknowledged: this.#acknowledged, unknown: this.#unknown, refused: this.#refused, longestGapMs: this.#longestGapMs };
  }
}

/** A replica's whole state, as of a position. */
export interface Holding {
  readonly applied: number;
  readonly digest: string;
  readonly ballast: number;
  /** Ids whose command took effect more than once. Clients of a load send none twice. */
  readonly repeated: readonly string[];
}

/** What a test can ask of the process. */
export class ReplicaServer {
  #replica: Journal | undefined;
  #load: Load | undefined;

  get #open(): Journal {
    if (this.#replica === undefined) throw new Error("open() comes first");
    return this.#replica;
  }

  async open(settings: ReplicaSettings): Promise<void> {
    this.#replica = await open(settings);
  }

  async ready(timeoutMs: number): Promise<void> {
    await this.#open.ready({ timeoutMs });
  }

  async inspect(): Promise<Inspection> {
    return Promise.resolve(this.#open.inspect());
  }

  async note(id: string, requestId?: string): Promise<number> {
    return this.#open.submit.note({ id }, requestId === undefined ? {} : { requestId });
  }

  /** As from JavaScript, which no compiler keeps from it. @returns the code of the error that it ends with; undefined: it was taken. */
  async noteUntyped(input: unknown): Promise<string | undefined> {
    try {
      await this.#open.submit.note(input as { id: string });
      return undefined;
    } catch (error) {
      if (isLockstepError(error)) return error.code;
      throw error;
    }
  }

  /** The code of the rejection, and its details. */
  async refuse(why: string): Promise<{ code: string; details: unknown }> {
    try {
      await this.#open.submit.refuse({ why });
    } catch (error) {
      if (isLockstepError(error)) return { code: error.code, details: error.details };
    }
    throw new Error("refuse() was not refused");
  }

  async fill(megabytes: number): Promise<void> {
    const perCommand = 50;
    const bytes = 1000;
    const commands = (megabytes * 1_000_000) / (perCommand * bytes);
    for (let index = 0; index < commands; index++) await this.#open.submit.load({ from: index * perCommand, count: perCommand, bytes });
  }

  async timesOf(id: string): Promise<number> {
    return this.#open.query.timesOf(id, { consistency: "linearizable" });
  }

  async effectsOf(ids: readonly string[]): Promise<readonly number[]> {
    return this.#open.query.effectsOf(ids);
  }

  async holding(): Promise<Holding> {
    const { state } = this.#open;
    const repeated = [...state.effects].flatMap(([id, times]) => (times > 1 ? [id] : []));
    return Promise.resolve({ applied: this.#open.inspect().positions.applied, digest: digestOf(state), ballast: state.ballast.size, repeated });
  }

  /** @param diary a file that gets the id of each acknowledged command, a line each: it outlives this process. */
  async startLoad(label: string, clients: number, diary?: string): Promise<void> {
    this.#load = new Load(this.#open, label, clients, diary);
    return Promise.resolve();
  }

  async acknowledged(): Promise<number> {
    return Promise.resolve(this.#load?.acknowledged ?? 0);
  }

  async stopLoad(): Promise<LoadResult> {
    if (this.#load === undefined) throw new Error("startLoad() comes first");
    return this.#load.stop();
  }

  async stop(): Promise<void> {
    await this.#open.stop();
  }
}

if (process.send !== undefined) serveCalls(new ReplicaServer());
