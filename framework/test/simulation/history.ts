/**
 * One seed, one history: random faults and work for a while; then the faults stop, and everything must come to rest.
 */
import { corosyncPolicy, majorityOf, majorityPolicy } from "../../src/core/quorum-policy.js";
import type { CoreEvent, Effect } from "../../src/core/events.js";
import type { EntryRecord } from "../../src/log/log.js";
import { Checkers, Violation } from "./checkers.js";
import { deviceChoice, faults, repair, type FaultName } from "./faults.js";
import { Random } from "../../src/testing/random.js";
import { namesOf, type Ending, type Observer, type SimReplica } from "./sim-replica.js";
import { formatEffect, formatEvent } from "../../src/testing/format.js";
import { World } from "./world.js";

export interface HistoryResult {
  readonly steps: number;
  readonly answered: number;
  readonly commits: number;
  readonly snapshots: number;
  /** Rounds until everything was at rest after the faults stopped. */
  readonly roundsToRest: number;
}

/** More than the exchange with a silent member, every wait for a transfer and every backoff take. */
const roundsAllowed = 4_000;
const roundMs = 100;

/** @throws Violation; give `trace` to see what led to it. */
export function runHistory(seed: number, trace?: (line: string) => void): HistoryResult {
  return new History(seed, trace).run();
}

class Tracer implements Observer {
  readonly #checkers: Checkers;
  readonly #trace: (line: string) => void;

  constructor(checkers: Checkers, trace: (line: string) => void) {
    this.#checkers = checkers;
    this.#trace = trace;
  }

  stepped(replica: SimReplica, event: CoreEvent): void {
    const line = formatEvent(event);
    if (line !== undefined) this.#trace(`  ${replica.name} ${line}`);
    this.#checkers.stepped(replica, event);
  }

  effect(replica: SimReplica, effect: Effect): void {
    this.#trace(`  ${replica.name}     ${formatEffect(effect)}`);
    this.#checkers.effect(replica, effect);
  }

  applied(replica: SimReplica, position: number, hash: string, record: EntryRecord, took: boolean): void {
    this.#trace(`  ${replica.name}     applied ${position}#${hash.slice(0, 4)} ${record.incarnation.slice(-3)}/${record.n}${took ? "" : " (a second copy)"}`);
    this.#checkers.applied(replica, position, hash, record, took);
  }

  ended(replica: SimReplica, n: number, ending: Ending): void {
    this.#trace(`  ${replica.name}     ${n} ${ending}`);
    this.#checkers.ended(replica, n, ending);
  }
}

/** How a history goes. */
interface Temper {
  /** Messages that a node sends, delivers and hears in a moment, about. */
  readonly pace: number;
  /** Chances, in a moment: that a replica's client asks for something, that its transport jams or a client gives up, … */
  readonly submits: number;
  readonly hiccups: number;
  /** … that everything under way gets through everywhere, that something goes wrong. */
  readonly calm: number;
  readonly faults: number;
  readonly tickMs: number;
}

class History {
  readonly #random: Random;
  readonly #checkers = new Checkers();
  readonly #world: World;
  readonly #trace: ((line: string) => void) | undefined;
  readonly #weights: readonly (readonly [FaultName, number])[];
  readonly #steps: number;
  readonly #temper: Temper;
  #commands = 0;

