/** Simulated processes on a modelled group: who runs, who is frozen, who has crashed. Moves are made by a history. */
import { compareBallots, zeroBallot } from "../core/ballot.js";
import { majorityOf } from "../core/quorum-policy.js";
import type { Durability } from "../core/messages.js";
import type { Limits } from "../limits.js";
import type { ProtocolObserver } from "../observer.js";
import type { QuorumOption } from "../replica-options.js";
import { GroupModel } from "./group-model.js";
import { Random } from "./random.js";
import { SimulatedDisk } from "./simulated-disk.js";
import { SimulatedClock } from "./simulated-clock.js";
import { SimulatedProcess, type SomeMachine } from "./simulated-process.js";

export interface WorldOptions {
  /** For each process that starts. */
  readonly makeMachine: () => SomeMachine;
  readonly slots: readonly number[];
  readonly quorum: QuorumOption;
  readonly limits: Partial<Limits>;
  readonly maxMessageBytes: number;
  readonly durability: Durability;
  readonly diskLost: (slot: number) => void;
  readonly observer: (process: SimulatedProcess) => ProtocolObserver;
}

/** When simulated groups were first started, by the first wall clock: any number will do. */
const epochMs = 1_700_000_000_000;
/** Generators of a seed that belong to starts of processes, rather than to moments of the history. */
const startsFrom = 1_000_000;
const endsFrom = 2_000_000;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined, debug: () => undefined };

export class World {
  readonly group: GroupModel<Uint8Array>;
  readonly options: WorldOptions;
  /** By slot, one each: frozen ones too, and those that have lost their daemon. */
  readonly processes = new Map<number, SimulatedProcess>();
  /** By slot: a second process of a node that has one, by somebody's mistake, or because the first is dead and still listed. */
  readonly seconds = new Map<number, SimulatedProcess>();
  /** By slot, of durable replicas. */
  readonly disks: ReadonlyMap<number, SimulatedDisk>;
  /** A node's ring sequence went back. */
  wiped = false;
  /** Slots whose disk is damaged: it must be refused. */
  readonly rotten = new Set<number>();
  /** Slots whose disk was lost, until they have the group's state again. */
  readonly #lost = new Set<number>();
  readonly #seed: number;
  #ends = 0;
  #starts = 0;
  #incarnations = 0;
  /** Time that has passed everywhere. */
  elapsedMs = 0;

  constructor(options: WorldOptions, seed: number) {
    this.options = options;
    this.#seed = seed;
    this.group = new GroupModel(options.slots);
    this.disks = new Map(options.durability === "disk" ? options.slots.map((slot) => [slot, new SimulatedDisk()]) : []);
  }

