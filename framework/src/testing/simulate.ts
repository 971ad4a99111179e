/** simulate(): an application's own machine, on replicas that everything happens to. */
import { LockstepError } from "../errors.js";
import type { AnyCommand, AnyQuery, Machine } from "../machine/types.js";
import { Violation } from "./checkers/violation.js";
import { maxMoments, runHistory, type HistoryResult } from "./history.js";
import type { Random } from "./random.js";
import { shrink } from "./shrink.js";
import type { SomeMachine } from "./simulated-process.js";
import { MachineWorkload, type MachineCalls } from "./workload/machine-workload.js";

/** Of a command without input: undefined. */
type InputOf<C> = C extends { readonly types?: { readonly input: infer In } } ? ([In] extends [never] ? undefined : In) : never;
type MakeArguments<Q> = Q extends (state: never, ...args: infer A) => unknown ? (random: Random) => A extends [] ? readonly never[] : readonly [...A] : never;

export interface SimulateOptions<S, C, Q> {
  /** Makes an input for each command that is to be called. */
  readonly commands: { readonly [K in keyof C]?: (random: Random) => InputOf<C[K]> };
  /** Makes the arguments of each query that is to be called. */
  readonly queries?: { readonly [K in keyof Q]?: MakeArguments<Q[K]> };
  /** Throws if this cannot be the state when everything has come to rest, timers of the next 30 s included: what must always hold of it. */
  readonly check?: (state: S) => void;
  /** The first history's. Default 1. */
  readonly seed?: number;
  /** Default 100: some seconds with a small machine. */
  readonly histories?: number;
  /** Gets a line for everything that happens; with `histories: 1`, to look into one. */
  readonly trace?: (line: string) => void;
}

export interface SimulationSummary {
  readonly histories: number;
  readonly simulatedMs: number;
  readonly answered: number;
  readonly snapshots: number;
  readonly views: number;
}

/** Lines of the failed history that the message shows. */
const shownLines = 60;

/** A history in which something went wrong. The message tells what, and the end of the shortest history that still goes wrong. */
export class SimulationFailure extends Error {
  override readonly name = "SimulationFailure";
  readonly seed: number;
  readonly violation: Violation;

  constructor(seed: number, violation: Violation, moments: number, timeline: readonly string[]) {
    const end = timeline.slice(-shownLines);
    super(`seed ${seed}: ${violation.message}\n\nThe shortest history that still fails has ${moments} moments; its last ${end.length} lines:\n${end.join("\n")}`, { cause: violation });
    this.seed = seed;
    this.violation = violation;
  }
}

/**
 * Runs histories of several replicas of the machine, or of machines that a function makes, one for each process that starts: what they
 * keep outside of the state is then each process' own, and gone when it ends. What happens to them: partitions, crashes, snapshots, clocks that disagree, clients that try again.
 * @throws SimulationFailure if replicas come to differ (a handler is not deterministic), the state fails `check`, an answer is lost, …
 * @throws LockstepError INVALID_INPUT if there is nothing to call, no history to run, an option that does not exist, or a command whose every call failed with a fault of its
 * handler or of its input.
 */
export async function simulate<S, C extends Readonly<Record<string, AnyCommand<S>>>, Q extends Readonly<Record<string, AnyQuery<S>>>>(
  machine: Machine<S, C, Q> | (() => Machine<S, C, Q>),
  options: SimulateOptions<S, NoInfer<C>, NoInfer<Q>>,
): Promise<SimulationSummary> {
  const { commands, queries = {}, check = () => undefined, seed = 1, histories = 100, trace } = options;
  checkOptions(options, seed, histories);
  const calls = { commands, queries, check } as unknown as MachineCalls;
  const make = (): SomeMachine => (typeof machine === "function" ? machine() : machine) as unknown as SomeMachine;
  checkCalls(make(), calls);
  const endings = new Map<string, Set<string>>();
  const workload = (random: Random): MachineWorkload => new MachineWorkload(make, calls, random, (command, ending) => { endings.set(command, (endings.get(command) ?? new Set()).add(ending)); });
  const results: HistoryResult[] = [];
  for (let at = seed; at < seed + histories; at++) {
    try {
      results.push(await runHistory({ seed: at, workload, ...(trace === undefined ? {} : { trace }) }));
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      throw await explain(at, workload, error);
    }
  }
  checkEndings(endings);
  const sum = (what: (result: HistoryResult) => number): number => results.reduce((total, result) => total + what(result), 0);
  return { histories, simulatedMs: sum(({ simulatedMs }) => simulatedMs), answered: sum(({ answered }) => answered), snapshots: sum(({ snapshots }) => snapshots), views: sum(({ views }) => views) };
}

const optionNames: Readonly<Record<keyof SimulateOptions<unknown, unknown, unknown>, true>> = { commands: true, queries: true, check: true, seed: true, histories: true, trace: true };

/** What types do not keep JavaScript from giving: without a history, or its check, a simulation would find nothing wrong with anything. */
function checkOptions(options: object, seed: unknown, histories: unknown): void {
  const refuse = (why: string): never => { throw new LockstepError("INVALID_INPUT", `simulate: ${why}`); };
  const unknown = Object.keys(options).filter((name) => !Object.hasOwn(optionNames, name));
  if (unknown.length > 0) refuse(`${unknown.join(", ")} is not an option; there are ${Object.keys(optionNames).join(", ")}`);
  if (!Number.isSafeInteger(seed)) refuse(`seed must be a whole number, not ${JSON.stringify(seed)}`);
  if (!(Number.isSafeInteger(histories) && (histories as number) > 0)) refuse(`histories must be a whole number above 0, not ${JSON.stringify(histories)}`);
}

function checkCalls(machine: SomeMachine, { commands, queries }: MachineCalls): void {
  const unknown = [...Object.keys(commands).filter((name) => !Object.hasOwn(machine.commands, name)), ...Object.keys(queries).filter((name) => !Object.hasOwn(machine.queries, name))];
  if (unknown.length > 0) throw new LockstepError("INVALID_INPUT", `simulate: the machine ${machine.name} has no ${unknown.join(", ")}`);
  if (Object.keys(commands).length === 0) throw new LockstepError("INVALID_INPUT", "simulate: `commands` must make inputs for at least one command");
}

const faults: ReadonlySet<string> = new Set(["MACHINE_FAULT", "INVALID_INPUT"]);

/** A handler that always throws, an async one too, and one whose inputs are never valid, were not tried: nothing could be found wrong with them. */
function checkEndings(endings: ReadonlyMap<string, ReadonlySet<string>>): void {
  for (const [command, ended] of endings) {
    const all = Array.from(ended);
    if (all.every((ending) => faults.has(ending))) throw new LockstepError("INVALID_INPUT", `simulate: no call of ${command} took effect: all ended with ${all.join(" or ")}. \`await replica.submit.${command}(…)\` rejects with what is wrong`);
  }
}

async function explain(seed: number, workload: (random: Random) => MachineWorkload, violation: Violation): Promise<SimulationFailure> {
  const shrunk = await shrink({ seed, workload }, violation, maxMoments);
  const timeline: string[] = [];
  await runHistory({ seed, workload, without: shrunk.without, trace: (line) => { timeline.push(line); } }).catch(() => undefined);
  return new SimulationFailure(seed, shrunk.violation, shrunk.moments, timeline);
}
