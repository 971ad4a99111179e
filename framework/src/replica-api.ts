/** What an application holds: the types of a replica. Its making is in replica.ts. */
import type { CommandOutcome, Operation } from "./apply/types.js";
import type { RatesPerSecond } from "./rates.js";
import type { ReplicaIdentity } from "./log/entry.js";

export interface SubmitOptions {
  /** Makes a retry, through any replica, return the first answer. At most 128 characters. */
  readonly requestId?: string;
  readonly signal?: AbortSignal;
  /** Time to answer, milliseconds; default limits.answerTimeoutMs. */
  readonly timeoutMs?: number;
}

export interface QueryOptions {
  /** "sequential" (default): the applied state, at once. "linearizable": waits for a barrier through the group. */
  readonly consistency?: "sequential" | "linearizable";
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** submit.NAME(input, options). Rejects with LockstepError; its `outcome` tells whether the command may have taken effect. */
export type Submit<C> = {
  readonly [K in keyof C]: C[K] extends { readonly types?: { readonly input: infer In; readonly result: infer R } } ? SubmitCommand<In, R> : never;
};

/** The input may be left out if the command takes none, or undefined. */
type SubmitCommand<In, R> = [In] extends [never]
  ? (input?: undefined, options?: SubmitOptions) => Promise<R>
  : undefined extends In
    ? (input?: In, options?: SubmitOptions) => Promise<R>
    : (input: In, options?: SubmitOptions) => Promise<R>;

/** query.NAME(...arguments, options). */
export type RunQuery<Q> = {
  // A machine without queries has any name as far as its type knows: none of them is offered.
  readonly [K in keyof Q as string extends K ? never : K]: Q[K] extends (state: never, ...args: infer A) => infer R ? (...args: [...A, options?: QueryOptions]) => Promise<Awaited<R>> : never;
};

/** The role of a replica at this moment. */
export type ReplicaRole =
  /** Not yet in the group. */
  | "joining"
  /** A membership change is being agreed on, or nothing comes from the group any more: writes wait, if this replica had the group's state before. */
  | "changing"
  /** In a primary view, taking in what it missed, or applying the log that it came back with: new writes are refused with NOT_READY, reads are of the past. */
  | "synchronising"
  /** In a primary view with the group's log: everything works. */
  | "active"
  /** No quorum: writes are refused, reads are of the past. */
  | "minority"
  /** Stopped, by stop() or by an error. */
  | "stopped";

/** A command that was applied. A retry, whose request id was answered before, has no event: it took effect once, and is told once. */
export interface ReplicaEvent {
  readonly position: number;
  /** Index within the entry: fired timers first, then commands. Grows within a position, with gaps where a retry stood. */
  readonly index: number;
  readonly command: string;
  readonly input: unknown;
  readonly outcome: CommandOutcome;
  readonly origin: ReplicaIdentity | undefined;
  /** Cluster time. */
  readonly now: number;
}

/** Positions of what is on disk, and what is wrong with it at the moment. */
export interface DiskInspection {
  /** Of the state that the log on it begins with. */
  readonly base: number;
  readonly end: number;
  /** Why nothing can be written, and so acknowledged. */
  readonly trouble: string | undefined;
  /** Why no newer snapshot can be written: the log grows meanwhile. */
  readonly snapshotTrouble: string | undefined;
}

export interface Inspection {
  readonly group: string;
  readonly slot: number;
  readonly incarnation: string;
  readonly role: ReplicaRole;
  /** Why the view is not primary, in words; undefined if it is. */
  readonly reason: string | undefined;
  readonly slots: readonly number[];
  /** Replicas of the agreed view. */
  readonly members: readonly ReplicaIdentity[];
  readonly activeSlots: readonly number[];
  /** era.ringSeq.ringNode.k.attempt of the log. */
  readonly ballot: string;
  readonly ring: string | undefined;
  readonly lineage: boolean;
  readonly positions: { readonly base: number; readonly applied: number; readonly committed: number; readonly verified: number; readonly end: number };
  /** Of a durable replica: what a restart would find. */
  readonly disk: DiskInspection | undefined;
  readonly queue: { readonly commands: number; readonly bytes: number; readonly inFlightBatches: number };
  /** Commands per second over about the last ten. */
  readonly rates: RatesPerSecond;
  /** Since this replica was made. */
  readonly totals: {
    readonly submitted: number; readonly appliedEntries: number; readonly appliedCommands: number; readonly viewChanges: number;
    /** Bytes multicast to bring others up to date, and taken in from them. */
    readonly transferBytesGiven: number; readonly transferBytesTaken: number;
  };
  readonly now: number | undefined;
  /** What operators did to the group, the newest 100, oldest first. */
  readonly operations: readonly Operation[];
}

export interface BackupOptions {
  /** Who asks for it, for the record that is kept in the group: user@host, say. */
  readonly by: string;
}

export interface BackupResult {
  /** Absolute. */
  readonly path: string;
  /** The backup is the state here: every command up to it, and none after. */
  readonly position: number;
  /** The chain hash there. */
  readonly hash: string;
  /** Of the file. */
  readonly bytes: number;
  readonly slices: number;
}

export interface BackupPlan {
  readonly path: string;
  /** At which a backup would be of the state, if it were taken now, less its own record. */
  readonly position: number;
  /** How large it would be, going by a few rows of each Table. */
  readonly aboutBytes: number;
  /** Where it would go. */
  readonly freeBytes: number;
}

export interface Replica<S, C, Q> {
  readonly submit: Submit<C>;
  readonly query: RunQuery<Q>;
  /** The applied state: deeply immutable; never goes back. */
  readonly state: S;
  readonly role: ReplicaRole;
  /**
   * Resolves when the replica is active in a primary view (now, or the next time it is). Rejects when it stops, and with NOT_READY after
   * timeoutMs, milliseconds (default: Infinity), or when the signal is aborted.
   */
  ready(options?: { signal?: AbortSignal; timeoutMs?: number }): Promise<void>;
  /**
   * Committed commands with their outcomes, from a position on, 1 for the first (default: those applied after this call). Its next() rejects with
   * EVENTS_TRIMMED, with INVALID_INPUT if `from` is no position, `signal` no signal, or there are other options, and with the error that stopped the replica; return() and the signal end one that waits.
   */
  events(options?: { from?: number; signal?: AbortSignal }): AsyncIterableIterator<ReplicaEvent>;
  /** Calls back at every change of role or of the reason for it, in order; "stopped" is the last. What the listener throws is logged. Returns a function that ends it. */
  onRoleChange(listener: (role: ReplicaRole, reason: string | undefined) => void): () => void;
  inspect(): Inspection;
  /**
   * Writes the whole replicated state, as of one position, to a new file, while everything goes on; `lockstep restore` makes a group of
   * it. Needs a primary view: a record of it goes through the group first.
   * @throws LockstepError OPERATION_REFUSED (there is such a file), BACKUP_FAILED, INVALID_INPUT (no path, nobody who asks), and what submit does.
   */
  backup(path: string, options: BackupOptions): Promise<BackupResult>;
  /** Leaves the group; unsent submissions end as STOPPED, sent ones as UNKNOWN_OUTCOME. Idempotent. Rejects, when all has ended, if something did not end in order. */
  stop(): Promise<void>;
  /** Resolves when the replica has stopped; with the error that stopped it, if one did. */
  readonly stopped: Promise<Error | undefined>;
}
