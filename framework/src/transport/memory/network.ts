/**
 * An in-process network: nodes whose members form groups, with Corosync's order of events, and the faults that
 * applications test against. Without faults it is the embedded default; it is not a model of Corosync's defects (holes,
 * messages that only a cut-off node delivers).
 */
import { checkCallOptions } from "../../call-options.js";
import { LockstepError } from "../../errors.js";
import type { GroupTransport, MemberAddress, RingId } from "../group-transport.js";
import { Fabric } from "./fabric.js";
import { completeLimits } from "./limits.js";
import type { MemoryLimits } from "./limits.js";
import { MemoryTransport } from "./transport.js";

export interface MemoryNetworkOptions {
  /** How many nodes (their ids are 1, 2, …), or their ids, each 1 to 2^32 - 1. Default 1. */
  readonly nodes?: number | readonly number[];
  readonly limits?: Partial<MemoryLimits>;
}

/** As many as a Corosync ring carries in practice. */
const maxNodes = 64;
const maxNodeId = 2 ** 32 - 1;

export class MemoryNetwork {
  /** Ascending. */
  readonly nodes: readonly number[];
  readonly #fabric: Fabric;

  /** @throws LockstepError CONFIGURATION_INVALID */
  constructor(options: MemoryNetworkOptions = {}) {
    checkCallOptions(options, { nodes: true, limits: true }, "MemoryNetwork", "CONFIGURATION_INVALID");
    this.nodes = nodeIds(options.nodes ?? 1);
    this.#fabric = new Fabric(this.nodes, completeLimits(options.limits ?? {}));
  }

  /** A new transport on a node, to join one group once; memory({ network, nodeId }) is the same. */
  transport(nodeId: number): GroupTransport {
    this.#check(nodeId);
    return new MemoryTransport(this.#fabric, nodeId);
  }

  /** The ring a node is on now; undefined while the node is down. */
  ring(nodeId: number): { readonly id: RingId; readonly nodes: readonly number[]; readonly quorate: boolean } | undefined {
    this.#check(nodeId);
    return this.#fabric.ringOf(nodeId);
  }

  /** Nodes of different sides no longer hear each other. Name every node once: `cut([[1], [2, 3]])`. */
  cut(sides: readonly (readonly number[])[]): void {
    const named = sides.flat();
    named.forEach((nodeId) => { this.#check(nodeId); });
    if (named.length !== this.nodes.length || new Set(named).size !== named.length) {
      throw new LockstepError("CONFIGURATION_INVALID", `cut() wants each of the nodes ${this.nodes.join(", ")} in exactly one side, not ${JSON.stringify(sides)}.`);
    }
    this.#fabric.partition(sides.map((side) => side.toSorted(ascending)));
  }

  /** All nodes hear each other again. */
  heal(): void {
    this.#fabric.partition([this.nodes]);
  }

  /** The node's ring forms again with the same nodes: a new ring id and no change of members. */
  renewRing(nodeId: number): void {
    this.#check(nodeId);
    this.#fabric.renewRing(nodeId);
  }

  /**
   * Ends all members on a node, or one of them, as kill -9 ends a process. The others see procdown. Its own listener's
   * last call is closed(error), so that what runs in this process can end too.
   */
  crash(target: number | MemberAddress): void {
    const nodeId = typeof target === "number" ? target : target.nodeId;
    this.#check(nodeId);
    for (const member of this.#fabric.membersOn(nodeId)) {
      if (typeof target === "number" || member.address.pid === target.pid) this.#fabric.kill(member, "it was crashed");
    }
  }

  /** Freezes the members on a node: they are told nothing, and what they send waits. The others notice nothing. */
  pause(nodeId: number): void {
    this.#check(nodeId);
    this.#fabric.freeze(nodeId);
  }

  resume(nodeId: number): void {
    this.#check(nodeId);
    this.#fabric.thaw(nodeId);
  }

  /** The node fails: the others see nodedown, its members are closed, and what they had not got out is lost. */
  kill(nodeId: number): void {
    this.#check(nodeId);
    this.#fabric.takeDown(nodeId);
  }

  /** A killed node comes back, without members. */
  start(nodeId: number): void {
    this.#check(nodeId);
    this.#fabric.bringUp(nodeId);
  }

  #check(nodeId: number): void {
    if (!this.nodes.includes(nodeId)) {
      throw new LockstepError("CONFIGURATION_INVALID", `This memory network has no node ${String(nodeId)}; its nodes are ${this.nodes.join(", ")}.`);
    }
  }
}

export interface MemoryOptions {
  /** Default: a private network of one node. */
  readonly network?: MemoryNetwork;
  /** Which of the network's nodes; may be left out if it has one. */
  readonly nodeId?: number;
}

/**
 * The embedded transport: a group within this process.
 * @throws LockstepError CONFIGURATION_INVALID
 */
export function memory(options: MemoryOptions = {}): GroupTransport {
  checkCallOptions(options, { network: true, nodeId: true }, "memory()", "CONFIGURATION_INVALID");
  if (options.network !== undefined && !(options.network instanceof MemoryNetwork)) throw new LockstepError("CONFIGURATION_INVALID", "memory({ network }) takes a MemoryNetwork, the same one for every node: new MemoryNetwork({ nodes: 3 }).");
  const network = options.network ?? new MemoryNetwork(options.nodeId === undefined ? {} : { nodes: [options.nodeId] });
  const nodeId = options.nodeId ?? (network.nodes.length === 1 ? network.nodes[0] : undefined);
  if (nodeId === undefined) {
    throw new LockstepError("CONFIGURATION_INVALID", `memory({ network }) needs nodeId: the network has the nodes ${network.nodes.join(", ")}.`);
  }
  return network.transport(nodeId);
}

function nodeIds(nodes: number | readonly number[]): readonly number[] {
  const count = typeof nodes === "number" ? nodes : nodes.length;
  if (!Number.isInteger(count) || count < 1 || count > maxNodes) {
    throw new LockstepError("CONFIGURATION_INVALID", `A MemoryNetwork has 1 to ${String(maxNodes)} nodes, not ${String(count)}.`);
  }
  const ids = typeof nodes === "number" ? Array.from({ length: nodes }, (_, index) => index + 1) : nodes.toSorted(ascending);
  const wrong = ids.find((id, index) => !Number.isInteger(id) || id < 1 || id > maxNodeId || ids[index - 1] === id);
  if (wrong !== undefined) {
    throw new LockstepError("CONFIGURATION_INVALID", `MemoryNetwork's node ids are different whole numbers from 1 to ${String(maxNodeId)}; ${String(wrong)} is not, or comes twice.`);
  }
  return Object.freeze(ids);
}

function ascending(a: number, b: number): number {
  return a - b;
}
