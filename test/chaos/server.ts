/** What a replica's process answers to the controller: the same for Lockstep and for the baseline. */
import type { Change, ChangeResult, Dump } from "./machine.js";

/** Where replicas keep what they acknowledge. */
export type Durability = "memory" | "disk";

export type Consistency = "linearizable" | "sequential";

/** `effect` is what the replica says of the change: certainly not done, or unknown. */
export type Refusal = { readonly code: string; readonly effect: "none" | "unknown" };
export type Reply<T> = { readonly value: T } | Refusal;

export interface ChangeOptions {
  readonly requestId: string | undefined;
  readonly timeoutMs: number;
}

export interface Status {
  readonly role: string;
  /** Takes writes, with the group's state. */
  readonly active: boolean;
  /** Claims to hold what the group had. */
  readonly lineage: boolean;
  /** One life of this replica's memory and membership. */
  readonly incarnation: string;
  /** Position in the log of what is applied. */
  readonly applied: number;
  /** Position at which the log on disk begins; undefined without a disk. */
  readonly base: number | undefined;
  /** Changes and reads that were asked for and have not ended. */
  readonly pending: number;
  /** Why the replica has stopped by itself. */
  readonly stopped: string | undefined;
}

export interface ChaosServer {
  /** With a directory, it is durable. Joins as soon as it can, trying again while the daemon does not answer. */
  open(group: string, slots: number, directory: string | undefined): Promise<void>;
  change(change: Change, options: ChangeOptions): Promise<Reply<ChangeResult>>;
  read(key: string, consistency: Consistency, timeoutMs: number): Promise<Reply<string | number | null>>;
  status(): Promise<Status>;
  dump(): Promise<Dump>;
  /** All that it knows of itself, as text: for looking into a failure. */
  describe(): Promise<string>;
}
