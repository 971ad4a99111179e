/** What a command is: the row of the command table, and what its handler gets. No command lives here. */
import type { Protocol, Reply } from "../resp/reply.js";
import type { Service } from "../server/service.js";
import type { Session } from "../server/session.js";

/**
 * How a command's execution is ordered with its neighbours of the same connection (server/connection.ts):
 * - "local": touches no replicated state; answered at once, whatever the replica's role.
 * - "read": reads the state; neighbouring reads share one barrier.
 * - "write": one command of the machine; neighbouring writes are submitted without waiting for each other.
 */
export type CommandKind = "local" | "read" | "write";

export interface Call {
  /** As sent: the command's name is args[0], a subcommand's args[1]. One character per byte. */
  readonly args: readonly string[];
  /** The protocol when the command was taken: a HELLO behind it must not change its reply. */
  readonly protocol: Protocol;
  readonly session: Session;
  readonly service: Service;
}

/** Throws or rejects with CommandError for a reply of its own, or with a LockstepError. */
export type CommandHandler = (call: Call) => Reply | Promise<Reply>;

export type CommandGroup = "string" | "generic" | "connection" | "server";

/** Positions of the keys among the arguments, as COMMAND tells them to clients. `last` -1: to the end. */
export interface KeyPositions {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

export interface CommandSpec {
  /** Lower case; of a subcommand, its own name only. */
  readonly name: string;
  /** Arguments with the name (and the subcommand's name): exactly so many, or at least -arity. Redis's convention. */
  readonly arity: number;
  readonly kind: CommandKind;
  readonly group: CommandGroup;
  readonly summary: string;
  /** Redis version that brought it. */
  readonly since: string;
  readonly keys?: KeyPositions;
  /** O(1) or O(log n). */
  readonly fast?: true;
  readonly handler: CommandHandler;
  /** Looked up by the second argument before the handler is used. */
  readonly subcommands?: readonly CommandSpec[];
}

export const oneKey: KeyPositions = { first: 1, last: 1, step: 1 };
export const allKeys: KeyPositions = { first: 1, last: -1, step: 1 };

/** Every command this server knows. */
export interface CommandTable {
  /** In the order COMMAND lists them. */
  readonly all: readonly CommandSpec[];
  /** By a name as COMMAND knows it: "get", "client|setname". */
  lookUp(fullName: string): CommandSpec | undefined;
  /**
   * The command of a request, or its subcommand, with the number of arguments checked.
   * @throws CommandError in Redis's words.
   */
  find(args: readonly string[]): CommandSpec;
}
