/** Random calls to an application's machine, from the inputs that the application makes. */
import { LockstepError } from "../../errors.js";
import { abandon, isThenable } from "../../promises.js";
import { Violation } from "../checkers/violation.js";
import type { Random } from "../random.js";
import type { SomeMachine } from "../simulated-process.js";
import type { Call, CallRecord, Workload } from "./workload.js";

export interface MachineCalls {
  /** By command: makes an input. Commands without one are not called. */
  readonly commands: Readonly<Record<string, (random: Random) => unknown>>;
  /** By query: makes its arguments. */
  readonly queries: Readonly<Record<string, (random: Random) => readonly unknown[]>>;
  /** Throws if this cannot be the state at the end. */
  readonly check: (state: unknown) => unknown;
}

export class MachineWorkload implements Workload {
  readonly lastingTimers = true;
  readonly #make: () => SomeMachine;
  readonly #calls: MachineCalls;
  readonly #identified: number;
  readonly #commandEnded: (name: string, ending: string) => void;
  #requests = 0;

  /**
   * @param make Called for each process that starts.
   * @param commandEnded Gets how a call of a command has ended if that is known: its error's code, or "answered".
   */
  constructor(make: () => SomeMachine, calls: MachineCalls, random: Random, commandEnded: (name: string, ending: string) => void) {
    this.#commandEnded = commandEnded;
    this.#make = make;
    this.#calls = calls;
    this.#identified = random.pick([0, 0.5, 1]) ?? 0.5;
  }

  makeMachine(): SomeMachine {
    return this.#make();
  }

  next(random: Random): Call {
    const queries = Object.entries(this.#calls.queries);
    const query = random.chance(0.2) ? random.pick(queries) : undefined;
    if (query !== undefined) return { kind: "query", name: query[0], args: query[1](random), consistency: random.pick(["sequential", "linearizable"] as const) ?? "sequential" };
    const [name, input] = random.pick(Object.entries(this.#calls.commands)) as [string, (random: Random) => unknown];
    this.#requests++;
    return { kind: "submit", name, input: input(random), requestId: random.chance(this.#identified) ? `request ${this.#requests}` : undefined };
  }

  ended({ call, ending, code }: CallRecord): void {
    if (call.kind === "submit" && (ending === "answered" || code === "REJECTED" || code === "MACHINE_FAULT" || code === "INVALID_INPUT")) this.#commandEnded(call.name, code ?? ending);
  }

  check(_records: readonly CallRecord[], state: unknown): void {
    const returned = this.#checked(state);
    if (!isThenable(returned)) return;
    abandon(returned);
    throw new LockstepError("INVALID_INPUT", "simulate: `check` returned a promise, whose rejection nobody would hear of. Check the state synchronously");
  }

  #checked(state: unknown): unknown {
    try {
      return this.#calls.check(state);
    } catch (error) {
      throw new Violation("check", error instanceof Error ? error.message : String(error), { cause: error });
    }
  }
}
