/** What can go wrong, by name. Each returns what it did, for the timeline, or undefined if there was nothing to do. */
import { decodeMessage } from "../codec/message-codec.js";
import { isLockstepError } from "../errors.js";
import type { ModelNode, Received } from "./group-model.js";
import type { Random } from "./random.js";
import type { SimulatedProcess } from "./simulated-process.js";
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
    if (random.chance(0.7)) awake(world, alone)?.hear(random.between(1, 20));
    const others = nodes.filter((node) => node !== alone);
    const what = reform(world, random, others.length === 0 ? [[alone]] : [[alone], others], (node, _index, wire) => node.id === alone || (wire.sender.nodeId !== alone && random.chance(0.9)));
    return `${what}, ${before} undelivered at the node that is alone`;
  },
  crash: (world, random) => {
    const process = anyProcess(world, random);
    if (process === undefined || !world.mayForget(process.slot)) return undefined;
    const { name } = process;
    world.end(process, random.chance(0.3) ? "leave" : "procdown");
    if (random.chance(0.5)) restart(world, random, process);
    return name;
  },
  /** It is dead, and stays listed as a member until its daemon ends. */
  dieUnnoticed: (world, random) => {
    const process = anyProcess(world, random);
    if (process === undefined || !world.mayForget(process.slot)) return undefined;
    const { name } = process;
    world.end(process, "unnoticed");
    if (random.chance(0.5)) restart(world, random, process);
    return name;
  },
  /** The power fails everywhere: all daemons and all replicas are gone, and come back in any order. */
  powerLoss: (world, random) => {
    if (world.options.durability !== "disk") return undefined;
    for (const process of world.all()) world.end(process, "procdown");
    for (const slot of upNodes(world)) world.group.takeDown(slot);
    for (const slot of random.shuffled(world.options.slots)) {
      world.group.node(slot).paused = false;
      if (!world.group.node(slot).up) world.group.bringUp(slot);
      if (random.chance(0.8)) restart(world, random, { slot, address: { nodeId: slot, pid: 100 } });
    }
    return reform(world, random, random.chance(0.5) ? [upNodes(world)] : split(random, upNodes(world)));
  },
  /** A process ends, and is started again on its disk. */
  restart: (world, random) => {
    const process = anyProcess(world, random);
    if (process === undefined || !world.disks.has(process.slot)) return undefined;
    const { name } = process;
    world.end(process, random.chance(0.3) ? "leave" : "procdown");
    restart(world, random, process);
    return name;
  },
  /** A process ends, and its disk is replaced by an empty one. */
  loseDisk: (world, random) => {
    const slot = random.pick(world.options.slots);
    if (slot === undefined || !world.mayLoseDisk(slot)) return undefined;
    for (const process of world.on(slot)) world.end(process, "procdown");
    world.disks.get(slot)?.wipe();
    world.loseDisk(slot);
    return `slot ${slot}`;
  },
  /** A process ends, and a bit flips on its disk. */
  rotDisk: (world, random) => {
    const slot = random.pick(world.options.slots);
    if (slot === undefined || !world.mayLoseDisk(slot)) return undefined;
    for (const process of world.on(slot)) world.end(process, "procdown");
    if (world.disks.get(slot)?.rot(random) !== true) return undefined;
    world.rotten.add(slot);
    world.loseDisk(slot);
    return `slot ${slot}`;
  },
  /** A process ends, and what its disk was writing is there in part: to be refused, or nothing that was acknowledged. */
  tearDisk: (world, random) => {
    const slot = random.pick(world.options.slots.filter((one) => (world.disks.get(one)?.waiting ?? 0) > 0));
    if (slot === undefined || !world.mayLoseDisk(slot)) return undefined;
    if (world.disks.get(slot)?.tear(random) !== true) return undefined;
    for (const process of world.on(slot)) world.end(process, "procdown");
    world.rotten.add(slot);
    world.loseDisk(slot);
    return `slot ${slot}`;
  },
  fullDisk: (world, random) => {
    const slot = random.pick(world.options.slots);
    const disk = slot === undefined ? undefined : world.disks.get(slot);
    if (disk === undefined) return undefined;
    disk.full = !disk.full;
    return `slot ${slot} ${disk.full ? "takes nothing" : "has room"}`;
  },
  /** Another process starts on a node that has one. */
  second: (world, random) => {
    const process = random.pick(Array.from(world.processes.values()));
    // Of a durable replica's directory there is one user.
    if (process === undefined || world.seconds.has(process.slot) || world.disks.has(process.slot)) return undefined;
    // One that has lost its daemon is not listed: whoever starts meanwhile takes its place.
    if (!process.inGroup && !world.mayForget(process.slot)) return undefined;
    return restart(world, random, process)?.name;
  },
  secondEnds: (world, random) => {
    const process = random.pick(Array.from(world.seconds.values()));
    if (process === undefined || (process.core?.lineage === true && !world.mayForget(process.slot))) return undefined;
    const { name } = process;
    world.end(process, random.chance(0.5) ? "leave" : "procdown");
    return name;
  },
  crashNode: (world, random) => {
    const slot = random.pick(upNodes(world));
    if (slot === undefined || !world.mayForget(slot)) return undefined;
    for (const process of world.on(slot)) world.end(process, "procdown");
    world.group.takeDown(slot);
    return `node ${slot}; ${reform(world, random, currentGroups(world))}`;
  },
  /** Daemons die, processes live: they come back as other incarnations, with what they remember. */
  loseDaemons: (world, random) => {
    const victims = random.shuffled(Array.from(world.processes.values())).slice(0, random.chance(0.6) ? 1 : random.between(2, 5));
    lastMoments(world, random, upNodes(world));
    const lost = victims.filter((process) => {
      if (!process.inGroup || !world.group.node(process.slot).up) return false;
      // What it has not heard may have been its last chance to be sure of what it acknowledged.
      const present = world.on(process.slot);
      // Of two that come back the first one there is not refused.
      if (present.length > 1 && !world.mayForget(process.slot)) return false;
      if (present.some(isInDoubt) && !world.mayDoubt(process.slot)) return false;
      for (const one of present) one.loseUnheard(random.between(0, one.unheard));
      world.group.takeDown(process.slot);
      return true;
    });
    if (lost.length === 0) return undefined;
    return `${lost.map(({ name }) => name).join(" ")}; ${reform(world, random, currentGroups(world))}`;
  },
  /** A process that is too slow is put out of the group, and comes back into the same ring, with the same pid. */
  evict: (world, random) => {
    const process = anyProcess(world, random);
    if (process === undefined || !process.inGroup || !world.group.node(process.slot).up || !world.mayDoubt(process.slot)) return undefined;
    if (world.seconds.has(process.slot) && !world.mayForget(process.slot)) return undefined;
    process.evict(random.between(0, process.unheard), random.chance(0.5) ? "leave" : "procdown");
    if (random.chance(0.5)) process.frozen = false;
    return process.name;
  },
  repair: (world, random) => {
    const slot = random.pick(world.options.slots.filter((one) => !world.group.node(one).up || !world.processes.has(one)));
    return slot === undefined ? undefined : repair(world, random, slot);
  },
  /** Like crashNode, and its state directory is wiped: it starts again with the lowest ring sequence. */
  wipeNode: (world, random) => {
    const slot = random.pick(upNodes(world));
    if (slot === undefined || !world.mayForget(slot)) return undefined;
    for (const process of world.on(slot)) world.end(process, "procdown");
    world.group.takeDown(slot);
    world.group.node(slot).seq = 4n;
    world.wiped = true;
    return `node ${slot}; ${reform(world, random, currentGroups(world))}`;
  },
  /** A daemon stops while it holds the token: the ring stands still, until the others go on without it, or it wakes up. */
  pauseDaemon: (world, random) => {
    const slot = random.pick(upNodes(world));
    if (slot === undefined) return undefined;
    world.group.node(slot).paused = true;
    if (random.chance(0.5)) return `node ${slot}`;
    return `node ${slot}; ${reform(world, random, currentGroups(world))}`;
  },
  /** It finds that the others have gone on, and is alone first; or nobody had noticed. */
  resumeDaemon: (world, random) => {
    const node = random.pick(Array.from(world.group.nodes.values()).filter(({ paused }) => paused));
    if (node === undefined) return undefined;
    node.paused = false;
    if (Array.from(world.group.nodes.values()).some((other) => other !== node && other.up && other.ring === node.ring)) return `node ${node.id}`;
    return `node ${node.id}; ${reform(world, random, [[node.id]])}`;
  },
  freeze: (world, random) => {
    const process = anyProcess(world, random);
    if (process === undefined || process.frozen) return undefined;
    process.frozen = true;
    return process.name;
  },
  thaw: (world, random) => {
    const process = random.pick(world.all().filter(({ frozen }) => frozen));
    if (process === undefined) return undefined;
    process.frozen = false;
    return process.name;
  },
  /** Somebody sets a wall clock. */
  wallClockJump: (world, random) => {
    const process = anyProcess(world, random);
    const ms = random.between(-100_000_000, 100_000_000);
    process?.clock.jump(ms);
    return process === undefined ? undefined : `${process.name} by ${ms} ms`;
  },
  /** The transport takes nothing for a while. */
  jam: (world, random) => {
    const process = anyProcess(world, random);
    if (process === undefined || process.frozen) return undefined;
    if (process.busy) process.writable();
    else process.busy = true;
    return `${process.name} ${process.busy ? "is busy" : "takes messages again"}`;
  },
  /** A bit of a chunk that is on its way flips: everybody who has not heard it yet gets it so. */
  damageChunk: (world, random) => {
    for (const node of random.shuffled(Array.from(world.group.nodes.values()))) {
      for (const wire of [...node.queue, ...node.ring.order.slice(node.delivered)]) {
        if (wire.kind !== "message" || !isChunk(wire.message)) continue;
        const at = random.between(2, wire.message.byteLength - 1);
        wire.message[at] = (wire.message[at] ?? 0) ^ (1 << random.between(0, 7));
        return `from ${wire.sender.nodeId}, byte ${at}`;
      }
    }
    return undefined;
  },
} as const satisfies Record<string, Fault>;

