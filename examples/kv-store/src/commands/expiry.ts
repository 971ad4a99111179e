/** The times of keys: EXPIRE and its relatives, TTL, PTTL, PERSIST. */
import type { ExpireCondition, ExpireInput } from "../machine/inputs.js";
import { deadlineOf, valueOf, type KvState } from "../machine/state.js";
import { integer, type Reply } from "../resp/reply.js";
import { argument } from "./arguments.js";
import { CommandError, unsupportedOption } from "./command-error.js";
import { absoluteTtl, relativeTtl, type TimeUnit } from "./expire-time.js";
import { oneKey, type Call, type CommandSpec, type WriteCommand } from "./spec.js";

const conditionOf: Readonly<Record<string, ExpireCondition>> = { NX: "persistent", XX: "expiring", GT: "later", LT: "sooner" };

/** As expire.c: parseExtendedExpireArgumentsOrReply. */
function parseConditions(options: readonly string[]): readonly ExpireCondition[] {
  const conditions = new Set<ExpireCondition>();
  for (const option of options) {
    const condition = conditionOf[option.toUpperCase()];
    if (condition === undefined) throw unsupportedOption(option);
    conditions.add(condition);
  }
  if (conditions.has("persistent") && conditions.size > 1) {
    throw new CommandError("ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if (conditions.has("later") && conditions.has("sooner")) {
    throw new CommandError("ERR GT and LT options at the same time are not compatible");
  }
  return [...conditions];
}

function expireIn(unit: TimeUnit, convert: typeof relativeTtl): WriteCommand["handler"] {
  return async ({ args, service }) => {
    const conditions = parseConditions(args.slice(3));
    const command = argument(args, 0).toLowerCase();
    const ttlMs = convert(argument(args, 2), unit, Date.now(), { command, allows: "any" });
    const input: ExpireInput = { key: argument(args, 1), ttlMs, ...(conditions.length === 0 ? {} : { onlyIf: conditions }) };
    return integer((await service.replica.submit.expire(input)) ? 1 : 0);
  };
}

/** Redis's -2 for a key that is not there, -1 for one that has no end. */
function remainingMs({ args, service }: Call, state: KvState): number {
  const key = argument(args, 1);
  if (valueOf(state, key) === undefined) return -2;
  const deadline = deadlineOf(state, key);
  if (deadline === undefined) return -1;
  return Math.max(0, Math.ceil(deadline - (service.replica.inspect().now ?? 0)));
}

/** Rounded to the nearest second, as Redis does. */
function remainingSeconds(call: Call, state: KvState): Reply {
  const ms = remainingMs(call, state);
  return integer(ms < 0 ? ms : Math.floor((ms + 500) / 1000));
}

async function persist({ args, service }: Call): Promise<Reply> {
  return integer((await service.replica.submit.persist({ key: argument(args, 1) })) ? 1 : 0);
}

export const expiryCommands: readonly CommandSpec[] = [
  {
    name: "expire", arity: -3, kind: "write", group: "generic", since: "1.0.0", keys: oneKey, fast: true,
    summary: "Set a key's time to live in seconds", handler: expireIn("seconds", relativeTtl),
  },
  {
    name: "pexpire", arity: -3, kind: "write", group: "generic", since: "2.6.0", keys: oneKey, fast: true,
    summary: "Set a key's time to live in milliseconds", handler: expireIn("milliseconds", relativeTtl),
  },
  {
    name: "expireat", arity: -3, kind: "write", group: "generic", since: "1.2.0", keys: oneKey, fast: true,
    summary: "Set the expiration for a key as a UNIX timestamp", handler: expireIn("seconds", absoluteTtl),
  },
  {
    name: "pexpireat", arity: -3, kind: "write", group: "generic", since: "2.6.0", keys: oneKey, fast: true,
    summary: "Set the expiration for a key as a UNIX timestamp specified in milliseconds", handler: expireIn("milliseconds", absoluteTtl),
  },
  { name: "ttl", arity: 2, kind: "read", group: "generic", since: "1.0.0", keys: oneKey, fast: true, summary: "Get the time to live for a key in seconds", handler: remainingSeconds },
  { name: "pttl", arity: 2, kind: "read", group: "generic", since: "2.6.0", keys: oneKey, fast: true, summary: "Get the time to live for a key in milliseconds", handler: (call, state) => integer(remainingMs(call, state)) },
  { name: "persist", arity: 2, kind: "write", group: "generic", since: "2.2.0", keys: oneKey, fast: true, summary: "Remove the expiration from a key", handler: persist },
];
