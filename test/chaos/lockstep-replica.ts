/** Run as a process of its own on a node: a Lockstep replica of the keys, driven by the controller. */
import { corosync, createReplica, isLockstepError } from "@lockstep/framework";
import { serveCalls } from "../cluster/serve-calls.js";
import { dumpOf, keysMachine } from "./machine.js";
import type { Change, ChangeResult, Dump } from "./machine.js";
import type { ChangeOptions, ChaosServer, Consistency, Reply, Status } from "./server.js";
import { statusOf, supervise } from "./supervision.js";

/**
 * With a disk: a state is written down every few seconds, entries of before go, and who was away gets what it lacks from others' disks,
 * or a state. With the defaults a run of minutes would see none of it.
 */
const diskLimits = { snapshotLogBytes: 128 * 1024, snapshotIntervalMs: 4_000, snapshotSliceBytes: 4 * 1024, logRetentionBytes: 128 * 1024, incrementalBytes: 64 * 1024 };

type KeysReplica = Awaited<ReturnType<typeof openReplica>>;

function openReplica(group: string, directory: string | undefined) {
  return createReplica(keysMachine, { group, transport: corosync(), ...(directory === undefined ? {} : { durability: "disk", directory, limits: diskLimits }) });
}

class LockstepServer implements ChaosServer {
  #replica: KeysReplica | undefined;
  #pending = 0;
  #stopped: string | undefined;

  async open(group: string, _slots: number, directory: string | undefined): Promise<void> {
    void supervise(() => this.#live(group, directory)).then((why) => { this.#stopped = why; return undefined; });
    return Promise.resolve();
  }

  async #live(group: string, directory: string | undefined): Promise<unknown> {
    try {
      this.#replica = await openReplica(group, directory);
      return await this.#replica.stopped;
    } finally {
      this.#replica = undefined;
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
    return Promise.resolve(statusOf(this.#replica?.inspect(), this.#pending, this.#stopped));
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
