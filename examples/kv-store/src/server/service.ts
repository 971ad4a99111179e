/** What command handlers may use of the server: the replica, how to read, and what INFO tells. No sockets. */
import type { CommandTable } from "../commands/spec.js";
import type { KvReplica } from "../machine/machine.js";
import type { ClientMemory } from "./client-memory.js";
import type { ServerLimits } from "./limits.js";
import type { ScanCursors } from "./scan-cursors.js";
import type { Session } from "./session.js";
import type { Standing } from "./standing.js";

/**
 * "linearizable" (default): a read sees every write that was answered before it, on any replica; it waits for one
 * exchange with the group, which all reads at a time share. "sequential": the replica's applied state at once, which may
 * be of the past but never goes back; a connection still sees its own writes.
 */
export type ReadConsistency = "linearizable" | "sequential";

export interface ServiceStatistics {
  connectionsReceived: number;
  connectionsRejected: number;
  commandsProcessed: number;
  errorReplies: number;
}

export interface Service {
  readonly replica: KvReplica;
  readonly standing: Standing;
  readonly commands: CommandTable;
  readonly reads: ReadConsistency;
  /** The replica keeps its data on disk. */
  readonly durable: boolean;
  readonly limits: ServerLimits;
  readonly statistics: ServiceStatistics;
  readonly memory: ClientMemory;
  readonly cursors: ScanCursors;
  /** By id, in the order of connecting. */
  readonly sessions: ReadonlyMap<number, Session>;
  readonly startedAtMs: number;
  /** The port it listens on. */
  readonly port: number;
}
