/**
 * A closed process group as badly behaved as Corosync was measured to be (docs/protocol.md, "Why apply on delivery is
 * wrong"), with every choice left to the caller: when a message gets onto the ring, when a node delivers it, and which
 * of the messages that a node had not delivered when its ring broke it will deliver before the next configuration.
 *
 * What it promises, as Totem does: one order per ring; a node delivers what it put on a ring itself before it leaves
 * that ring; what was not yet on a ring goes out on the next one; ring sequences grow along any node's history.
 */
import { invariant } from "../errors.js";
import type { ChangedMember, ChangeReason, ConfigurationChange, MemberAddress, RingId } from "../transport/group-transport.js";

/** What a process hears. */
export type Heard<M> =
  | { readonly kind: "message"; readonly sender: MemberAddress; readonly message: M }
  | { readonly kind: "configuration"; readonly change: ConfigurationChange }
  | { readonly kind: "ring"; readonly ring: RingId; readonly nodes: readonly number[] }
  /** The daemon is gone. */
  | { readonly kind: "closed" };

/** On its way through a daemon, or on a ring. */
export type Wire<M> = { readonly sender: MemberAddress } & (
  | { readonly kind: "message"; readonly message: M }
  | { readonly kind: "join"; readonly process: Process<M> }
  | { readonly kind: "leave"; readonly reason: "leave" | "procdown" }
);

interface Ring<M> {
  readonly id: RingId;
  readonly nodes: readonly number[];
  readonly order: Wire<M>[];
}

export interface Process<M> {
  readonly address: MemberAddress;
  joined: boolean;
  hear: (heard: Heard<M>) => void;
}

export class ModelNode<M> {
  readonly id: number;
  up = true;
  /** The daemon is stopped: it delivers nothing, and if it holds the token, nobody in its ring sends. */
  paused = false;
  ring: Ring<M>;
  /** How much of the ring's order is delivered. */
  delivered = 0;
  /** Multicast, and not yet on a ring. */
  queue: Wire<M>[] = [];
  /** The group's members, as this node knows them. */
  members: MemberAddress[] = [];
  processes: Process<M>[] = [];
  /** The highest ring sequence known; kept on disk. */
  seq: bigint;

  constructor(id: number) {
    this.id = id;
    this.seq = 4n;
    this.ring = { id: { nodeId: id, seq: this.seq }, nodes: [id], order: [] };
  }

  get undelivered(): number {
    return this.ring.order.length - this.delivered;
  }
}

/** Decides whether a node still delivers a message of the ring that it leaves. Not asked about the node's own messages. */
export type Received<M> = (node: ModelNode<M>, index: number, wire: Wire<M>) => boolean;

export class GroupModel<M> {
  readonly nodes: ReadonlyMap<number, ModelNode<M>>;

  constructor(ids: readonly number[]) {
    this.nodes = new Map(ids.map((id) => [id, new ModelNode<M>(id)]));
  }

  node(id: number): ModelNode<M> {
    const node = this.nodes.get(id);
    invariant(node !== undefined, `there is no node ${id}`);
    return node;
  }

  /** A process joins; it hears of it when its join has been ordered. */
  join(address: MemberAddress, hear: (heard: Heard<M>) => void): void {
    const node = this.node(address.nodeId);
    const process: Process<M> = { address, joined: false, hear };
    node.processes.push(process);
    node.queue.push({ kind: "join", sender: address, process });
  }

  multicast(sender: MemberAddress, message: M): void {
    this.node(sender.nodeId).queue.push({ kind: "message", sender, message });
  }

  /** The process is gone; what it multicast is still with its daemon. */
  depart(address: MemberAddress, reason: "leave" | "procdown"): void {
    const node = this.node(address.nodeId);
    node.processes = node.processes.filter((process) => !same(process.address, address));
    node.queue.push({ kind: "leave", sender: address, reason });
  }

  /** The node's daemon is gone, with all that it had not sent. Its processes hear that it is. */
  takeDown(id: number): void {
    const node = this.node(id);
    for (const process of node.processes) process.hear({ kind: "closed" });
    node.up = false;
    node.paused = false;
    node.queue = [];
    node.members = [];
    node.processes = [];
  }

  /** A daemon starts, alone in a ring until it meets others. */
  bringUp(id: number): void {
    const node = this.node(id);
    node.up = true;
    this.#enterRing([node], () => false);
  }

  /** Puts the next message of a node on its ring. */
  transmit(id: number): boolean {
    const node = this.node(id);
    const stalled = Array.from(this.nodes.values()).some((other) => other.ring === node.ring && other.paused);
    const wire = node.up && !stalled ? node.queue.shift() : undefined;
    if (wire === undefined) return false;
    node.ring.order.push(wire);
    return true;
  }

