/** Run as a process of its own on a node: what `lockstep-lock serve --transport corosync` runs, and an answer to the controller. */
import { createHash } from "node:crypto";
import { Table, corosync } from "@lockstep/framework";
import { startServer } from "@lockstep/lock-service";
import type { LockServer } from "@lockstep/lock-service";
import { serveCalls } from "../../cluster/serve-calls.js";
import type { ChaosServer, Status } from "../server.js";
import { statusOf, supervise } from "../supervision.js";
import { port } from "./replica-port.js";

export interface LockDump {
  /** Of the whole state. */
  readonly digest: string;
  readonly applied: number;
  /** Of the newest event. */
  readonly revision: number;
  readonly sessions: number;
  /** Requests that wait. */
  readonly waiting: number;
}

export interface ChaosLockServer extends Pick<ChaosServer, "open" | "status" | "describe"> {
  dump(): Promise<LockDump>;
}

class LockReplicaServer implements ChaosLockServer {
  #server: LockServer | undefined;
  #stopped: string | undefined;

  async open(group: string, _slots: number, directory: string | undefined): Promise<void> {
    void supervise(() => this.#live(group, directory)).then((why) => { this.#stopped = why; return undefined; });
    return Promise.resolve();
  }

  async #live(group: string, directory: string | undefined): Promise<unknown> {
    try {
      this.#server = await startServer({ transport: corosync(), group, host: "0.0.0.0", port, ...(directory === undefined ? {} : { directory }) });
      return await this.#server.replica.stopped;
    } finally {
      const server = this.#server;
      this.#server = undefined;
      await server?.endConnections();
    }
  }

  async status(): Promise<Status> {
    return Promise.resolve(statusOf(this.#server?.replica.inspect(), this.#server?.service.state.waiting.size ?? 0, this.#stopped));
  }

  async dump(): Promise<LockDump> {
    if (this.#server === undefined) throw new Error("this replica is not open");
    const { replica } = this.#server;
    const { state } = replica;
    const digest = createHash("sha256").update(JSON.stringify(plain(state))).digest("hex");
    return Promise.resolve({ digest, applied: replica.inspect().positions.applied, revision: state.revision, sessions: state.sessions.size, waiting: state.waiting.size });
  }

  async describe(): Promise<string> {
    return Promise.resolve(JSON.stringify(this.#server?.replica.inspect() ?? "not open"));
  }
}

/** Equal states give equal text: tables are in the order of their keys, objects are put into that of their names. */
function plain(value: unknown): unknown {
  if (value instanceof Table) return Array.from(value as Table<string, unknown>, plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, inner]) => [name, plain(inner)]);
}

serveCalls(new LockReplicaServer());
