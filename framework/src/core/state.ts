/** Everything the core knows. Owned by step(): nobody else writes to it. */
import { genesisHash } from "../log/chain-hash.js";
import { MemoryLog, type EntryRecord, type Log, type LogPoint } from "../log/log.js";
import type { ReplicaIdentity } from "../log/entry.js";
import type { Recovered } from "../log/store.js";
import type { MemberAddress, RingId } from "../transport/group-transport.js";
import { equalRings, zeroBallot, type Ballot } from "./ballot.js";
import type { Effect, Phase } from "./events.js";
import { blankRecovery, recoveredDisk, type Disk } from "./disk.js";
import type { AckMessage, BatchMessage, Durability, QuorumReport, StateReport } from "./messages.js";
import type { Promising } from "./promise.js";
import type { QuorumPolicy } from "./quorum-policy.js";
import type { Asked } from "./silence.js";

export interface CoreConfig {
  readonly slot: number;
  readonly incarnation: string;
  /** Configured slots, ascending, this one among them. */
  readonly slots: readonly number[];
  readonly policy: QuorumPolicy;
  readonly durability: Durability;
  readonly machine: string;
  readonly version: number;
  /** How long an exchange waits for a silent member, and a stalled view for its commit. */
  readonly silenceTimeoutMs: number;
  /** How long a synchronising member waits for the next chunk. */
  readonly transferTimeoutMs: number;
  /** How many bytes of batches a synchronising member holds before it asks for a later transfer instead. */
  readonly heldBytes: number;
  /** Applied entries beyond this many bytes are forgotten. */
  readonly logRetentionBytes: number;
  /** With a disk: entries that wait for it, beyond those. */
  readonly unwrittenBytes: number;
}

/** A state exchange under way, or the last one. */
export interface Exchange {
  /** Identifies it among all exchanges: ring, members, who joined last, attempt. */
  key: string;
  readonly members: readonly MemberAddress[];
  /** False for an excluded replica, which follows the exchange of the others. */
  readonly takesPart: boolean;
  /** By addressKey(). */
  readonly reports: Map<string, StateReport>;
  /** When Exclude was last asked for. */
  excludeAskedMs: number | undefined;
  /** The own State has been multicast. */
  reported: boolean;
  decided: boolean;
}

/** A primary view. */
export interface View {
  readonly ballot: Ballot;
  readonly members: readonly ReplicaIdentity[];
  /** The log that everyone starts from. */
  readonly target: LogPoint;
  /** Slots whose State claimed exactly the target: they hold it, ascending. */
  readonly holders: readonly number[];
  readonly quorum: QuorumReport | undefined;
}

/** An own entry that has been multicast and is not yet committed. */
export interface PendingEntry {
  readonly record: EntryRecord;
  /** Where it is in the log; undefined until it has come back in the current ballot. */
  position: number | undefined;
  /** Somebody waits for its outcome. */
  awaited: boolean;
}

/** What a synchronising member keeps for later. */
export interface Joining {
  turn: number;
  lastProgressMs: number;
  /** Requests in a row that brought nothing. */
  stalls: number;
  /** Where the transfer must lead: the view's target, or later when too much was delivered meanwhile to hold it all. */
  reach: LogPoint;
  /** Batches and Acks delivered since `reach`. */
  held: { readonly slot: number; readonly message: BatchMessage | AckMessage }[];
  heldBytes: number;
  /** Why `reach` has moved: ask for another transfer. */
  restart: string | undefined;
}

export interface CoreState {
  readonly config: CoreConfig;
  readonly log: Log;
  /** Effects of the step under way. */
  effects: Effect[];
  nowMs: number;
  phase: Phase;

  // What the transport says.
  self: MemberAddress | undefined;
  /** By addressKey(): other processes of this node that were members before this one, and have not been left out since. */
  rivals: ReadonlySet<string>;
  group: readonly MemberAddress[];
  ring: RingId | undefined;
  ringNodes: ReadonlySet<number>;
  /** A change of nodes was announced: its totem_confchg is still to come. */
  ringPending: boolean;
  /** The latest quorum news, and the ring it is about. */
  quorumNews: { readonly ring: RingId; readonly report: QuorumReport } | undefined;

  /** Who joined this ring last, other than with the ring itself; its incarnation is known once it has spoken. */
  newest: { readonly nodeId: number; readonly pid: number; incarnation: string | undefined } | undefined;

  // What is agreed in this configuration.
  attempt: number;
  exchange: Exchange | undefined;
  /** By addressKey(): of two processes on one node the second may be the silent one. */
  excluded: ReadonlySet<string>;
  /** By addressKey(): the States that members of this ring owe, oldest first. See silence.ts. */
  readonly owed: Map<string, Asked[]>;
  /** A view that is decided, and not yet installed. */
  promising: Promising | undefined;
  view: View | undefined;
  /** The view's ballot is taken; nothing is said in it before it is on disk. */
  entering: boolean;
  joining: Joining | undefined;
  /** The highest k of a primary decision known in this ring. */
  k: number;

