/** Replies that are errors: Redis's own texts, and what the framework's errors become on the wire. */
import { isLockstepError } from "@lockstep/framework";
import type { KvRejection } from "../machine/inputs.js";

/** `message` is the whole reply, code first ("ERR syntax error"). */
export class CommandError extends Error {
  constructor(reply: string) {
    super(reply);
    this.name = "CommandError";
  }
}

export const syntaxError = (): CommandError => new CommandError("ERR syntax error");
export const notAnInteger = (): CommandError => new CommandError("ERR value is not an integer or out of range");
export const wrongArity = (fullName: string): CommandError => new CommandError(`ERR wrong number of arguments for '${fullName}' command`);
export const invalidExpire = (name: string): CommandError => new CommandError(`ERR invalid expire time in '${name}' command`);

/** Redis ends its line where the option's own ends. */
export const unsupportedOption = (option: string): CommandError => new CommandError(`ERR Unsupported option ${cString(option).replace(/[\r\n]+$/, "")}`);

export const unknownHelloOption = (option: string): CommandError => new CommandError(`ERR Syntax error in HELLO option '${cString(option)}'`);

/** Redis shows at most 128 bytes of the name, and about as many of the arguments (server.c: rejectUnknownCommand). */
export function unknownCommand(args: readonly string[]): CommandError {
  let shown = "";
  for (const argument of args.slice(1)) {
    if (shown.length >= 128) break;
    shown += `'${cString(argument).slice(0, 128 - shown.length)}' `;
  }
  return new CommandError(`ERR unknown command '${cString(args[0] ?? "").slice(0, 128)}', with args beginning with: ${shown}`);
}

export function unknownSubcommand(command: string, subcommand: string): CommandError {
  return new CommandError(`ERR unknown subcommand '${cString(subcommand).slice(0, 128)}'. Try ${command.toUpperCase()} HELP.`);
}

/**
 * The reply to a command that ended with any error. Redis's prefixes where one means the same: clients know CLUSTERDOWN
 * and LOADING as states that pass. INDETERMINATE is ours: nobody can tell whether the write took effect.
 */
export function errorReply(error: unknown): string {
  if (error instanceof CommandError) return error.message;
  if (!isLockstepError(error)) return `ERR internal error: ${error instanceof Error ? error.message : String(error)}`;
  if (error.outcome === "unknown") return `INDETERMINATE the outcome of the command is unknown: ${error.message}`;
  switch (error.code) {
    case "REJECTED":
      return rejectionReply(error.details);
    case "NOT_PRIMARY":
    case "STALE_READ":
      return `CLUSTERDOWN ${error.message}`;
    case "STOPPED":
      return `CLUSTERDOWN this replica has stopped, the command was not run: ${error.message}`;
    case "NOT_READY":
      return `LOADING ${error.message}`;
    case "QUEUE_FULL":
      return `BUSY too many writes are waiting, this one was not run; try again later: ${error.message}`;
    case "TIMED_OUT":
      return `TRYAGAIN the command was not run in time: ${error.message}`;
    case "COMMAND_TOO_LARGE":
      return `ERR the command is too large: ${error.message}`;
    default:
      return `ERR ${error.code} ${error.message}`;
  }
}

/** The machine's own refusals: the codes are those of KvRejection. */
const rejectionReplies: Readonly<Record<KvRejection, string>> = {
  NOT_AN_INTEGER: "ERR value is not an integer or out of range",
  OVERFLOW: "ERR increment or decrement would overflow",
};

function rejectionReply(details: unknown): string {
  const code = typeof details === "object" && details !== null && "code" in details ? String(details.code) : "";
  return Object.hasOwn(rejectionReplies, code) ? rejectionReplies[code as KvRejection] : `ERR the command was rejected: ${code}`;
}

/** printf's %s ends at a NUL. */
function cString(text: string): string {
  const end = text.indexOf("\0");
  return end === -1 ? text : text.slice(0, end);
}
