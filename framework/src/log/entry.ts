/** One entry of the log: what is agreed on, decoded. Its bytes are what the chain hash covers (codec/entry-codec.ts). */

export interface ReplicaIdentity {
  /** The configured place: a Corosync node id. */
  readonly slot: number;
  /** Random id of one start of the replica, 16 hexadecimal digits. */
  readonly incarnation: string;
}

/** One command call, as it travels and as it is applied. */
export interface CommandCall {
  readonly name: string;
  readonly input: unknown;
  /** At most 128 characters. A second command with the same id returns the first one's answer. */
  readonly requestId?: string;
}

export interface Entry {
  readonly origin: ReplicaIdentity;
  /** Counts this incarnation's entries from 1; the apply side skips what is at or below the last one applied. */
  readonly n: number;
  /** The sender's estimate of cluster time, milliseconds. Applying never lets time go back. */
  readonly timeMs: number;
  /** Present in a Members entry: the replicas of the view, by ascending slot. */
  readonly members?: readonly ReplicaIdentity[];
  /** Empty in a tick, a read barrier and a Members entry. */
  readonly commands: readonly CommandCall[];
}

/** An entry at its agreed place. */
export interface CommittedEntry {
  /** 1, 2, 3, … without gaps. */
  readonly position: number;
  /** The chain hash at this position, hexadecimal. Seeds ctx.random() and ctx.uuid(). */
  readonly hash: string;
  readonly entry: Entry;
}
