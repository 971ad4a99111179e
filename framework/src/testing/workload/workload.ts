/** What clients of a simulation do: which machine, which calls, and what must be true of their answers at the end. */
import type { AppliedEntry } from "../../apply/types.js";
import type { SomeMachine } from "../simulated-process.js";
import type { Random } from "../random.js";

export type Call =
  | { readonly kind: "submit"; readonly name: string; readonly input: unknown; readonly requestId: string | undefined }
  | { readonly kind: "query"; readonly name: string; readonly args: readonly unknown[]; readonly consistency: "sequential" | "linearizable" };

/** How a call ended for its client. "none": certainly without effect. */
export type Ending = "answered" | "none" | "unknown";

export interface CallRecord {
  readonly client: string;
  readonly call: Call;
  /** Moments of the simulation: of two calls, one was over before the other began if its end is lower than the other's start. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** True time, milliseconds: when it was asked for the first time, and when it ended. */
  readonly startedMs: number;
  readonly endedMs: number;
  readonly ending: Ending;
  /** Of an answered call. */
  readonly result: unknown;
  /** Code of the error that ended it. */
  readonly code: string | undefined;
  /** The process that gave the last answer. */
  readonly process: object;
}

export interface Workload {
  /** For a process that starts: may be another one each time, with variables of its own. */
  makeMachine(): SomeMachine;
  /** Its machine may have timers for ever, or for long: the history does not wait for the last of them. */
  readonly lastingTimers?: boolean;
  next(random: Random): Call;
  /** A call has ended. */
  ended?(record: CallRecord): void;
  /** An entry of this chain hash was applied, by one replica after the other; `elapsedMs`: true time. */
  applied?(entry: AppliedEntry, hash: string, elapsedMs: number): void;
  /** After everything has come to rest: `state` is every replica's. @throws Violation. */
  check(records: readonly CallRecord[], state: unknown): void;
}
