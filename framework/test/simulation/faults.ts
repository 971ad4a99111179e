/** What can go wrong, by name. Each returns what it did, for the trace, or undefined if there was nothing to do. */
import type { ModelNode, Received } from "../../src/testing/group-model.js";
import type { Message } from "../../src/core/messages.js";
import type { Random } from "../../src/testing/random.js";
import type { SimReplica } from "./sim-replica.js";
import type { World } from "./world.js";

type Fault = (world: World, random: Random) => string | undefined;
export type FaultName = keyof typeof faults;

export const faults = {
  heal: (world, random) => reform(world, random, [upNodes(world)]),
  partition: (world, random) => reform(world, random, split(random, upNodes(world))),
  /** The token is lost, and the same nodes form another ring. */
  sameNodes: (world, random) => reform(world, random, currentGroups(world)),
  /** A node sends and delivers a burst that nobody else hears of, and is then alone. */
  cutWithTail: (world, random) => {
    const nodes = upNodes(world);
    const alone = random.pick(nodes);
    if (alone === undefined) return undefined;
    const before = world.group.node(alone).undelivered;
    while (world.group.transmit(alone));
    if (random.chance(0.7)) while (world.group.deliver(alone));
    const replica = running(world, alone);
    if (random.chance(0.7)) replica?.hear(random.between(1, 20));
    const others = nodes.filter((node) => node !== alone);
    const what = reform(world, random, others.length === 0 ? [[alone]] : [[alone], others], (node, _index, wire) => node.id === alone || (wire.sender.nodeId !== alone && random.chance(0.9)));
    return `${what}, ${before} undelivered at the node that is alone`;
  },
  crash: (world, random) => {
    const replica = random.pick(Array.from(world.replicas.values()));
    if (replica === undefined || !world.mayForget(replica.slot)) return undefined;
    world.kill(replica.slot, random.chance(0.3) ? "leave" : "procdown");
    if (random.chance(0.5)) start(world, random, replica.slot, replica.address.pid);
    return replica.name;
  },
  crashNode: (world, random) => {
    const slot = random.pick(upNodes(world));
    if (slot === undefined || !world.mayForget(slot)) return undefined;
    world.kill(slot, "procdown");
    world.group.takeDown(slot);
    return `node ${slot}; ${reform(world, random, currentGroups(world))}`;
  },
  /** Daemons die, processes live: they will come back as other incarnations, with what they remember. */
  loseDaemons: (world, random) => {
    const victims = random.shuffled(Array.from(world.replicas.values())).slice(0, random.chance(0.6) ? 1 : random.between(2, 5));
    lastMoments(world, random, upNodes(world));
    const lost = victims.filter((replica) => {
      if (replica.closed || !world.group.node(replica.slot).up) return false;
      // What it has not heard may have been its last chance to be sure of what it acknowledged.
      const { core } = replica;
      if ((core.acknowledged > core.verified || replica.inbox.length > 0) && !world.mayDoubt(replica.slot)) return false;
      replica.inbox.length = random.between(0, replica.inbox.length);
      world.group.takeDown(replica.slot);
      return true;
    });
    if (lost.length === 0) return undefined;
    return `${lost.map((replica) => replica.name).join(" ")}; ${reform(world, random, currentGroups(world))}`;
  },
  /** A process that is too slow is put out of the group, and comes back into the same ring, with the same pid. */
  evict: (world, random) => {
    const replica = random.pick(Array.from(world.replicas.values()));
    if (replica === undefined || replica.closed || !world.group.node(replica.slot).up || !world.mayDoubt(replica.slot)) return undefined;
    replica.inbox.length = random.between(0, replica.inbox.length);
    replica.inbox.push({ kind: "closed" });
    world.group.depart(replica.address, random.chance(0.5) ? "leave" : "procdown");
    if (random.chance(0.5)) {
      replica.frozen = false;
      repair(world, random, replica.slot);
    }
    return replica.name;
  },
  restart: (world, random) => {
    const slot = random.pick(world.options.slots.filter((one) => !world.group.node(one).up || !world.isInGroup(one)));
    return slot === undefined ? undefined : repair(world, random, slot);
  },
  freeze: (world, random) => {
    const replica = random.pick(Array.from(world.replicas.values()));
    if (replica === undefined || replica.frozen) return undefined;
    replica.frozen = true;
    return replica.name;
  },
  thaw: (world, random) => {
    const replica = random.pick(Array.from(world.replicas.values()).filter(({ frozen }) => frozen));
    if (replica === undefined) return undefined;
    replica.frozen = false;
    return replica.name;
  },
  /** A replica's state is found to be wrong. */
  stateDiffers: (world, random) => {
    const replica = random.pick(Array.from(world.replicas.values()));
    if (replica === undefined || replica.closed || replica.frozen || !replica.core.lineage || !world.mayForget(replica.slot)) return undefined;
    replica.dispatch({ type: "stateDiffers", position: replica.applier.position });
    return replica.name;
  },
} as const satisfies Record<string, Fault>;

