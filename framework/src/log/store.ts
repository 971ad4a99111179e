/**
 * What a durable replica keeps on disk: its log, the state that the log begins with, and what it must not forget. The core
 * says what is to be written (core/disk.ts); log-store.ts keeps it in records over a Backend; journaled-backend.ts is that.
 */
import type { Ballot } from "../core/ballot.js";
import type { LogEntry, LogPoint } from "./log.js";

/** An entry at its place. */
export interface StoredEntry extends LogEntry {
  readonly position: number;
}

/** What a replica must not forget, besides its log. Replaced as a whole. */
export interface StoreHead {
  /** Taken last: what the log holds is the verified prefix of this ballot. */
  readonly ballot: Ballot;
  /** The highest ballot that this replica has promised. */
  readonly promised: Ballot;
  /** Log and state come from a primary view, and the group is not known to have gone on without them. */
  readonly lineage: boolean;
  /** The state is known to be wrong: only another replica's mends it. */
  readonly replaceState: boolean;
  /** Slots that have been active in a view of this replica, ascending. */
  readonly known: readonly number[];
}

/** One change: all of it or nothing. In this order. */
export interface StoreWrite {
  /** Entries above are cut. */
  readonly cutAfter?: number;
  /** The log begins after this point now: a snapshot of the state there is finished. Entries up to it are dropped. */
  readonly base?: LogPoint;
  /** Consecutive; the first follows what is there after the cut, or the base. */
  readonly entries: readonly StoredEntry[];
  readonly head: StoreHead;
}

/** A part of the log, still on disk. */
export interface StoredEntries {
  readonly aboutBytes: number;
  /** Read as it goes on. @throws LockstepError STORE_DAMAGED; STORE_FAILED if they were dropped meanwhile. */
  readonly entries: Iterable<LogEntry>;
}

/** What a restart finds. */
export interface Recovered {
  readonly head: StoreHead;
  /** Where the log begins: the genesis, or the point of the snapshot. */
  readonly base: LogPoint;
  /** The slices of the state at `base`, in order, as the applier made them; undefined at the genesis. */
  readonly snapshot: Iterable<Uint8Array> | undefined;
  /** After the base, ascending, without gaps; chain hashes checked. */
  readonly entries: Iterable<StoredEntry>;
}

/**
 * Whose store it is. Another's is refused; and so are other slots and another quorum policy than what is in it was agreed under:
 * a majority of other slots need not have one of those that acknowledged. And so is another version of the machine: from the same
 * log its handlers would make another state and other answers than clients were given.
 */
export interface StoreIdentity {
  readonly group: string;
  readonly slot: number;
  readonly machine: string;
  /** Of the machine. undefined in a store that was written before this was kept. */
  readonly version: number | undefined;
  /** Configured slots, ascending. */
  readonly slots: readonly number[];
  readonly policy: string;
}

export type OpenStore = (identity: StoreIdentity) => Promise<Store>;

export interface Store {
  /**
   * Once, before anything is written. undefined: blank.
   * @throws LockstepError STORE_DAMAGED, STORE_FOREIGN: nothing is changed then. Iterating over what it returns throws STORE_DAMAGED too.
   */
  recover(): Recovered | undefined;
  /** Resolves when it will survive a loss of power. One at a time: the next one when this has resolved. Rejects if nothing of it was done. */
  write(change: StoreWrite): Promise<void>;
  /**
   * The entries after one point of the log up to another; undefined if it is not, or not any more, the log here between them. Those since
   * the base before this one are kept for members that come back.
   */
  entriesBetween(from: LogPoint, to: LogPoint): StoredEntries | undefined;
  /** Writes a snapshot beside the one in use, which a later write() makes the base. At most one at a time. */
  beginSnapshot(point: LogPoint): SnapshotWriter;
  /** Gives up the directory. What was not resolved may or may not be there. */
  close(): Promise<void>;
}

export interface SnapshotWriter {
  /** The next slices, in one commit. Resolves when more may come. Rejects when there is no room: abort, and try again later. */
  write(...slices: readonly Uint8Array[]): Promise<void>;
  /** Resolves when the whole of it will survive a loss of power. */
  finish(): Promise<void>;
  /** Drops what was written. */
  abort(): Promise<void>;
}

/** Atomic changes of ordered keys: what log-store.ts needs of a database. */
export interface Backend {
  get(key: string): Uint8Array | undefined;
  /** Keys from `from` on, below `to`, ascending (by code unit; keys are ASCII). */
  range(from: string, to: string): Iterable<{ readonly key: string; readonly value: Uint8Array }>;
  /** The first ones of such a range, `limit` at most. */
  keys(from: string, to: string, limit: number): readonly string[];
  /**
   * All of it or nothing, in the order of the calls; resolves when it will survive a loss of power.
   * @param apart In no order with others, which concern other keys: nothing refers to these yet.
   */
  commit(changes: readonly Change[], apart?: "apart"): Promise<void>;
  close(): Promise<void>;
}

export interface Put {
  readonly type: "put";
  readonly key: string;
  readonly value: Uint8Array;
}

export type Change =
  | Put
  /** Of a key that nothing refers to any more: done some time. After a crash it may be there again. */
  | { readonly type: "remove"; readonly key: string }
  /** Keys from `from` on, below `to`. */
  | { readonly type: "removeRange"; readonly from: string; readonly to: string };
