/**
 * What operators have done to the group (backups, a restore, a new start), in its replicated state: the newest of it, with who did it.
 * It comes in an ordinary entry, as a command that no machine can declare.
 */
import type { CommandCall } from "../log/entry.js";
import type { Operation } from "./types.js";

/** defineMachine() refuses names that begin like this. */
export const reservedPrefix = "lockstep:";
const recordCommand = `${reservedPrefix}record`;

/** So many are kept. */
export const keptOperations = 100;
/** UTF-16 units of each part: what is kept for ever is bounded. */
export const longest = { what: 100, who: 300, details: 2_000 } as const;

/** Whether the record can say that this one did it, in a list with a line for each. */
export function canBeRecorded(who: unknown): boolean {
  return typeof who === "string" && who !== "" && who.length <= longest.who && !/\p{Cc}/u.test(who);
}

/** What the command says; where and when follows from its place in the log. */
export type OperationInput = Omit<Operation, "position" | "now">;

export function recordCall({ what, who, details, atMs }: OperationInput): CommandCall {
  const cut = (text: string, at: number): string => text.slice(0, at);
  return { name: recordCommand, input: { what: cut(what, longest.what), who: cut(who, longest.who), details: cut(details, longest.details), atMs } };
}

export function isRecord(call: CommandCall): boolean {
  return call.name === recordCommand;
}

/** undefined: the input is not a record. */
export function operationOf(input: unknown, position: number, now: number): Operation | undefined {
  if (typeof input !== "object" || input === null) return undefined;
  const { what, who, details, atMs } = input as Partial<OperationInput>;
  if (typeof what !== "string" || typeof who !== "string" || typeof details !== "string" || !Number.isFinite(atMs)) return undefined;
  if (what.length > longest.what || who.length > longest.who || details.length > longest.details) return undefined;
  return Object.freeze({ position, now, what, who, details, atMs: Number(atMs) });
}

export function addOperation(operations: readonly Operation[], operation: Operation): readonly Operation[] {
  return Object.freeze([...operations.slice(1 - keptOperations), operation]);
}
