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

/** Everything a handler may know besides the state and its input. Equal on every replica; usable until the handler returns. */
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
  /**
   * Runs a command of this machine at the first entry whose time reaches `at` (cluster time, milliseconds); at the next
   * entry if it is past already. Returns the timer's id. Forgotten if the command that schedules it is refused.
   * The command's schema does not run: the input is what the handler gets.
   */
  schedule(at: number, command: string, input?: unknown): string;
  /** True if the timer was still waiting. */
  cancel(timerId: string): boolean;
}

/** Gets a draft to change, returns the submitter's result: plain data. Synchronous and deterministic. */
export type CommandHandler<S, I, R> = (draft: Draft<S>, input: I, context: Context) => R;

/** A command: its handler, and a validator that runs before the command is sent. */
export interface Command<S, In, Out, R> {
  readonly schema: StandardSchemaV1<In, Out> | undefined;
  readonly handler: CommandHandler<S, Out, R>;
  /** Never there at run time: carries the types to submit.*. */
  readonly types?: { readonly input: In; readonly result: R };
}

/** Any command of a machine with state S, for constraints. */
export interface AnyCommand<S> {
  readonly schema: StandardSchemaV1<unknown, unknown> | undefined;
  readonly handler: CommandHandler<S, never, unknown>;
}

/** What a definition's `commands` gets: makes commands whose draft is typed by `initialState`. */
export interface CommandMaker<S> {
  /** The input is validated before it is sent, and the handler gets the schema's output. Any Standard Schema: zod, valibot, arktype, … */
  <In, Out, R>(schema: StandardSchemaV1<In, Out>, handler: CommandHandler<S, Out, R>): Command<S, In, Out, R>;
  /** Without a validator: annotate the input's type, e.g. `command((draft, input: { by: number }) => …)`. */
  <I, R>(handler: CommandHandler<S, I, R>): Command<S, I, I, R>;
}

export type Query<S, A extends readonly unknown[], R> = (state: S, ...args: A) => R;

/** Any query of a machine with state S, for constraints. */
export type AnyQuery<S> = (state: S, ...args: never[]) => unknown;

/** Runs at one agreed position whenever the replicas of the view change. It cannot refuse: what it throws changes nothing. */
export type MembersHandler<S> = (draft: Draft<S>, change: MembersChange, context: Context) => void;

/**
 * How long answers to request ids are kept. Part of the machine, because every replica must forget the same ones.
 * The default of 100 000 gives a client of a group doing 10 000 identified commands a second 10 s to retry, for about 20 MB.
 */
export interface RequestRetention {
  readonly maxRequests: number;
}

export interface MachineDefinition<S, C, Q> {
  /** Replicas only join groups that run a machine of the same name. */
  readonly name: string;
  /** A positive integer; raise it whenever a handler changes its behaviour. */
  readonly version: number;
  /** The state before the first entry: the same on every replica, plain data and Tables. */
  readonly initialState: () => S;
  readonly commands: (command: CommandMaker<S>) => C;
  readonly queries?: Q;
  readonly onMembersChanged?: MembersHandler<S>;
  readonly requestRetention?: RequestRetention;
}

/** A checked definition. Made by defineMachine(). */
export interface Machine<S, C extends Readonly<Record<string, AnyCommand<S>>>, Q extends Readonly<Record<string, AnyQuery<S>>>> {
  readonly name: string;
  readonly version: number;
  readonly initialState: () => S;
  readonly commands: C;
  readonly queries: Q;
  readonly onMembersChanged: MembersHandler<S> | undefined;
  readonly requestRetention: RequestRetention;
}

/** Any machine with state S: what the framework's own parts work with. */
export type AnyMachine<S> = Machine<S, Readonly<Record<string, AnyCommand<S>>>, Readonly<Record<string, AnyQuery<S>>>>;

/** The state of a machine: `type Counters = StateOf<typeof counters>`. */
export type StateOf<M> = M extends { readonly initialState: () => infer S } ? S : never;
