/** Run as a process of its own on a node: the baseline beside Lockstep (baseline.ts), driven by the controller the same way. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { serveCalls } from "../cluster/serve-calls.js";
import { Baseline } from "./baseline.js";
import { dumpOf } from "./machine.js";
import type { Change, ChangeResult, Dump } from "./machine.js";
import type { ChangeOptions, ChaosServer, Consistency, Reply, Status } from "./server.js";

const retryMs = 250;

class BaselineServer implements ChaosServer {
  #replica: Baseline | undefined;
  #incarnation = "";
  #pending = 0;

  async open(group: string, slots: number): Promise<void> {
    const replica = new Baseline(group, slots);
    this.#replica = replica;
    void this.#keepConnected(replica);
    return Promise.resolve();
  }

  /** Its state stays in memory while the daemon is away. */
  async #keepConnected(replica: Baseline): Promise<void> {
    for (;;) {
      this.#incarnation = randomUUID();
      const error = await replica.live().catch((error: unknown) => error);
      console.error(`${new Date().toISOString()} the group was lost: ${String(error)}`);
      await sleep(retryMs);
    }
  }

  async change(change: Change, { requestId, timeoutMs }: ChangeOptions): Promise<Reply<ChangeResult>> {
    return this.#answer((replica) => replica.change(change, requestId), timeoutMs, { code: "TIMED_OUT", effect: "unknown" });
  }

  async read(key: string, consistency: Consistency, timeoutMs: number): Promise<Reply<string | number | null>> {
    return this.#answer((replica) => replica.read(key, consistency), timeoutMs, { code: "TIMED_OUT", effect: "none" });
  }

  async #answer<T>(ask: (replica: Baseline) => Promise<Reply<T>>, timeoutMs: number, late: Reply<T>): Promise<Reply<T>> {
    if (this.#replica === undefined) return { code: "NOT_OPEN", effect: "none" };
    this.#pending++;
    const patience = new AbortController();
    try {
      return await Promise.race([ask(this.#replica), sleep(timeoutMs, late, { signal: patience.signal })]);
    } finally {
      patience.abort();
      this.#pending--;
    }
  }

  async status(): Promise<Status> {
    const active = this.#replica?.active ?? false;
    return Promise.resolve({ role: active ? "active" : "not current", active, lineage: active, incarnation: this.#incarnation, applied: this.#replica?.applied ?? 0, pending: this.#pending, base: undefined, stopped: undefined });
  }

  async dump(): Promise<Dump> {
    if (this.#replica === undefined) throw new Error("this replica is not open");
    return Promise.resolve(dumpOf(this.#replica.state));
  }

  async describe(): Promise<string> {
    return Promise.resolve(`members ${this.#replica?.members.join(", ") ?? "unknown"}`);
  }
}

serveCalls(new BaselineServer());
