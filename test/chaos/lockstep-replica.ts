/** Run as a process of its own on a node: a Lockstep replica of the keys, driven by the controller. */
import { setTimeout as sleep } from "node:timers/promises";
import { corosync, createReplica, isLockstepError } from "@lockstep/framework";
import { serveCalls } from "../cluster/serve-calls.js";
import { dumpOf, keysMachine } from "./machine.js";
import type { Change, ChangeResult, Dump } from "./machine.js";
import type { ChangeOptions, ChaosServer, Consistency, Reply, Status } from "./server.js";

type KeysReplica = Awaited<ReturnType<typeof openReplica>>;

function openReplica(group: string, directory: string | undefined) {
  return createReplica(keysMachine, { group, transport: corosync(), ...(directory === undefined ? {} : { durability: "disk", directory }) });
}

const retryMs = 250;
/** The daemon is down, or another process of this node is in the group. */
const passing: ReadonlySet<string> = new Set(["COROSYNC_UNAVAILABLE", "SLOT_TAKEN", "TRANSPORT_CLOSED"]);

class LockstepServer implements ChaosServer {
  #replica: KeysReplica | undefined;
  #pending = 0;
  #stopped: string | undefined;

  async open(group: string, _slots: number, directory: string | undefined): Promise<void> {
    void this.#keepOpen(group, directory);
    return Promise.resolve();
  }

  async #keepOpen(group: string, directory: string | undefined): Promise<void> {
    for (;;) {
      const error = await this.#live(group, directory);
      this.#replica = undefined;
      if (!isLockstepError(error) || !passing.has(error.code)) {
        this.#stopped = error instanceof Error ? error.message : `it stopped without an error: ${String(error)}`;
        return;
      }
      await sleep(retryMs);
    }
  }

  /** From opening to the end; returns what ended it. */
  async #live(group: string, directory: string | undefined): Promise<unknown> {
    try {
      this.#replica = await openReplica(group, directory);
      return await this.#replica.stopped;
    } catch (error) {
      return error;
    }
  }

  async change(change: Change, { requestId, timeoutMs }: ChangeOptions): Promise<Reply<ChangeResult>> {
    return this.#answer((replica) => replica.submit.change(change, { timeoutMs, ...(requestId === undefined ? {} : { requestId }) }));
  }

  async read(key: string, consistency: Consistency, timeoutMs: number): Promise<Reply<string | number | null>> {
    return this.#answer((replica) => replica.query.read(key, { consistency, timeoutMs }));
  }

  async #answer<T>(ask: (replica: KeysReplica) => Promise<T>): Promise<Reply<T>> {
    if (this.#replica === undefined) return { code: "NOT_OPEN", effect: "none" };
    this.#pending++;
    try {
      return { value: await ask(this.#replica) };
    } catch (error) {
      if (!isLockstepError(error)) throw error;
      return { code: error.code, effect: error.outcome === "unknown" ? "unknown" : "none" };
    } finally {
      this.#pending--;
    }
  }

  async status(): Promise<Status> {
    const inspection = this.#replica?.inspect();
    return Promise.resolve({
      role: inspection === undefined ? "opening" : [inspection.role, inspection.reason].filter(Boolean).join(": "),
      active: inspection?.role === "active",
      lineage: inspection?.lineage ?? false,
      incarnation: inspection?.incarnation ?? "",
      applied: inspection?.positions.applied ?? 0,
      pending: this.#pending,
      stopped: this.#stopped,
    });
  }

  async dump(): Promise<Dump> {
    if (this.#replica === undefined) throw new Error("this replica is not open");
    return Promise.resolve(dumpOf(this.#replica.state));
  }

  async describe(): Promise<string> {
    return Promise.resolve(JSON.stringify(this.#replica?.inspect() ?? "not open"));
  }
}

serveCalls(new LockstepServer());