  constructor(seed: number, trace: ((line: string) => void) | undefined) {
    const random = new Random(seed);
    this.#random = random;
    this.#trace = trace;
    const count = random.pick([1, 2, 3, 3, 3, 4, 5, 5]) ?? 3;
    this.#steps = random.between(30, 150);
    this.#temper = {
      pace: random.between(1, 6), submits: random.pick([0.1, 0.3, 0.6]) ?? 0.3, tickMs: random.pick([10, 100, 400]) ?? 100,
      hiccups: random.pick([0, 0.02, 0.1]) ?? 0, calm: random.pick([0, 0.1, 0.3]) ?? 0, faults: random.pick([0.03, 0.1, 0.25]) ?? 0.1,
    };
    // Some faults often, some never: a history of everything at once rarely gets anywhere.
    this.#weights = (Object.keys(faults) as FaultName[]).map((name) => [name, random.chance(0.6) ? random.next() : 0] as const);
    const policy = random.chance(0.7) ? majorityPolicy : corosyncPolicy({ twoNodeIsFenced: false });
    this.#world = new World({
      slots: Array.from({ length: count }, (_, index) => index + 1),
      policy, deviceVotes: policy.needsVotes && count > 1 ? (random.pick([0, 1, count - 1]) ?? 0) : 0,
      inFlightBatches: random.between(1, 3), inFlightChunks: random.between(1, 3), snapshotSliceBytes: random.between(40, 400), incrementalBytes: random.pick([1, 500, 1_000_000]) ?? 500,
      heldBytes: random.pick([900, 3_000, 1_000_000]) ?? 3_000, logRetentionBytes: random.pick([1, 3_000, 15_000, 1_000_000]) ?? 3_000, unwrittenBytes: 15_000,
      observer: trace === undefined ? this.#checkers : new Tracer(this.#checkers, trace),
    });
  }

  run(): HistoryResult {
    const random = this.#random;
    for (const slot of this.#world.options.slots) this.#world.start(slot, 100);
    if (random.chance(0.9)) this.#fault("heal");
    if (random.chance(0.8)) for (let left = 5; left > 0; left--) this.#round(0);
    for (let at = 0; at < this.#steps; at++) {
      if (!random.chance(this.#temper.faults)) this.#progress();
      // Without help in between, most of a history would be spent without a quorum.
      else if (random.chance(0.5)) this.#fault(this.#chooseFault());
      else this.#fault(random.pick(["heal", "restart", "thaw"] as const) ?? "heal");
      this.#check();
    }
    const roundsToRest = this.#rest();
    this.#checkers.atTheEnd();
    const { answered, commits, snapshots } = this.#checkers;
    return { steps: this.#steps, answered, commits, snapshots, roundsToRest };
  }

  #check(): void {
    for (const replica of this.#world.replicas.values()) {
      if (replica.stopped !== undefined && replica.stopped.code !== "SLOT_TAKEN") throw new Violation(`${replica.name} stopped: ${replica.stopped.code} ${replica.stopped.message}`, { cause: replica.stopped });
    }
  }

  #chooseFault(): FaultName {
    let at = this.#random.next() * this.#weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of this.#weights) {
      at -= weight;
      if (at < 0) return name;
    }
    return "heal";
  }

  #fault(name: FaultName): void {
    const what = faults[name](this.#world, this.#random);
    if (what !== undefined) this.#trace?.(`${name}: ${what}`);
  }

  /** A moment: some nodes and replicas get something done, each at its own pace; clients go on asking. */
  #progress(): void {
    const random = this.#random;
    const { group, options, replicas } = this.#world;
    const { pace, submits, tickMs, hiccups } = this.#temper;
    if (random.chance(this.#temper.calm)) return this.#round(tickMs);
    this.#moveDevice();
    for (const slot of random.shuffled(options.slots)) {
      for (let left = random.between(0, pace); left > 0 && group.transmit(slot); left--);
      for (let left = random.between(0, 2 * pace); left > 0 && group.deliver(slot); left--);
      const replica = replicas.get(slot);
      if (replica === undefined || replica.frozen || replica.closed) continue;
      if (random.chance(0.7)) replica.hear(random.between(1, 3 * pace));
      if (random.chance(submits) && replica.queued.length < 10) this.#submit(replica);
      if (random.chance(0.3)) replica.acknowledge();
      if (random.chance(0.3)) replica.hearNews();
      if (random.chance(0.3)) replica.tick(random.chance(0.02) ? 2_500 : tickMs);
      if (random.chance(hiccups)) this.#hiccup(replica);
    }
  }

  #moveDevice(): void {
    const { options, votequorum } = this.#world;
    if ((options.deviceVotes ?? 0) === 0 || !this.#random.chance(0.05)) return;
    const to = deviceChoice(this.#world, this.#random);
    votequorum.deviceMoves(to);
    this.#trace?.(`the device is ${to === undefined ? "gone" : `with the ring of ${to}`}`);
  }

  #hiccup(replica: SimReplica): void {
    const random = this.#random;
    const n = random.chance(0.3) ? random.pick(Array.from(replica.awaited)) : undefined;
    if (n !== undefined) replica.abandon(n);
    else if (replica.busy) replica.writable();
    else replica.busy = true;
  }

  /** Everything under way moves on, everywhere. */
  #round(tickMs: number): void {
    const { group, options, replicas } = this.#world;
    for (const slot of this.#random.shuffled(options.slots)) {
      while (group.transmit(slot));
      while (group.deliver(slot));
      const replica = replicas.get(slot);
      if (replica === undefined || replica.frozen) continue;
      replica.hear(Number.POSITIVE_INFINITY);
      if (replica.closed) continue;
      replica.hearNews();
      replica.tick(tickMs);
    }
  }

  #submit(replica: SimReplica): void {
    this.#commands++;
    replica.submit(`c${this.#commands}`);
  }

  // When the faults have stopped.

  #rest(): number {
    const world = this.#world;
    const frozen = this.#leaveOneFrozen();
    const sleeper = frozen === undefined || this.#random.chance(0.5) ? undefined : world.replicas.get(frozen);
    // Some fall asleep only when the others already count on them.
    if (sleeper !== undefined) sleeper.frozen = false;
    this.#fault("heal");
    if (sleeper !== undefined) {
      for (let rounds = this.#random.between(1, 12); rounds > 0; rounds--) this.#round(10);
      sleeper.frozen = true;
    }
    this.#trace?.(`the faults stop${frozen === undefined ? "" : `; slot ${frozen} stays frozen`}`);
    const all = (): SimReplica[] => Array.from(world.replicas.values());
    const awake = (): SimReplica[] => all().filter((replica) => replica.slot !== frozen);
    for (const replica of awake()) replica.writable();
    let rounds = this.#roundsUntil(() => atRest(awake()), () => describe(awake()));
    for (const replica of awake()) this.#submit(replica);
    rounds += this.#roundsUntil(() => atRest(awake()), () => describe(awake()));
    const late = frozen === undefined ? undefined : world.replicas.get(frozen);
    if (late !== undefined) {
      this.#trace?.(`slot ${late.slot} wakes up`);
      late.frozen = false;
      late.writable();
      rounds += this.#roundsUntil(() => atRest(all()), () => describe(all()));
    }
    return rounds;
  }

  /** At the end every daemon runs, every slot has a replica, and at most one of those that are not needed is frozen. */
  #leaveOneFrozen(): number | undefined {
    const world = this.#world;
    const frozen = Array.from(world.replicas.values()).find((replica) => replica.frozen && !replica.closed);
    for (const replica of world.replicas.values()) replica.frozen = false;
    for (const slot of world.options.slots) repair(world, this.#random, slot);
    if (frozen === undefined || world.replicas.get(frozen.slot) !== frozen) return undefined;
    // Outdated members cannot go on without one that is not, and may not have learnt yet that they are.
    if (world.options.policy.outdates) return undefined;
    const others = world.remembering().filter((slot) => slot !== frozen.slot);
    if (others.length < majorityOf(world.options.slots.length)) return undefined;
    frozen.frozen = true;
    return frozen.slot;
  }

  #roundsUntil(done: () => boolean, describeRest: () => string): number {
    for (let round = 0; round < roundsAllowed; round++) {
      if (done()) return round;
      this.#round(roundMs);
      this.#check();
    }
    throw new Violation(`invariant 8: no rest after ${roundsAllowed} rounds:\n${describeRest()}`);
  }
}

function atRest(replicas: readonly SimReplica[]): boolean {
  const first = replicas[0];
  return replicas.every(({ core, applier, inbox, queued, awaited }) =>
    inbox.length === 0 && queued.length === 0 && awaited.size === 0 && core.phase === "active" && applier.position > 0
    && core.view !== undefined && applier.members === namesOf(core.view.members)
    && applier.position === core.log.end && applier.position === first?.applier.position && applier.hash === first.applier.hash);
}

function describe(replicas: readonly SimReplica[]): string {
  return replicas.map((replica) => {
    const { core, applier, inbox, queued, awaited } = replica;
    return `  ${replica.name} ${core.phase} end ${core.log.end} verified ${core.verified} committed ${core.committed} applied ${applier.position} inbox ${inbox.length} queued ${queued.length} members ${applier.members} awaited ${awaited.size}${core.holed ? " holed" : ""}`;
  }).join("\n");
}
