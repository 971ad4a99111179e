/**
 * One seed, one history: random faults and work for a while; then the faults stop, and everything must come to rest.
 *
 * The replicas are real ones; what is simulated is what they stand on: the group, the clocks, the processor, the clients.
 */
import { Violation } from "./checkers/violation.js";
import { faultNames, faults, type FaultName } from "./faults.js";
import { isLockstepError } from "../errors.js";
import { Random } from "./random.js";
import { Rest } from "./rest.js";
import { settled } from "./settled.js";
import type { SimulatedProcess } from "./simulated-process.js";
import { Client } from "./workload/client.js";
import type { CallRecord, Workload } from "./workload/workload.js";
import { Watch } from "./watch.js";
import { World } from "./world.js";

export interface HistoryOptions {
  readonly seed: number;
  readonly workload: (random: Random) => Workload;
  /** Moments that are left out: what the others do stays the same. For finding the shortest history that still fails. */
  readonly without?: ReadonlySet<number>;
  /** Gets a line for everything that happens. */
  readonly trace?: (line: string) => void;
}

export interface HistoryResult {
  /** Simulated time, milliseconds. */
  readonly simulatedMs: number;
  /** Of the part with faults. */
  readonly moments: number;
  readonly replicas: number;
  readonly answered: number;
  readonly refused: number;
  readonly unknown: number;
  readonly applied: number;
  readonly views: number;
  readonly snapshots: number;
  /** Rounds until everything was at rest after the faults stopped. */
  readonly roundsToRest: number;
  readonly faults: Readonly<Partial<Record<FaultName, number>>>;
}

/** How a history goes. */
interface Temper {
  /** Messages that a node sends, delivers and hears in a moment, about. */
  readonly pace: number;
  /** Chances, in a moment: that a client asks for something, that everything under way gets through everywhere, that something goes wrong. */
  readonly calls: number;
  readonly calm: number;
  readonly faults: number;
  readonly momentMs: number;
}

/** Moments of a history at most. */
export const maxMoments = 200;

/** @throws Violation; give `trace` to see what led to it. */
export function runHistory(options: HistoryOptions): Promise<HistoryResult> {
  return new History(options).run();
}

class History {
  readonly #seed: number;
  readonly #without: ReadonlySet<number>;
  /** Of the present moment. */
  #random: Random;
  readonly #trace: ((line: string) => void) | undefined;
  readonly #world: World;
  readonly #workload: Workload;
  readonly #clients: readonly Client[];
  readonly #watch: Watch;
  readonly #records: CallRecord[] = [];
  readonly #faults: Partial<Record<FaultName, number>> = {};
  readonly #weights: readonly (readonly [FaultName, number])[];
  readonly #temper: Temper;
  readonly #moments: number;
  #moment = 0;

