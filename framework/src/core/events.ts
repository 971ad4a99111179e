/** What goes into the core and what comes out of it. */
import type { LockstepError } from "../errors.js";
import type { EntryRecord, LogPoint } from "../log/log.js";
import type { ReplicaIdentity } from "../log/entry.js";
import type { StoreWrite } from "../log/store.js";
import type { ConfigurationChange, MemberAddress, RingId } from "../transport/group-transport.js";
import type { Ballot } from "./ballot.js";
import type { Message, QuorumReport } from "./messages.js";
import type { ViewTime } from "./view-time.js";

export type CoreEvent =
  | { readonly type: "configuration"; readonly change: ConfigurationChange }
  | { readonly type: "ring"; readonly ring: RingId; readonly nodes: readonly number[] }
  | { readonly type: "quorum"; readonly ring: RingId; readonly report: QuorumReport }
  | { readonly type: "message"; readonly sender: MemberAddress; readonly message: Message }
  /** The transport has handed over all it had: time to acknowledge, once for all of it. */
  | { readonly type: "drained" }
  /** The while that "acknowledgeLater" asked for is over. */
  | { readonly type: "lateAcknowledgement" }
  /** A new entry of this replica; only while canPropose(). */
  | { readonly type: "propose"; readonly record: EntryRecord }
  /** Nobody waits for this entry any more: if it is not in the log, do not send it again. */
  | { readonly type: "abandon"; readonly n: number }
  /** Entries up to here are applied: they may be forgotten when the log grows too long. */
  | { readonly type: "applied"; readonly position: number }
  | { readonly type: "transferred"; readonly transfer: Transfer }
  /** A chunk arrived, so the donor is alive. */
  | { readonly type: "transferProgress" }
  /** The transfer was damaged: ask again. */
  | { readonly type: "transferFailed"; readonly reason: string }
  /** This write will survive a loss of power. */
  | { readonly type: "persisted"; readonly token: number }
  /** The disk takes nothing at the moment, or takes what is written again. */
  | { readonly type: "diskTrouble"; readonly failing: boolean }
  /** A snapshot of the state at this point of the log is on disk, whole. */
  | { readonly type: "snapshotStored"; readonly point: LogPoint }
  /** The state was found to differ from the group's: give it up and take the group's. */
  | { readonly type: "stateDiffers"; readonly position: number }
  /** The members of the view are to agree anew who is there. */
  | { readonly type: "exchangeAgain"; readonly reason: string }
  /** Monotonic milliseconds. Several a second while anything is awaited. */
  | { readonly type: "tick"; readonly nowMs: number };

/** A whole, verified transfer, staged aside. */
export interface Transfer {
  /** Present: the state at `from` was part of it, restored by the "adoptState" effect. */
  readonly mode: "incremental" | "snapshot";
  readonly from: LogPoint;
  /** Snapshot: the highest n of this incarnation that is applied in it. */
  readonly lastAppliedN: number;
  /** The entries after `from`. */
  readonly entries: readonly { readonly ballot: Ballot; readonly record: EntryRecord }[];
}

/** The role of the core; the replica adds "joining" and "stopped". */
export type Phase = "joining" | "changing" | "synchronising" | "active" | "minority" | "stopped";

export type Effect =
  | { readonly type: "multicast"; readonly message: Message }
  /** The view is over: what of Batches, Acks and Chunks is not yet with the transport is of no use any more. */
  | { readonly type: "suspended" }
  /** After limits.lateAckMs, the event "lateAcknowledgement", unless one is due already. */
  | { readonly type: "acknowledgeLater" }
  /** Entries up to this position are committed; read them from the log. */
  | { readonly type: "committed"; readonly through: number }
  | { readonly type: "phase"; readonly phase: Phase; readonly reason: string | undefined }
  /** A primary view was installed, or given up for another. */
  | {
    readonly type: "viewInstalled";
    readonly ballot: Ballot;
    readonly members: readonly ReplicaIdentity[];
    readonly loud: string | undefined;
    /** undefined: a first start. */
    readonly time: ViewTime | undefined;
  }
  /** This replica is to multicast the view's Members entry. */
  | { readonly type: "proposeMembers"; readonly members: readonly ReplicaIdentity[] }
  /** Any entry, if none is under way. */
  | { readonly type: "proposeEntry" }
  /** Send a member what it lacks, up to `through`. */
  | { readonly type: "donate"; readonly to: number; readonly turn: number; readonly ballot: Ballot; readonly have: readonly LogPoint[]; readonly through: number }
  /** A member asks somebody, perhaps this replica again: what it is being sent is of no use any more. */
  | { readonly type: "stopDonating"; readonly to: number }
  /** Expect chunks of this turn; forget those of earlier ones. `again`: why the one before came to nothing. */
  | { readonly type: "receiveTransfer"; readonly ballot: Ballot; readonly turn: number; readonly again?: string }
  /** Replace the applied state with the staged one, which is of this position. */
  | { readonly type: "adoptState"; readonly position: number }
  /** Write this, and say when it is done; until then no other comes. A write that fails is tried again. */
  | { readonly type: "persist"; readonly token: number; readonly write: StoreWrite }
  /** Write a snapshot of the applied state, which is the one at this point, and say when it is done; forget earlier ones. */
  | { readonly type: "storeSnapshot"; readonly point: LogPoint }
  /** Entries of this replica with these n may or may not be in what a snapshot covered; they are never sent again. */
  | { readonly type: "outcomesLost"; readonly n: readonly number[] }
  /** These own entries are not in the view's log, and will not be sent again: nobody waits for them. */
  | { readonly type: "withdrawn"; readonly n: readonly number[] }
  | { readonly type: "stop"; readonly error: LockstepError };