  /** Starts a process on a node whose daemon is up. */
  start(slot: number, pid: number): SimulatedProcess {
    this.#starts++;
    const random = Random.of(this.#seed, startsFrom + this.#starts);
    const { makeMachine, slots, quorum, limits, maxMessageBytes, observer } = this.options;
    // Clocks start anywhere, run at slightly different rates, and walls show what somebody set.
    const clock = new SimulatedClock(random.between(0, 1_000_000), epochMs + random.between(-1, 1) * random.between(0, 100_000_000), 1 + random.between(-5, 5) / 100);
    const process = new SimulatedProcess({
      address: { nodeId: slot, pid }, disk: this.disks.get(slot), machine: makeMachine(), group: this.group, clock, slots, quorum, limits, maxMessageBytes, observer, random, logger: silent,
      newIncarnation: () => {
        this.#incarnations++;
        return slot.toString(16).padStart(8, "0") + this.#incarnations.toString(16).padStart(8, "0");
      },
    });
    (this.processes.has(slot) ? this.seconds : this.processes).set(slot, process);
    return process;
  }

  /** The processes of a node. */
  on(slot: number): SimulatedProcess[] {
    return [this.processes.get(slot), this.seconds.get(slot)].filter((process) => process !== undefined);
  }

  all(): SimulatedProcess[] {
    return [...this.processes.values(), ...this.seconds.values()];
  }

  /** A process ends; if its node has another one, that is the node's process now. `unnoticed`: it stays listed. */
  end(process: SimulatedProcess, reason: "leave" | "procdown" | "unnoticed"): void {
    const { slot } = process;
    process.kill(reason);
    this.#ends++;
    this.disks.get(slot)?.crash(Random.of(this.#seed, endsFrom + this.#ends));
    if (this.seconds.get(slot) === process) this.seconds.delete(slot);
    if (this.processes.get(slot) !== process) return;
    const second = this.seconds.get(slot);
    this.seconds.delete(slot);
    if (second === undefined) this.processes.delete(slot);
    else this.processes.set(slot, second);
  }

  /** Daemons list no more who is dead: what an operator's restart of them does. */
  bury(): void {
    for (const [slot, { processes }] of this.group.nodes) {
      const alive = new Set(this.on(slot).map(({ address }) => address.pid));
      for (const { address } of processes) if (!alive.has(address.pid)) this.group.depart(address, "procdown");
    }
  }

  /** A pid that no process of the node has, nor one that is dead and still listed: this one, or the next. */
  freePid(slot: number, pid: number): number {
    const taken = [...this.group.node(slot).processes, ...this.on(slot)].some(({ address }) => address.pid === pid);
    return taken ? this.freePid(slot, pid + 1) : pid;
  }

  /** The oldest writes of a slot's replica become durable, and it hears of it; what waits for one that is frozen waits. */
  flush(slot: number, count: number): void {
    if (this.processes.get(slot)?.frozen === false) this.disks.get(slot)?.flush(count);
  }

  /** Time passes for everybody. */
  pass(ms: number, order: readonly number[]): void {
    this.elapsedMs += ms;
    for (const { frozen, clock } of order.flatMap((slot) => this.on(slot))) {
      if (frozen) clock.sleep(ms);
      else clock.advance(ms);
    }
  }

  /** Slots that are sure to hold all that they acknowledged. */
  remembering(): number[] {
    return Array.from(this.processes.keys()).filter((slot) => this.on(slot).every(isSure));
  }

  /** May what this slot's process holds be lost? Not if a majority would not remember any more. */
  mayForget(slot: number): boolean {
    // What a process holds is on its disk as well.
    if (this.options.durability === "disk") return true;
    const sure = this.remembering();
    const needed = majorityOf(this.options.slots.length);
    if (sure.includes(slot)) return sure.length > needed;
    return sure.length >= needed || !this.on(slot).some(holdsLog);
  }

  /** May what is on this slot's disk be lost? Every quorum must have one that remembers. */
  mayLoseDisk(slot: number): boolean {
    for (const lost of this.#lost) if (this.processes.get(lost)?.core?.disk?.flushed.head.lineage === true) this.#lost.delete(lost);
    return this.disks.has(slot) && new Set([...this.#lost, slot]).size < majorityOf(this.options.slots.length);
  }

  loseDisk(slot: number): void {
    this.#lost.add(slot);
    this.options.diskLost(slot);
  }

  /** May a process find out too late what it acknowledged? Also if every other process has kept all that it had. */
  mayDoubt(slot: number): boolean {
    if (this.options.durability === "disk") return true;
    return this.mayForget(slot) || this.options.slots.every((other) => this.processes.has(other) && this.on(other).every(holdsLog));
  }
}

function isSure(process: SimulatedProcess): boolean {
  const { core } = process;
  if (core === undefined || !core.lineage || process.stopped) return false;
  return process.inGroup || (core.acknowledged <= core.verified && process.unheard <= 1);
}

function holdsLog({ core, stopped }: SimulatedProcess): boolean {
  return core !== undefined && !stopped && !core.replaceState && compareBallots(core.ballot, zeroBallot) > 0;
}