  // What this replica holds.
  /** undefined: in memory only. */
  disk: Disk | undefined;
  /** The disk takes nothing at the moment. */
  diskFails: boolean;
  /** Slots that were active in its views; only with a disk. */
  known: readonly number[];
  lineage: boolean;
  /** The applied state is known to be wrong: only a snapshot mends it. */
  replaceState: boolean;
  /** Of the log. */
  ballot: Ballot;
  /** This incarnation took it: a ring of an earlier one may have had the name that the present ring has, if ring sequences began anew. */
  tookBallot: boolean;
  promised: Ballot;
  verified: number;
  committed: number;
  /** A hole was seen: append and acknowledge nothing more until the next ballot. */
  holed: boolean;
  /** Highest position acknowledged in the view's ballot, by slot. */
  readonly acks: Map<number, number>;
  /** Ascending: entries whose senders wait for this replica's acknowledgement, and have not got it. */
  awaited: number[];
  /** The last claim multicast in this view. */
  announced: { position: number; ack: number };
  /** The highest position this incarnation ever acknowledged. */
  acknowledged: number;
  /** By ascending n. */
  pending: PendingEntry[];

  // Whether others can have gone on by a vote that remembers nothing: continuity.ts.
  /** Since it last counted in a view nothing has told it that it is without quorum. */
  unbroken: boolean;
  /** Slots that counted in the last view in which this replica did, itself included: only they can have gone on since. Empty: not known. */
  companions: readonly number[];
  /** The log's end when this replica first heard its own acknowledgement in the view. */
  heardAt: number | undefined;
  /** Since it was last known to be, each ring had more than half of the nodes of the one before. */
  amongMost: boolean;
  /** The votes that were a quorum then; 0 if it never was. */
  countedQuorum: number;
  /** The latest ring in which votequorum said that there is no quorum. */
  quorumLostIn: RingId | undefined;

  // Watchdogs.
  lastCommitMs: number;
  rejoin: { atMs: number | undefined; backoffMs: number };
}

export const genesis: LogPoint = { position: 0, hash: genesisHash };

export function initialCore(config: CoreConfig, log: Log = new MemoryLog()): CoreState {
  return {
    config,
    log,
    effects: [],
    nowMs: 0,
    phase: "joining",
    self: undefined,
    rivals: new Set(),
    group: [],
    ring: undefined,
    ringNodes: new Set(),
    ringPending: false,
    quorumNews: undefined,
    newest: undefined,
    attempt: 0,
    exchange: undefined,
    excluded: new Set(),
    owed: new Map(),
    promising: undefined,
    view: undefined,
    entering: false,
    joining: undefined,
    k: 0,
    disk: config.durability === "disk" ? recoveredDisk(blankRecovery, 0) : undefined,
    diskFails: false,
    known: [],
    lineage: false,
    unbroken: false,
    companions: [],
    heardAt: undefined,
    amongMost: false,
    countedQuorum: 0,
    quorumLostIn: undefined,
    replaceState: false,
    ballot: zeroBallot,
    tookBallot: false,
    promised: zeroBallot,
    verified: 0,
    committed: 0,
    holed: false,
    acks: new Map(),
    awaited: [],
    announced: { position: -1, ack: -1 },
    acknowledged: 0,
    pending: [],
    lastCommitMs: 0,
    rejoin: { atMs: undefined, backoffMs: 0 },
  };
}

/**
 * The core of the next incarnation, after the connection to the group was lost. What is in memory is still there, but an
 * acknowledgement may have gone out for entries that this replica could not verify before it lost the group: then it
 * must not claim to remember, for what it acknowledged might be committed and missing here.
 */
export function resumedCore(config: CoreConfig, previous: CoreState): CoreState {
  const { log, ballot, promised, verified, committed, replaceState, disk, diskFails, known, companions, countedQuorum } = previous;
  const lineage = previous.lineage && previous.acknowledged <= previous.verified;
  return { ...initialCore(config, log), lineage, companions, countedQuorum, ballot, promised, verified, committed, replaceState, disk, diskFails, known };
}

/**
 * The core of a replica that was started again on its disk. What is there was verified, so all of it counts as that; what
 * of it was committed, beyond its base, the next view will tell.
 */
export function recoveredCore(config: CoreConfig, recovered: Recovered, log: Log = new MemoryLog()): CoreState {
  const { head: { ballot, promised, lineage, replaceState, known }, base, entries } = recovered;
  log.reset(base);
  for (const entry of entries) log.append(entry.ballot, entry.record);
  const disk = recoveredDisk(recovered, log.end);
  return { ...initialCore(config, log), lineage, ballot, promised, verified: log.end, committed: base.position, replaceState, disk, known };
}

export function addressKey({ nodeId, pid }: MemberAddress): string {
  return `${nodeId}/${pid}`;
}

/** votequorum's news about the present ring, once it has come. */
export function quorumOfRing(state: CoreState): QuorumReport | undefined {
  const { quorumNews, ring } = state;
  return quorumNews !== undefined && ring !== undefined && equalRings(quorumNews.ring, ring) ? quorumNews.report : undefined;
}