  /** A node delivers the next message of its ring. */
  deliver(id: number): boolean {
    const node = this.node(id);
    const wire = node.ring.order[node.delivered];
    if (wire === undefined || !node.up || node.paused) return false;
    node.delivered++;
    this.#deliver(node, wire);
    return true;
  }

  /** A node steps over the next message of its ring, which is about to end: a hole. */
  skip(id: number): boolean {
    const node = this.node(id);
    if (node.undelivered === 0) return false;
    node.delivered++;
    return true;
  }

  /**
   * Rings form anew. Each of the nodes' old rings ends; `ghosts` stay listed as members although their node is not in the
   * new ring. Ring sequences are the next ones, or `seq` (as after a node's state directory was wiped).
   */
  reform(groups: readonly (readonly number[])[], received: Received<M>, ghosts: (member: MemberAddress) => boolean = () => false, seq?: bigint): void {
    for (const ids of groups) this.#finishRings(ids.map((id) => this.node(id)), received);
    for (const ids of groups) this.#enterRing(ids.map((id) => this.node(id)), ghosts, seq);
  }

  #finishRings(nodes: readonly ModelNode<M>[], received: Received<M>): void {
    for (const node of nodes) {
      invariant(node.up, `node ${node.id} is up`);
      for (; node.delivered < node.ring.order.length; node.delivered++) {
        const wire = node.ring.order[node.delivered];
        if (wire !== undefined && (wire.sender.nodeId === node.id || received(node, node.delivered, wire))) this.#deliver(node, wire);
      }
    }
  }

  /** The order of a ring change: nodes that left, nodes that came, processes that died meanwhile, the ring. */
  #enterRing(nodes: readonly ModelNode<M>[], ghosts: (member: MemberAddress) => boolean, given?: bigint): void {
    const seq = given ?? nodes.reduce((highest, node) => (node.seq > highest ? node.seq : highest), 0n) + 4n;
    const ids = nodes.map((node) => node.id).sort((a, b) => a - b);
    const ring: Ring<M> = { id: { nodeId: ids[0] ?? 0, seq }, nodes: ids, order: [] };
    const present = nodes.flatMap((node) => node.processes.filter((process) => process.joined).map((process) => process.address));
    for (const node of nodes) {
      node.ring = ring;
      node.seq = seq;
      node.delivered = 0;
      this.#change(node, "nodedown", node.members.filter((member) => !ids.includes(member.nodeId) && !ghosts(member)), []);
      this.#change(node, "nodeup", [], present.filter((member) => !node.members.some((known) => same(known, member))));
      this.#change(node, "procdown", node.members.filter((member) => ids.includes(member.nodeId) && !present.some((alive) => same(alive, member))), []);
      this.#tell(node, { kind: "ring", ring: ring.id, nodes: ids });
    }
  }

  #deliver(node: ModelNode<M>, wire: Wire<M>): void {
    const known = node.members.some((member) => same(member, wire.sender));
    switch (wire.kind) {
      case "message": return this.#tell(node, { kind: "message", sender: wire.sender, message: wire.message });
      case "leave": return this.#change(node, wire.reason, known ? [wire.sender] : [], []);
      case "join": return this.#joined(node, wire.process, known);
      default: return wire satisfies never;
    }
  }

  #joined(node: ModelNode<M>, process: Process<M>, known: boolean): void {
    const { address } = process;
    // A node that is told of the newcomer by a ring change already has nothing new to hear.
    if (!known) this.#change(node, "join", [], [address]);
    if (!node.processes.includes(process)) return;
    process.joined = true;
    process.hear({ kind: "configuration", change: { members: Array.from(node.members), left: [], joined: [{ ...address, reason: "join" }] } });
    process.hear({ kind: "ring", ring: node.ring.id, nodes: node.ring.nodes });
  }

  #change(node: ModelNode<M>, reason: ChangeReason, left: readonly MemberAddress[], joined: readonly MemberAddress[]): void {
    if (left.length + joined.length === 0) return;
    node.members = [...node.members.filter((member) => !left.some((gone) => same(gone, member))), ...joined];
    const because = (address: MemberAddress): ChangedMember => ({ nodeId: address.nodeId, pid: address.pid, reason });
    this.#tell(node, { kind: "configuration", change: { members: Array.from(node.members), left: left.map(because), joined: joined.map(because) } });
  }

  #tell(node: ModelNode<M>, heard: Heard<M>): void {
    for (const process of node.processes) if (process.joined) process.hear(heard);
  }
}

export function same(a: MemberAddress, b: MemberAddress): boolean {
  return a.nodeId === b.nodeId && a.pid === b.pid;
}
