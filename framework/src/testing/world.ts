/** Simulated processes on a modelled group: who runs, who is frozen, who has crashed. Moves are made by a history. */
import { compareBallots, zeroBallot } from "../core/ballot.js";
import { majorityOf } from "../core/quorum-policy.js";
import type { Limits } from "../limits.js";
import type { ProtocolObserver } from "../observer.js";
import type { QuorumOption } from "../replica-options.js";
import { GroupModel } from "./group-model.js";
import { Random } from "./random.js";
import { SimulatedClock } from "./simulated-clock.js";
import { SimulatedProcess, type SomeMachine } from "./simulated-process.js";

export interface WorldOptions {
  readonly machine: SomeMachine;
  readonly slots: readonly number[];
  readonly quorum: QuorumOption;
  readonly limits: Partial<Limits>;
  readonly maxMessageBytes: number;
  readonly observer: (process: SimulatedProcess) => ProtocolObserver;
}

/** When simulated groups were first started, by the first wall clock: any number will do. */
const epochMs = 1_700_000_000_000;
/** Generators of a seed that belong to starts of processes, rather than to moments of the history. */
const startsFrom = 1_000_000;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined, debug: () => undefined };

export class World {
  readonly group: GroupModel<Uint8Array>;
  readonly options: WorldOptions;
  /** By slot: frozen ones too, and those that have lost their daemon. */
  readonly processes = new Map<number, SimulatedProcess>();
  readonly #seed: number;
  #starts = 0;
  #incarnations = 0;
  /** Time that has passed everywhere. */
  elapsedMs = 0;

  constructor(options: WorldOptions, seed: number) {
    this.options = options;
    this.#seed = seed;
    this.group = new GroupModel(options.slots);
  }

  /** Starts a process on a node whose daemon is up. */
  start(slot: number, pid: number): SimulatedProcess {
    this.#starts++;
    const random = Random.of(this.#seed, startsFrom + this.#starts);
    const { machine, slots, quorum, limits, maxMessageBytes, observer } = this.options;
    // Clocks start anywhere, run at slightly different rates, and walls show what somebody set.
    const clock = new SimulatedClock(random.between(0, 1_000_000), epochMs + random.between(-1, 1) * random.between(0, 100_000_000), 1 + random.between(-5, 5) / 100);
    const process = new SimulatedProcess({
      address: { nodeId: slot, pid }, machine, group: this.group, clock, slots, quorum, limits, maxMessageBytes, observer, random, logger: silent,
      newIncarnation: () => {
        this.#incarnations++;
        return slot.toString(16).padStart(8, "0") + this.#incarnations.toString(16).padStart(8, "0");
      },
    });
    this.processes.set(slot, process);
    return process;
  }

  kill(slot: number, reason: "leave" | "procdown"): void {
    this.processes.get(slot)?.kill(reason);
    this.processes.delete(slot);
  }

  /** Time passes for everybody. */
  pass(ms: number, order: readonly number[]): void {
    this.elapsedMs += ms;
    for (const slot of order) {
      const process = this.processes.get(slot);
      if (process?.frozen === true) process.clock.sleep(ms);
      else process?.clock.advance(ms);
    }
  }

  /** Slots that are sure to hold all that they acknowledged. */
  remembering(): number[] {
    return Array.from(this.processes.values()).filter(isSure).map(({ slot }) => slot);
  }

  /** May what this slot's process holds be lost? Not if a majority would not remember any more. */
  mayForget(slot: number): boolean {
    const sure = this.remembering();
    const needed = majorityOf(this.options.slots.length);
    if (sure.includes(slot)) return sure.length > needed;
    const process = this.processes.get(slot);
    return sure.length >= needed || process === undefined || !holdsLog(process);
  }

  /** May a process find out too late what it acknowledged? Also if every other process has kept all that it had. */
  mayDoubt(slot: number): boolean {
    return this.mayForget(slot) || this.options.slots.every((other) => {
      const process = this.processes.get(other);
      return process !== undefined && holdsLog(process);
    });
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