export const faultNames = Object.keys(faults) as FaultName[];

/** Brings back whatever is missing on a node. */
export function repair(world: World, random: Random, slot: number): string {
  world.group.node(slot).paused = false;
  if (!world.group.node(slot).up) world.group.bringUp(slot);
  const process = world.processes.get(slot);
  if (process === undefined) restart(world, random, { slot, address: { nodeId: slot, pid: 100 } });
  return `slot ${slot}`;
}

/** Pids come back. */
function restart(world: World, random: Random, { slot, address }: Pick<SimulatedProcess, "slot" | "address">): SimulatedProcess | undefined {
  const pid = world.freePid(slot, random.chance(0.3) ? address.pid : address.pid + 1);
  return world.group.node(slot).up && !world.seconds.has(slot) ? world.start(slot, pid) : undefined;
}

function anyProcess(world: World, random: Random): SimulatedProcess | undefined {
  return random.pick(world.all());
}

function isInDoubt({ core, unheard }: SimulatedProcess): boolean {
  return core === undefined || core.acknowledged > core.verified || unheard > 0;
}

function isChunk(bytes: Uint8Array): boolean {
  try {
    return decodeMessage(bytes).type === "chunk";
  } catch (error) {
    if (isLockstepError(error, "MALFORMED_MESSAGE")) return false;
    throw error;
  }
}

