/** What replicas say to each other. Their bytes are in codec/message-codec.ts. */
import type { EntryRecord, LogPoint } from "../log/log.js";
import type { MemberAddress } from "../transport/group-transport.js";
import type { Ballot } from "./ballot.js";

/**
 * What the sender held when it sent: the log up to `point` without a hole. `ack` is how much of that it promises to
 * keep: all of it in memory durability, what is verified and flushed with a durable log.
 */
export interface Claim {
  readonly ballot: Ballot;
  readonly point: LogPoint;
  readonly ack: number;
}

/** An entry for the log, at the position where the group's order puts it. */
export interface BatchMessage extends Claim {
  readonly type: "batch";
  readonly record: EntryRecord;
}

export interface AckMessage extends Claim {
  readonly type: "ack";
}

/** What a replica knows of its partition's quorum, from votequorum. */
export interface QuorumReport {
  readonly quorate: boolean;
  readonly votes: readonly (readonly [nodeId: number, votes: number])[];
  readonly deviceVotes: number;
  readonly quorum: number;
  readonly twoNode: boolean;
  /** The quorum becomes smaller as nodes go, or has become so since the sender was last active: two of them, one after the other, need not share a node. */
  readonly shrinks: boolean;
}

/** Where acknowledged entries are kept: in the memory of more than half of the replicas, or on their disks. */
export type Durability = "memory" | "disk";

/** What a replica knows of cluster time when it sends a State (apply/cluster-clock.ts). Milliseconds. */
export interface TimeReport {
  /** Where time stands for it: where its last view ended, or where its state was left. */
  readonly stoodAtMs: number;
  /** Absent: this process was in no view yet. */
  readonly step?: TimeStep;
}

/** All members of a view count alike, also after it, as if time did not stand still. */
export interface TimeStep {
  /** The last view that the sender was in. */
  readonly view: Ballot;
  readonly runningMs: number;
  /** It knows the time as well as anybody. */
  readonly sure: boolean;
  /** The receiver's monotonic clock when this came. Not sent. */
  readonly heardAtMs?: number;
}

/** One replica's part of a state exchange. The log above `verified` claims nothing; see exchange.ts for what it is. */
export interface StateReport {
  readonly slot: number;
  readonly incarnation: string;
  /** Another process of its node was a member before it: that one, if it speaks, is the slot's replica. */
  readonly yields: boolean;
  /** Its log and state come from a primary view, and it has not lost them since. */
  readonly lineage: boolean;
  /** Since it last counted in a view it has been connected, and votequorum has not said that its partition has no quorum: no other can have had one (continuity.ts). */
  readonly unbroken: boolean;
  /** Slots that counted in that view, itself included: nobody else can have gone on since. Empty: not known. */
  readonly companions: readonly number[];
  readonly ballot: Ballot;
  readonly verified: LogPoint;
  readonly committed: LogPoint;
  /** The highest k of a primary decision that it knows in this ring. */
  readonly k: number;
  /** The highest ballot it has taken or promised. */
  readonly promised: Ballot;
  readonly machine: string;
  readonly version: number;
  /** Configured slots, ascending. */
  readonly slots: readonly number[];
  readonly durability: Durability;
  /** With a durable log, slots that have been active in a view that this replica remembers, ascending. */
  readonly known: readonly number[];
  readonly policy: string;
  readonly quorum?: QuorumReport;
  /** Absent: the sender has taken part in nothing yet. */
  readonly time?: TimeReport;
}

export interface StateMessage {
  readonly type: "state";
  /** ring, members, who joined last, and attempt: see exchange.ts. */
  readonly exchange: string;
  readonly report: StateReport;
}

/** These have been silent: go on without them. Ordered like a configuration change. */
export interface ExcludeMessage {
  readonly type: "exclude";
  /** ring, members and attempt: see exchange.ts. */
  readonly attempt: string;
  readonly silent: readonly MemberAddress[];
}

/** The sender has written down that it promises this ballot: it takes part in no lower one, whatever happens to it. */
export interface PromiseMessage {
  readonly type: "promise";
  readonly ballot: Ballot;
}

/** Exchange again, with everybody: the sender was excluded and is awake, or cannot go on in this view. */
export interface RejoinMessage {
  readonly type: "rejoin";
  /** ring and members only, so that it holds whatever the attempt. */
  readonly configuration: string;
  readonly reason: string;
}

/** The sender is in the view but lacks the target log. */
export interface NeedSyncMessage {
  readonly type: "needSync";
  readonly ballot: Ballot;
  /** Counts this member's requests in this view: the donor changes with it. */
  readonly turn: number;
  /** Places of its log to go on from, best first. Empty asks for a snapshot. */
  readonly have: readonly LogPoint[];
  /** The entries must lead at least here. */
  readonly reach: number;
}

/** A part of a transfer to one member. */
export interface ChunkMessage {
  readonly type: "chunk";
  readonly ballot: Ballot;
  readonly to: number;
  readonly turn: number;
  /** 0, 1, 2, … */
  readonly index: number;
  /** Encoded (sync/chunk.ts); its hash travels with it and is checked before anything looks inside. */
  readonly payload: Uint8Array;
}

/** The state's digest at an agreed position. */
export interface DigestMessage {
  readonly type: "digest";
  readonly position: number;
  readonly digest: string;
}

/** The sender's clock may be behind: what do those of its view say, who are sure? */
export interface AskTimeMessage {
  readonly type: "askTime";
  readonly view: Ballot;
  /** Counts the sender's. */
  readonly question: number;
}

export interface TellTimeMessage {
  readonly type: "tellTime";
  readonly view: Ballot;
  readonly to: number;
  readonly question: number;
  /** The sender's clock, when it sent. */
  readonly timeMs: number;
}

export type Message =
  | BatchMessage | AckMessage | StateMessage | PromiseMessage | ExcludeMessage | RejoinMessage | NeedSyncMessage | ChunkMessage | DigestMessage
  | AskTimeMessage | TellTimeMessage;
