/**
 * What the core needs from a group-communication system, and nothing of how it is done.
 *
 * The model is Corosync's closed process groups with a member per (node, process): messages and configuration
 * changes are delivered to all members of a configuration in one order. It is *not* assumed that members that move
 * together delivered the same messages: the protocol above does not trust that (see docs/protocol.md).
 */

/** One process in the group. A node hosts at most one replica of a group; `pid` tells its processes apart. */
export interface MemberAddress {
  /** Corosync node id, 1 to 2^32 - 1. The replica's slot. */
  readonly nodeId: number;
  readonly pid: number;
}

/** Why a member came or went, as libcpg names it (cpg_confchg_fn_t in cpg_model_initialize(3)). */
export type ChangeReason = "undefined" | "join" | "leave" | "nodedown" | "nodeup" | "procdown";

export interface ChangedMember extends MemberAddress {
  readonly reason: ChangeReason;
}

export interface ConfigurationChange {
  /** Everyone in the group now. Work from this list: left and joined differ between sides that merge. */
  readonly members: readonly MemberAddress[];
  readonly left: readonly ChangedMember[];
  readonly joined: readonly ChangedMember[];
}

/** Totem's identification of one ring. `seq` only grows along the history of any one node. */
export interface RingId {
  readonly nodeId: number;
  readonly seq: bigint;
}

export interface Delivery {
  readonly sender: MemberAddress;
  /** The receiver's to keep: nobody writes to it any more. */
  readonly data: Uint8Array;
}

/** What votequorum knows of one ring. */
export interface VoteInfo {
  /** Votes of the ring's nodes, by node id. There may be others'; a node that votequorum does not know is not there. */
  readonly votes: ReadonlyMap<number, number>;
  /** Votes a quorum device gives this partition at the moment; 0 without one. */
  readonly deviceVotes: number;
  /** Votes needed for quorum. */
  readonly quorum: number;
  /** `quorum.two_node: 1` is set: one vote of two is enough, which is safe only with fencing. */
  readonly twoNode: boolean;
  /** `quorum.last_man_standing: 1` or `quorum.allow_downscale: 1` is set: fewer nodes become enough as nodes go. Default false. */
  readonly shrinks?: boolean;
}

/** Called in the order in which the group delivered; never re-entrantly, never from inside multicast(). */
export interface GroupListener {
  deliver(messages: readonly Delivery[]): void;
  configurationChanged(change: ConfigurationChange): void;
  /** Ends a configuration change that any member reported as nodedown or nodeup; also comes once after join(). */
  ringChanged(ring: RingId, nodes: readonly number[]): void;
  /**
   * Only from transports that know quorum. May trail ringChanged of the same ring by hundreds of milliseconds.
   * Without `votes`: they are not known now, and nothing can be decided by them; they follow. Each loss of quorum is told, also if it
   * is over by then.
   */
  quorumChanged(quorate: boolean, ring: RingId, votes?: VoteInfo): void;
  /** After a multicast() that answered "busy": there may be room again. */
  writable(): void;
  /** This member is out of the group for good (daemon gone, evicted, left). The last call. */
  closed(error?: Error): void;
}

export interface GroupTransport {
  /** The largest message multicast() takes, in bytes. */
  readonly maxMessageBytes: number;
  /** Node ids of all configured nodes, present or not: the default slots. */
  configuredNodes(): Promise<readonly number[]>;
  /** This node's id, before joining: whose data a durable replica may use. Without it a transport serves replicas in memory only. */
  localNode?(): Promise<number>;
  /**
   * Joins; resolves at the own configuration change (the listener has been told by then).
   * A transport joins one group once: after leave() or closed() make a new one. A join() that rejects leaves nothing to close,
   * and does not touch a group that was joined before.
   */
  join(group: string, listener: GroupListener): Promise<MemberAddress>;
  /**
   * "queued": will be delivered here too, unless this member leaves or its ring changes first.
   * "busy": not taken; try again, in order, after listener.writable().
   * @throws LockstepError TRANSPORT_CLOSED before join and after leave or close; MESSAGE_TOO_LARGE.
   */
  multicast(message: Uint8Array): "queued" | "busy";
  /**
   * A new transport of the same kind, not joined: for coming back, as a new member, after closed(error). A transport
   * without it ends its replica when it is lost.
   */
  renew?(): GroupTransport;
  /** Leaves the group; resolves when the group has taken note, or when it cannot any more. */
  leave(): Promise<void>;
  /** Releases everything; leaves first if need be. Idempotent. */
  close(): Promise<void>;
}