  constructor({ seed, workload, trace, without = new Set() }: HistoryOptions) {
    const random = new Random(seed);
    this.#seed = seed;
    this.#without = without;
    this.#random = random;
    this.#trace = trace;
    const load = workload(random);
    this.#workload = load;
    this.#watch = new Watch(trace, () => this.#world.elapsedMs, (entry, hash) => { this.#workload.applied?.(entry, hash, this.#world.elapsedMs); });
    const count = random.pick([1, 2, 3, 3, 3, 4, 5, 5, 6, 7]) ?? 3;
    this.#moments = random.between(30, maxMoments);
    this.#temper = {
      pace: random.between(1, 6), calls: random.pick([0.1, 0.4, 0.9]) ?? 0.3, momentMs: random.pick([10, 100, 400]) ?? 100,
      calm: random.pick([0, 0.1, 0.3, 0.6]) ?? 0, faults: random.pick([0.02, 0.06, 0.2]) ?? 0.06,
    };
    // Some faults often, some never: a history of everything at once rarely gets anywhere.
    this.#weights = faultNames.map((name) => [name, random.chance(0.6) ? random.next() : 0] as const);
    this.#world = new World({
      makeMachine: () => load.makeMachine(),
      slots: Array.from({ length: count }, (_, index) => index + 1),
      quorum: random.chance(0.7) ? "majority" : "corosync",
      durability: random.chance(0.5) ? "disk" : "memory",
      diskLost: (slot) => { this.#watch.diskLost(slot); },
      maxMessageBytes: random.pick([200, 1_000, 1_000_000]) ?? 1_000,
      limits: {
        inFlightBatches: random.between(1, 3), inFlightChunks: random.between(1, 3), snapshotSliceBytes: random.between(40, 2_000), incrementalBytes: random.pick([1, 500, 1_000_000]) ?? 500,
        snapshotLogBytes: random.pick([200, 2_000, 100_000]) ?? 2_000, heldBytes: random.pick([900, 3_000, 1_000_000]) ?? 3_000, unwrittenBytes: random.pick([1, 5_000, 1_000_000]) ?? 5_000, applySliceMs: random.pick([0, 10]) ?? 0, snapshotIntervalMs: random.pick([500, 5_000, 3_600_000]) ?? 5_000, logRetentionBytes: random.pick([1, 5_000, 50_000, 1_000_000]) ?? 5_000,
        batchBytes: random.pick([50, 500, 32_768]) ?? 500, digestIntervalMs: random.pick([0, 1_000]) ?? 0, clockCheckMs: 1_000,
      },
      observer: (process) => this.#watch.observe(process),
    }, seed);
    this.#clients = Array.from({ length: random.between(1, 6) }, (_, index) => new Client(`client ${index + 1}`, {
      world: this.#world, random: () => this.#random, workload: this.#workload,
      moment: () => { this.#moment++; return this.#moment; },
      ended: (record) => { this.#ended(record); },
      violated: (violation) => { this.#watch.violation ??= violation; },
    }));
  }

  async run(): Promise<HistoryResult> {
    const random = this.#random;
    const { slots } = this.#world.options;
    for (const slot of slots) if (random.chance(0.95)) this.#world.start(slot, 100);
    await settled();
    if (random.chance(0.9)) this.#fault("heal");
    if (random.chance(0.8)) for (let left = 5; left > 0; left--) await this.#round(0);
    for (let at = 0; at < this.#moments; at++) if (!this.#without.has(at)) await this.#live(at);
    this.#random = Random.of(this.#seed, this.#moments);
    const rest = new Rest({
      world: this.#world, clients: this.#clients, random: this.#random, trace: this.#trace,
      lastingTimers: this.#workload.lastingTimers ?? false, round: (ms) => this.#round(ms), check: () => { this.#check(); }, heal: () => { this.#fault("heal"); },
    });
    const roundsToRest = await rest.come();
    this.#watch.compareStates(this.#world.all());
    this.#workload.check(this.#records, this.#anyState());
    const count = (ending: CallRecord["ending"]): number => this.#records.filter((record) => record.ending === ending).length;
    return {
      simulatedMs: this.#world.elapsedMs, moments: this.#moments, replicas: slots.length, answered: count("answered"), refused: count("none"), unknown: count("unknown"),
      applied: this.#watch.applied, views: this.#watch.views, snapshots: this.#watch.snapshots, roundsToRest, faults: this.#faults,
    };
  }

  // Looking on.

  #ended(record: CallRecord): void {
    this.#records.push(record);
    this.#workload.ended?.(record);
    this.#trace?.(`${record.client}: ${record.call.name} ${record.ending}${record.code === undefined ? "" : ` (${record.code})`}`);
  }

  #check(): void {
    if (this.#watch.violation !== undefined) throw this.#watch.violation;
    for (const process of this.#world.all()) {
      const { failure } = process;
      if (failure === undefined) continue;
      if (isLockstepError(failure, "STORE_DAMAGED") && this.#world.rotten.has(process.slot)) {
        this.#replaceDisk(process);
        continue;
      }
      // A program that cannot join when it starts ends, and is started again when its daemon is back.
      const cannotStart = process.replica === undefined && (isLockstepError(failure, "TRANSPORT_CLOSED") || isLockstepError(failure, "COROSYNC_UNAVAILABLE"));
      if (cannotStart || isLockstepError(failure, "SLOT_TAKEN")) this.#world.end(process, "procdown");
      else throw new Violation("stopped", `${process.name} stopped: ${failure.message}`, { cause: failure });
    }
  }

  /** What an operator does who is told that a store is damaged. */
  #replaceDisk(process: SimulatedProcess): void {
    this.#trace?.(`${process.name} refuses its disk`);
    this.#world.end(process, "procdown");
    this.#world.disks.get(process.slot)?.wipe();
    this.#world.rotten.delete(process.slot);
  }

  // While faults come.

  #chooseFault(): FaultName {
    let at = this.#random.next() * this.#weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of this.#weights) {
      at -= weight;
      if (at < 0) return name;
    }
    return "heal";
  }

  async #live(at: number): Promise<void> {
    const random = Random.of(this.#seed, at);
    this.#random = random;
    this.#trace?.(`moment ${at}, ${(this.#world.elapsedMs / 1_000).toFixed(2)} s`);
    if (!random.chance(this.#temper.faults)) await this.#progress();
    // Without help in between, most of a history would be spent without a quorum.
    else if (random.chance(0.5)) this.#fault(this.#chooseFault());
    else this.#fault(random.pick(["heal", "repair", "thaw", "resumeDaemon"] as const) ?? "heal");
    this.#check();
  }

  #fault(name: FaultName): void {
    const what = faults[name](this.#world, this.#random);
    if (what === undefined) return;
    this.#faults[name] = (this.#faults[name] ?? 0) + 1;
    this.#trace?.(`${name}: ${what}`);
  }

  /** A moment: some nodes and processes get something done, each at its own pace; clients go on asking. */
  async #progress(): Promise<void> {
    const random = this.#random;
    const { group, options } = this.#world;
    const { pace, calls, momentMs } = this.#temper;
    if (random.chance(this.#temper.calm)) return this.#round(momentMs);
    const order = random.shuffled(options.slots);
    for (const slot of order) {
      for (let left = random.between(0, pace); left > 0 && group.transmit(slot); left--);
      for (let left = random.between(0, 2 * pace); left > 0 && group.deliver(slot); left--);
      for (const process of this.#world.on(slot)) {
        if (process.frozen) continue;
        if (random.chance(0.7)) process.hear(random.between(1, 3 * pace));
        if (random.chance(0.3)) process.hearNews();
      }
      if (random.chance(0.5)) this.#world.flush(slot, random.between(1, 3));
    }
    for (const client of this.#clients) if (random.chance(calls)) client.step();
    this.#world.pass(random.chance(0.02) ? 2_500 : momentMs, order);
    await settled();
  }

  /** Everything under way moves on, everywhere. */
  async #round(ms: number): Promise<void> {
    const { group, options } = this.#world;
    const order = this.#random.shuffled(options.slots);
    for (const slot of order) {
      while (group.transmit(slot));
      while (group.deliver(slot));
      this.#world.flush(slot, Number.POSITIVE_INFINITY);
      for (const process of this.#world.on(slot)) {
        if (process.frozen) continue;
        process.hear(Number.POSITIVE_INFINITY);
        process.hearNews();
      }
    }
    this.#world.pass(ms, order);
    await settled();
  }

  #anyState(): unknown {
    const [process] = this.#world.processes.values();
    return process?.replica?.state;
  }
}
