/** The second half of a history: the faults have stopped, and everything must come to rest. */
import { formatBallot } from "../core/ballot.js";
import { majorityOf } from "../core/quorum-policy.js";
import { violated } from "./checkers/violation.js";
import { repair } from "./faults.js";
import type { Random } from "./random.js";
import { settled } from "./settled.js";
import type { SimulatedProcess } from "./simulated-process.js";
import type { Client } from "./workload/client.js";
import type { World } from "./world.js";

/** More than the exchange with a silent member, every wait for a transfer and every backoff take. */
const roundsAllowed = 3_000;
const roundMs = 100;

/** How long timers are waited for that may last for ever, once everything else is at rest. */
const roundsForTimers = 300;

/** Of processes that come and go: less than a member may be silent, and more than an exchange takes. */
const roundsOfStay = 12;
const roundsOfComing = 120;

export interface RestParts {
  readonly world: World;
  readonly clients: readonly Client[];
  readonly random: Random;
  readonly trace: ((line: string) => void) | undefined;
  readonly lastingTimers: boolean;
  /** Everything under way moves on, everywhere, and so much time passes. */
  readonly round: (ms: number) => Promise<void>;
  readonly check: () => void;
  readonly heal: () => void;
}

export class Rest {
  readonly #parts: RestParts;
  /** In which only timers were waited for. */
  #roundsOfTimers = 0;

  constructor(parts: RestParts) {
    this.#parts = parts;
  }

  /** @returns after how many rounds. @throws Violation if it does not come to rest. */
  async come(): Promise<number> {
    const { world, clients, random, trace, round, heal } = this.#parts;
    const frozen = this.#leaveOneFrozen();
    const sleeper = frozen === undefined || random.chance(0.5) ? undefined : world.processes.get(frozen);
    // Some fall asleep only when the others already count on them.
    if (sleeper !== undefined) sleeper.frozen = false;
    await settled();
    heal();
    if (sleeper !== undefined) {
      for (let rounds = random.between(1, 12); rounds > 0; rounds--) await round(10);
      sleeper.frozen = true;
    }
    trace?.(`the faults stop${frozen === undefined ? "" : `; slot ${frozen} stays frozen`}`);
    const all = (): SimulatedProcess[] => world.all();
    const awake = (): SimulatedProcess[] => all().filter(({ slot }) => slot !== frozen);
    for (const process of awake()) process.writable();
    let rounds = frozen === undefined || random.chance(0.7) ? 0 : await this.#comeAndGo(frozen);
    rounds += await this.#roundsUntil(awake, frozen);
    for (const client of clients) client.step();
    rounds += await this.#roundsUntil(awake, frozen);
    const late = frozen === undefined ? undefined : world.processes.get(frozen);
    if (late !== undefined) {
      trace?.(`slot ${late.slot} wakes up`);
      late.frozen = false;
      for (const process of all()) process.writable();
      rounds += await this.#roundsUntil(all, undefined);
    }
    return rounds;
  }

  /** At the end every daemon runs, every slot has a replica, and at most one of those that are not needed is frozen. */
  #leaveOneFrozen(): number | undefined {
    const { world, random } = this.#parts;
    const frozen = Array.from(world.processes.values()).find((process) => process.frozen && process.inGroup);
    for (const process of world.all()) process.frozen = false;
    for (const disk of world.disks.values()) disk.full = false;
    for (const slot of world.options.slots) repair(world, random, slot);
    // Where not enough are sure to remember, nothing begins while somebody is listed who might. Outdated members may not know yet that they are.
    const sure = world.options.quorum === "majority" && world.remembering().length >= majorityOf(world.options.slots.length);
    if (!sure || world.wiped || random.chance(0.5)) world.bury();
    if (frozen === undefined || world.processes.get(frozen.slot) !== frozen) return undefined;
    // Outdated members cannot go on without one that is not, and may not have learnt yet that they are.
    if (world.options.quorum !== "majority") return undefined;
    const others = world.remembering().filter((slot) => slot !== frozen.slot);
    if (others.length < majorityOf(world.options.slots.length)) return undefined;
    frozen.frozen = true;
    return frozen.slot;
  }

  /** While one replica is frozen, a second process of another node comes and goes, too fast for a patience that begins anew each time. */
  async #comeAndGo(frozen: number): Promise<number> {
    const { world, random, trace, round: roundOf, check } = this.#parts;
    // Of a durable replica's directory there is one user.
    if (world.disks.size > 0) return 0;
    const first = random.pick(Array.from(world.processes.values()).filter(({ slot }) => slot !== frozen && !world.seconds.has(slot)));
    if (first === undefined) return 0;
    trace?.(`a second process of slot ${first.slot} comes and goes`);
    for (let round = 0; round < roundsOfComing; round++) {
      const second = world.seconds.get(first.slot);
      if (round % roundsOfStay !== 0) await roundOf(roundMs);
      else if (second === undefined) world.start(first.slot, world.freePid(first.slot, first.address.pid + 1));
      else world.end(second, "leave");
      check();
      if (round > roundsOfComing / 2 && inPrimary(first)) return round;
    }
    return violated("invariant 8", `no view in ${roundsOfComing} rounds of ${roundMs} ms in which slot ${frozen} was frozen and processes came and went:\n  ${world.all().map(describe).join("\n  ")}`);
  }

  #timersAreOver(those: readonly SimulatedProcess[]): boolean {
    if (those.every(({ nextTimerAt }) => nextTimerAt === undefined)) return true;
    this.#roundsOfTimers++;
    return this.#parts.lastingTimers && this.#roundsOfTimers > roundsForTimers;
  }

  /** Until all these replicas are active at one position, every call has ended, but for those to a frozen replica, and no timer is waiting that could end. */
  async #roundsUntil(those: () => readonly SimulatedProcess[], frozen: number | undefined): Promise<number> {
    const { world, clients, random, round: roundOf, check } = this.#parts;
    const restless = (): readonly Client[] => clients.filter((client) => !client.idle && (frozen === undefined || !client.waitsFor(frozen)));
    for (let round = 0; round < roundsAllowed; round++) {
      if (restless().length === 0 && atRest(those()) && this.#timersAreOver(those())) return round;
      await roundOf(roundMs);
      for (const client of clients) client.finish();
      check();
      for (const slot of world.options.slots) if (!world.processes.has(slot)) repair(world, random, slot);
    }
    const state = [...those().map(describe), ...restless().map((client) => client.describe())].join("\n  ");
    return violated("invariant 8", `no rest after ${roundsAllowed} rounds of ${roundMs} ms:\n  ${state}`);
  }
}

function inPrimary({ replica }: SimulatedProcess): boolean {
  return replica?.role === "active" || replica?.role === "synchronising";
}

function atRest(processes: readonly SimulatedProcess[]): boolean {
  const [first] = processes;
  if (new Set(processes.map(({ slot }) => slot)).size < processes.length) return false;
  return processes.every(({ core, replica, unheard, position }) =>
    unheard === 0 && core !== undefined && replica?.role === "active" && replica.inspect().queue.commands === 0
    && position > 0 && position === core.log.end && position === first?.position);
}

function describe(process: SimulatedProcess): string {
  const { core, replica, unheard, position, nextTimerAt } = process;
  const log = core === undefined ? "no core" : `${formatBallot(core.ballot)} end ${core.log.end} verified ${core.verified} committed ${core.committed}${core.holed ? " holed" : ""}`;
  return `${process.name} ${replica?.role ?? "starting"} ${log} applied ${position} unheard ${unheard} queue ${replica?.inspect().queue.commands ?? 0} timer ${nextTimerAt ?? "none"}`;
}
