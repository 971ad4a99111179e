/** The types of a machine's definition. Names, inputs and results of submit.* and query.* are inferred from them. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Draft } from "immer";
import type { ReplicaIdentity } from "../log/entry.js";

export interface MembersChange {
  /** Everyone in the view, by ascending slot. */
  readonly members: readonly ReplicaIdentity[];
  readonly left: readonly ReplicaIdentity[];
  readonly joined: readonly ReplicaIdentity[];
}

/** Everything a handler may know besides the state and its input. Equal on every replica. */
export interface Context {
  /** Cluster time, milliseconds; never goes back, unaffected by wall clocks. */
  readonly now: number;
  /** Position of the entry in the log. */
  readonly position: number;
  /** The replica that submitted the command; undefined for a fired timer. */
  readonly origin: ReplicaIdentity | undefined;
  readonly requestId: string | undefined;
  /** Uniform in [0, 1). */
  random(): number;
  /** A version 4 UUID. */
  uuid(): string;
  /** Runs a command of this machine at the first entry whose time reaches `at`. Returns the timer's id. */
  schedule(at: number, command: string, input: unknown): string;
  /** True if the timer was still waiting. */
  cancel(timerId: string): boolean;
}

export type CommandHandler<S, I, R> = (draft: Draft<S>, input: I, context: Context) => R;

/** A command: its handler, and a validator that runs before the command is sent. */
export interface Command<S, In, Out, R> {
  readonly schema?: StandardSchemaV1<In, Out>;
  readonly handler: CommandHandler<S, Out, R>;
}

export type Query<S, A extends readonly unknown[], R> = (state: S, ...args: A) => R;
