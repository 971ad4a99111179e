/**
 * One group on one ring: its members, and the order of their messages, joins and departures. It decides *what* each
 * member is told and in which order; when listeners are called is the mailboxes' business, which nodes are on a ring
 * the fabric's.
 */
import type { ChangedMember, ChangeReason, ConfigurationChange, Delivery, RingId, VoteInfo } from "../group-transport.js";
import type { MemoryLimits } from "./limits.js";
import { messageWeight } from "./limits.js";
import { byAddress } from "./member.js";
import type { GroupEvent, Member } from "./member.js";

/** The nodes that can talk to each other, under one id. */
export interface Ring {
  readonly id: RingId;
  /** Ascending. */
  readonly nodes: readonly number[];
  readonly quorate: boolean;
  readonly votes: VoteInfo;
}

export class Group {
  readonly ring: Ring;
  #members: readonly Member[] = [];
  #queue: GroupEvent[] = [];

  constructor(ring: Ring) {
    this.ring = ring;
  }

  get isEmpty(): boolean {
    return this.#members.length === 0 && this.#queue.length === 0;
  }

  append(event: GroupEvent): void {
    this.#queue.push(event);
  }

  /** A join that was not ordered yet is taken back. */
  withdrawJoin(member: Member): boolean {
    const at = this.#queue.findIndex((event) => event.kind === "join" && event.member === member);
    if (at >= 0) this.#queue.splice(at, 1);
    return at >= 0;
  }

  /** Moves what is queued into the mailboxes, up to limits.batchBytes. Returns whether more is left. */
  order(limits: MemoryLimits, evict: (member: Member) => void): boolean {
    if (this.#queue.length === 0) return false;
    let batch: Delivery[] = [];
    let bytes = 0;
    let taken = 0;
    const flush = (): void => {
      if (batch.length === 0) return;
      this.#deliver(batch, bytes, limits, evict);
      batch = [];
      bytes = 0;
    };
    let total = 0;
    // The queue can grow behind this loop: an eviction appends a departure.
    while (taken < this.#queue.length && total < limits.batchBytes) {
      const event = this.#queue[taken++] as GroupEvent;
      if (event.kind === "message") {
        const weight = messageWeight(event.data);
        event.member.queuedBytes -= weight;
        batch.push({ sender: event.member.address, data: event.data });
        bytes += weight;
        total += weight;
      } else {
        flush();
        if (event.kind === "join") this.#admit(event.member);
        else this.#dismiss(event.member, event.reason);
      }
    }
    flush();
    this.#queue = taken === this.#queue.length ? [] : this.#queue.slice(taken);
    this.#announceRoom(limits);
    return this.#queue.length > 0;
  }

  #deliver(messages: readonly Delivery[], bytes: number, limits: MemoryLimits, evict: (member: Member) => void): void {
    for (const member of this.#members) {
      if (member.dead) continue;
      member.mailbox.put({ kind: "messages", messages });
      if (!member.mailbox.paused) continue;
      member.heldBytes += bytes;
      if (member.heldBytes > limits.heldBytes) evict(member);
    }
  }

  #announceRoom(limits: MemoryLimits): void {
    for (const member of this.#members) {
      // Half empty, so that a sender that fills up again does not hear "writable" for every message.
      if (!member.wantsWritable || member.dead || member.queuedBytes > limits.queueBytes / 2) continue;
      member.wantsWritable = false;
      member.mailbox.put({ kind: "writable" });
    }
  }

  #admit(member: Member): void {
    this.#members = [...this.#members, member].sort(byAddress);
    this.#tellChange(this.#members, [], [changed(member, "join")]);
    tellRing(member, this.ring);
  }

  #dismiss(member: Member, reason: "leave" | "procdown"): void {
    const before = this.#members;
    if (!before.includes(member)) return;
    this.#members = before.filter((other) => other !== member);
    // One that leaves hears of it too, as the last change; a dead one hears nothing.
    this.#tellChange(before, [changed(member, reason)], []);
    if (reason === "leave" && !member.dead) member.mailbox.put({ kind: "closed" });
  }

  #tellChange(audience: readonly Member[], left: readonly ChangedMember[], joined: readonly ChangedMember[]): void {
    const change: ConfigurationChange = { members: this.#members.map((member) => member.address), left, joined };
    for (const member of audience) if (!member.dead) member.mailbox.put({ kind: "change", change });
  }

  /**
   * The same group on a new ring, made of what its predecessors have on the ring's nodes. Members are told in
   * Corosync's order: gone nodes, come nodes, processes that died meanwhile, and last the ring. What was multicast and
   * not ordered goes out on the new ring; the messages of those that died meanwhile are lost.
   */
  static form(ring: Ring, predecessors: readonly Group[]): Group {
    const group = new Group(ring);
    const nodes = new Set(ring.nodes);
    const here = (member: Member): boolean => nodes.has(member.address.nodeId);
    const all = predecessors.flatMap((predecessor) => predecessor.#members.filter(here)).sort(byAddress);
    const survivors = all.filter((member) => !member.dead);
    for (const predecessor of predecessors) {
      const stayed = predecessor.#members.filter(here);
      group.#members = stayed;
      const gone = predecessor.#members.filter((member) => !here(member));
      if (gone.length > 0) group.#tellChange(stayed, gone.map((member) => changed(member, "nodedown")), []);
      const dead = stayed.filter((member) => member.dead);
      const come = survivors.filter((member) => !stayed.includes(member));
      group.#members = [...stayed, ...come].sort(byAddress);
      if (come.length > 0) group.#tellChange(stayed, [], come.map((member) => changed(member, "nodeup")));
      group.#members = survivors;
      if (dead.length > 0) group.#tellChange(stayed, dead.map((member) => changed(member, "procdown")), []);
      for (const event of predecessor.#queue) if (here(event.member) && !event.member.dead) group.#queue.push(event);
    }
    for (const member of survivors) tellRing(member, ring);
    return group;
  }
}

function changed(member: Member, reason: ChangeReason): ChangedMember {
  return { ...member.address, reason };
}

function tellRing(member: Member, ring: Ring): void {
  member.mailbox.put({ kind: "ring", id: ring.id, nodes: ring.nodes });
  member.mailbox.put({ kind: "quorum", quorate: ring.quorate, id: ring.id, votes: ring.votes });
}
