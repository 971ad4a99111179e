/** What a command is: the row of the command table, and what its handler gets. No command lives here. */
import type { KvState } from "../machine/state.js";
import type { Protocol, Reply } from "../resp/reply.js";
import type { Service } from "../server/service.js";
import type { Session } from "../server/session.js";

export interface Call {
  /** As sent: the command's name is args[0], a subcommand's args[1]. One character per byte. */
  readonly args: readonly string[];
  /** The protocol when the command was taken: a HELLO behind it must not change its reply. */
  readonly protocol: Protocol;
  readonly session: Session;
  readonly service: Service;
}

export type CommandGroup = "string" | "generic" | "connection" | "server";

/** Positions of the keys among the arguments, as COMMAND tells them to clients. `last` -1: to the end. */
export interface KeyPositions {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

interface CommandRow {
  /** Lower case; of a subcommand, its own name only. */
  readonly name: string;
  /** Arguments with the name (and the subcommand's name): exactly so many, or at least -arity. Redis's convention. */
  readonly arity: number;
  readonly group: CommandGroup;
  readonly summary: string;
  /** Redis version that brought it. */
  readonly since: string;
  readonly keys?: KeyPositions;
  /** O(1) or O(log n). */
  readonly fast?: true;
  /** Looked up by the second argument before the handler is used. */
  readonly subcommands?: readonly CommandSpec[];
}

/** Touches no replicated state; answered at once, whatever the replica's role. */
export interface LocalCommand extends CommandRow {
  readonly kind: "local";
  /** It tells of the state: its turn comes when all before it on its connection is answered, and writes behind it wait. Else it is run when it comes. */
  readonly inTurn?: true;
  /** @throws CommandError */
  readonly handler: (call: Call) => Reply;
}

/** Reads the state that the connection's turn gives it (server/connection.ts). */
export interface ReadCommand extends CommandRow {
  readonly kind: "read";
  /** @throws CommandError */
  readonly handler: (call: Call, state: KvState) => Reply;
}

/** One command of the machine. */
export interface WriteCommand extends CommandRow {
  readonly kind: "write";
  /** Async: submits before it returns, and never throws. Rejects with CommandError or LockstepError. */
  readonly handler: (call: Call) => Promise<Reply>;
}

export type CommandSpec = LocalCommand | ReadCommand | WriteCommand;

export type CommandKind = CommandSpec["kind"];

export const oneKey: KeyPositions = { first: 1, last: 1, step: 1 };
export const allKeys: KeyPositions = { first: 1, last: -1, step: 1 };

/** Every command this server knows. */
export interface CommandTable {
  /** In the order COMMAND lists them. */
  readonly all: readonly CommandSpec[];
  /** As COMMAND knows it. */
  fullName(spec: CommandSpec): string;
  /** By a name as COMMAND knows it: "get", "client|setname". */
  lookUp(fullName: string): CommandSpec | undefined;
  /**
   * The command of a request, or its subcommand, with the number of arguments checked.
   * @throws CommandError in Redis's words.
   */
  find(args: readonly string[]): CommandSpec;
}