/** Brings back whatever is missing on a node. */
export function repair(world: World, random: Random, slot: number): string {
  const node = world.group.node(slot);
  if (!node.up) world.group.bringUp(slot);
  const replica = world.replicas.get(slot);
  if (replica === undefined) start(world, random, slot, 100);
  else if (!node.processes.some(({ address }) => address.pid === replica.address.pid)) {
    // The process learns at last that its daemon is gone.
    replica.hear(Number.POSITIVE_INFINITY);
    world.start(slot, replica.address.pid, replica);
  }
  return `slot ${slot}`;
}

function upNodes(world: World): number[] {
  return world.options.slots.filter((slot) => world.group.node(slot).up);
}

function running(world: World, slot: number): SimReplica | undefined {
  const replica = world.replicas.get(slot);
  return replica === undefined || replica.frozen || replica.closed ? undefined : replica;
}

/** Pids come back. */
function start(world: World, random: Random, slot: number, lastPid: number): void {
  world.start(slot, random.chance(0.3) ? lastPid : lastPid + 1);
}

function currentGroups(world: World): number[][] {
  const groups = new Map<ModelNode<Message>["ring"], number[]>();
  for (const slot of upNodes(world)) {
    const { ring } = world.group.node(slot);
    groups.set(ring, [...(groups.get(ring) ?? []), slot]);
  }
  return Array.from(groups.values());
}

function split(random: Random, nodes: readonly number[]): number[][] {
  const sides = random.between(2, 3);
  const groups = Array.from({ length: sides }, (): number[] => []);
  for (const node of nodes) (random.pick(groups) as number[]).push(node);
  return groups.filter((group) => group.length > 0);
}

function reform(world: World, random: Random, groups: readonly (readonly number[])[], received: Received<Message> = survival(random)): string {
  lastMoments(world, random, groups.flat());
  const ghostly = random.chance(0.1);
  world.group.reform(groups, received, () => ghostly && random.chance(0.5));
  world.votequorum.ringsFormed(deviceChoice(world, random));
  return groups.map((group) => group.join(" ")).join(" | ");
}

/** A node of the ring that a quorum device is with from now on. It does not see all of them, and mostly one. */
export function deviceChoice(world: World, random: Random): number | undefined {
  if ((world.options.deviceVotes ?? 0) === 0 || random.chance(0.1)) return undefined;
  return random.pick(upNodes(world));
}

/** A ring that breaks is seldom quiet: some get more out, or hear more, than the others. */
function lastMoments(world: World, random: Random, nodes: readonly number[]): void {
  if (random.chance(0.3)) return;
  for (const node of random.shuffled(nodes)) {
    for (let left = random.between(0, 8); left > 0 && world.group.transmit(node); left--);
    if (random.chance(0.5)) for (let left = random.between(0, 12); left > 0 && world.group.deliver(node); left--);
    if (random.chance(0.5)) running(world, node)?.hear(random.between(1, 12));
  }
}

/** Which messages of an old ring still get through: mostly what those that move together have among them; at times not. */
function survival(random: Random): Received<Message> {
  const style = random.next();
  const shared = new Map<string, boolean>();
  const together = (node: ModelNode<Message>, index: number, chance: number): boolean => {
    const key = `${node.ring.id.seq}/${node.ring.id.nodeId}/${index}`;
    const known = shared.get(key);
    if (known !== undefined) return known;
    const survives = random.chance(chance);
    shared.set(key, survives);
    return survives;
  };
  if (style < 0.3) return () => true;
  if (style < 0.5) return () => false;
  if (style < 0.7) return (node, index) => together(node, index, 0.8);
  return () => random.chance(0.7);
}
