/** What applying committed entries yields, and what the rest of the framework asks of it. */
import type { CommandCall, CommittedEntry, ReplicaIdentity } from "../log/entry.js";
import type { ErrorCode } from "../errors.js";
import type { MembersChange } from "../machine/types.js";

/** How a command ended, agreed by all replicas. `message` is for people and not part of the agreement. */
export type CommandOutcome =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string; readonly details?: unknown };

export interface AppliedCommand {
  readonly call: CommandCall;
  readonly outcome: CommandOutcome;
  /** The answer was taken from the table of answered requests; the handler did not run. */
  readonly repeated: boolean;
}

export interface AppliedEntry {
  readonly position: number;
  readonly origin: ReplicaIdentity;
  readonly n: number;
  /** Cluster time after the entry. */
  readonly now: number;
  /** A second copy of a batch that was applied before: nothing happened. */
  readonly skipped: boolean;
  /** In the entry's order; empty when skipped. */
  readonly commands: readonly AppliedCommand[];
  /** Timers that this entry's time fired, before its commands. */
  readonly fired: readonly AppliedCommand[];
  /** Present if the entry changed who the replicas are: the change, and how the machine's onMembersChanged ended. */
  readonly membersChange?: { readonly change: MembersChange; readonly outcome: CommandOutcome };
}

/** Something that an operator did to the group. */
export interface Operation {
  /** Of the entry that tells of it. */
  readonly position: number;
  /** Cluster time there. */
  readonly now: number;
  /** "backup", "restore" or "new start". */
  readonly what: string;
  /** As the operator's command said it: user@host by default. */
  readonly who: string;
  /** In words. */
  readonly details: string;
  /** By the wall clock of the operator's host, milliseconds since 1970. */
  readonly atMs: number;
}

/** A snapshot in the making: slices of at most about `sliceBytes`, of the state at `position`, which later entries do not touch. */
export interface SnapshotSource {
  readonly position: number;
  slices(sliceBytes: number): Iterator<Uint8Array>;
  /** How large it will be, in bytes, going by a few rows of each Table. Costs as long as all that is not in Tables. */
  aboutBytes(): number;
}

/** Takes the slices of one snapshot in order and builds the state aside; nothing changes until restore(). */
export interface SnapshotSink {
  write(slice: Uint8Array): void;
  /** @throws LockstepError MALFORMED_MESSAGE if the slices are not one whole snapshot. Returns a token for Applier.restore(). */
  finish(): RestoredState;
}

/** Opaque to everyone but the applier. */
export interface RestoredState {
  readonly position: number;
  /** As Applier.lastApplied, of the restored state. */
  lastApplied(incarnation: string): number;
}

/**
 * Applies committed entries in order. One writer, synchronous, deterministic: no clock, no I/O, no randomness of its own.
 */
export interface Applier<S> {
  /** Highest applied position; 0 before the first entry. */
  readonly position: number;
  /** The machine's state: deeply immutable. */
  readonly state: S;
  /** Cluster time after the last applied entry; undefined before the first. */
  readonly now: number | undefined;
  /** What operators did, the newest 100, oldest first. */
  readonly operations: readonly Operation[];
  /** When the next timer is due (cluster time), or undefined. */
  readonly nextTimerAt: number | undefined;
  /** @throws LockstepError INVARIANT_VIOLATED if the entry is not the next position. */
  apply(committed: CommittedEntry): AppliedEntry;
  /** The kept answer to a request id, if it is still held. */
  answered(requestId: string): CommandOutcome | undefined;
  /** Highest n applied of an incarnation; 0 if none. */
  lastApplied(incarnation: string): number;
  /** Keeping a reference: costs nothing, whatever the size. */
  capture(): SnapshotSource;
  /** A new, empty sink. */
  receive(): SnapshotSink;
  /** Replaces everything. @throws INVARIANT_VIOLATED if it would take the applied position back. */
  restore(restored: RestoredState): void;
  /** Digest of all replicated state (the machine's, timers, answered requests, …) at the current position, in slices. */
  digest(): DigestRun;
}

/** A digest being computed over a captured state: call step() until it returns the digest. */
export interface DigestRun {
  readonly position: number;
  /** Works on about `keys` keys. Returns the hexadecimal digest when done, undefined before. */
  step(keys: number): string | undefined;
}
