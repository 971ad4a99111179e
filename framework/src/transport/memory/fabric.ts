/**
 * The machinery under MemoryNetwork: which nodes are on which ring, and the turns of the event loop in which groups are
 * ordered and listeners called. It checks nothing: network.ts and transport.ts are its two faces, and check.
 */
import { invariant, LockstepError } from "../../errors.js";
import type { MemberAddress, RingId, VoteInfo } from "../group-transport.js";
import { Group } from "./group.js";
import type { Ring } from "./group.js";
import type { MemoryLimits } from "./limits.js";
import type { GroupEvent, Member } from "./member.js";
import { Slab } from "./slab.js";

/** Totem adds 4 to the highest sequence number of the nodes that form a ring. */
const ringStep = 4n;

export interface LiveRing extends Ring {
  readonly groups: Map<string, Group>;
}

export class Fabric {
  readonly nodes: readonly number[];
  readonly limits: MemoryLimits;
  /** Where the one copy of each message is made that all receivers share. */
  readonly slab = new Slab();
  readonly #votes: VoteInfo;
  readonly #members = new Set<Member>();
  readonly #down = new Set<number>();
  readonly #frozen = new Set<number>();
  /** The highest ring sequence number each node has seen. */
  readonly #seqs: Map<number, bigint>;
  #sides: readonly (readonly number[])[];
  #rings: LiveRing[] = [];
  #lastPid = 0;
  #turnDue = false;

  /** @param nodes ascending. */
  constructor(nodes: readonly number[], limits: MemoryLimits) {
    this.nodes = nodes;
    this.limits = limits;
    this.#sides = [nodes];
    this.#seqs = new Map(nodes.map((node) => [node, 0n]));
    this.#votes = {
      votes: new Map(nodes.map((node) => [node, 1])),
      deviceVotes: 0,
      quorum: Math.floor(nodes.length / 2) + 1,
      twoNode: false,
    };
    this.#reform();
  }

  // What members do.

  newAddress(nodeId: number): MemberAddress {
    this.#lastPid += 1;
    return { nodeId, pid: this.#lastPid };
  }

  isDown(nodeId: number): boolean {
    return this.#down.has(nodeId);
  }

  isFrozen(nodeId: number): boolean {
    return this.#frozen.has(nodeId);
  }

  enter(member: Member): void {
    this.#members.add(member);
    this.submit({ kind: "join", member });
  }

  /** Everything a member brings in takes this way, so that its order is kept. */
  submit(event: GroupEvent): void {
    if (event.member.mailbox.paused) {
      event.member.outbox.push(event);
    } else {
      this.#groupOf(event.member).append(event);
      this.#wake();
    }
  }

  /** The member's listener has had its last call. */
  forget(member: Member): void {
    this.#members.delete(member);
  }

  /** Ends a member as kill -9 ends a process: what the group took goes out, the others see procdown. */
  kill(member: Member, why: string): void {
    this.#wake();
    if (member.dead) return;
    this.#bury(member, why);
    const group = this.#groupOf(member);
    if (!group.withdrawJoin(member)) group.append({ kind: "depart", member, reason: "procdown" });
  }

  // What happens to nodes.

  ringOf(nodeId: number): LiveRing | undefined {
    return this.#rings.find((ring) => ring.nodes.includes(nodeId));
  }

  membersOn(nodeId: number): readonly Member[] {
    return [...this.#members].filter((member) => member.address.nodeId === nodeId && !member.dead);
  }

  partition(sides: readonly (readonly number[])[]): void {
    this.#sides = sides;
    this.#reform();
  }

  /** The node's ring forms again with the same nodes, as after a lost token. */
  renewRing(nodeId: number): void {
    const ring = this.ringOf(nodeId);
    if (ring !== undefined) this.#reform(ring);
  }

  takeDown(nodeId: number): void {
    for (const member of this.membersOn(nodeId)) this.#bury(member, `node ${String(nodeId)} went down`);
    this.#down.add(nodeId);
    this.#reform();
  }

  bringUp(nodeId: number): void {
    this.#down.delete(nodeId);
    this.#reform();
  }

  freeze(nodeId: number): void {
    this.#frozen.add(nodeId);
    for (const member of this.#members) if (member.address.nodeId === nodeId) member.mailbox.paused = true;
  }

  thaw(nodeId: number): void {
    this.#frozen.delete(nodeId);
    for (const member of this.#members) {
      if (member.address.nodeId !== nodeId) continue;
      member.mailbox.paused = false;
      member.heldBytes = 0;
      for (const event of member.outbox.splice(0)) this.submit(event);
    }
    this.#wake();
  }

  #bury(member: Member, why: string): void {
    member.dead = true;
    member.outbox = [];
    member.mailbox.close({ kind: "closed", error: new LockstepError("TRANSPORT_CLOSED", `This member is out of group "${member.group}": ${why}. Join again with a new transport.`) });
    this.#wake();
  }

  #groupOf(member: Member): Group {
    const ring = this.ringOf(member.address.nodeId);
    invariant(ring !== undefined, `node ${String(member.address.nodeId)} is down, and its member of "${member.group}" still acts`);
    let group = ring.groups.get(member.group);
    if (group === undefined) {
      group = new Group(ring);
      ring.groups.set(member.group, group);
    }
    return group;
  }

  /** Forms the rings that the sides and the nodes' state ask for; rings whose nodes stay are kept, except `renewed`. */
  #reform(renewed?: LiveRing): void {
    const wanted = this.#sides.map((side) => side.filter((node) => !this.#down.has(node))).filter((side) => side.length > 0);
    const before = this.#rings;
    this.#rings = wanted.map((nodes) => {
      const same = before.find((ring) => ring !== renewed && sameNodes(ring.nodes, nodes));
      return same ?? this.#formRing(nodes, before);
    });
    this.#wake();
  }

  #formRing(nodes: readonly number[], before: readonly LiveRing[]): LiveRing {
    const seq = nodes.reduce((highest, node) => bigger(highest, this.#seqs.get(node) ?? 0n), 0n) + ringStep;
    for (const node of nodes) this.#seqs.set(node, seq);
    const id: RingId = { nodeId: nodes[0] as number, seq };
    const ring: LiveRing = { id, nodes, quorate: nodes.length >= this.#votes.quorum, votes: this.#votes, groups: new Map() };
    const from = before.filter((old) => old.nodes.some((node) => nodes.includes(node)));
    for (const name of new Set(from.flatMap((old) => [...old.groups.keys()]))) {
      const predecessors = from.map((old) => old.groups.get(name)).filter((group) => group !== undefined);
      ring.groups.set(name, Group.form(ring, predecessors));
    }
    return ring;
  }

  #wake(): void {
    if (this.#turnDue) return;
    this.#turnDue = true;
    // An immediate, not a microtask: I/O and timers get their turn between two batches, and nothing is held when idle.
    setImmediate(() => { this.#turn(); });
  }

  #turn(): void {
    this.#turnDue = false;
    for (const ring of this.#rings) {
      for (const [name, group] of ring.groups) {
        if (group.order(this.limits, (member) => { this.kill(member, "it was paused and did not take its messages") })) this.#wake();
        if (group.isEmpty) ring.groups.delete(name);
      }
    }
    for (const member of this.#members) member.mailbox.dispatch();
  }
}

function bigger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function sameNodes(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((node, index) => node === b[index]);
}