function upNodes(world: World): number[] {
  return world.options.slots.filter((slot) => world.group.node(slot).up && !world.group.node(slot).paused);
}

function awake(world: World, slot: number): SimulatedProcess | undefined {
  return world.on(slot).find(({ frozen }) => !frozen);
}

function currentGroups(world: World): number[][] {
  const groups = new Map<ModelNode<Uint8Array>["ring"], number[]>();
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

function reform(world: World, random: Random, groups: readonly (readonly number[])[], received: Received<Uint8Array> = survival(random)): string {
  lastMoments(world, random, groups.flat());
  const ghostly = random.chance(0.1);
  world.group.reform(groups, received, () => ghostly && random.chance(0.5));
  return groups.map((group) => group.join(" ")).join(" | ");
}

/** A ring that breaks is seldom quiet: some get more out, or hear more, than the others. */
function lastMoments(world: World, random: Random, nodes: readonly number[]): void {
  if (random.chance(0.3)) return;
  for (const node of random.shuffled(nodes)) {
    for (let left = random.between(0, 8); left > 0 && world.group.transmit(node); left--);
    if (random.chance(0.5)) for (let left = random.between(0, 12); left > 0 && world.group.deliver(node); left--);
    if (random.chance(0.5)) awake(world, node)?.hear(random.between(1, 12));
  }
}

/** Which messages of an old ring still get through: mostly what those that move together have among them; at times not. */
function survival(random: Random): Received<Uint8Array> {
  const style = random.next();
  const shared = new Map<string, boolean>();
  const together = (node: ModelNode<Uint8Array>, index: number, chance: number): boolean => {
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
