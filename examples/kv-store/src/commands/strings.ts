/** GET, SET and its options, MGET, MSET, and the counters. */
import type { SetInput } from "../machine/inputs.js";
import { packValue, type PackedValue } from "../machine/packed-value.js";
import { valueOf, type KvState } from "../machine/state.js";
import { bulkOrNil, integer, nil, ok, type Reply } from "../resp/reply.js";
import { argument, integerArgument } from "./arguments.js";
import { bulkArray } from "./bulk-array.js";
import { CommandError, syntaxError, wrongArity } from "./command-error.js";
import { absoluteTtl, relativeTtl, type TimeUnit } from "./expire-time.js";
import { allKeys, oneKey, type Call, type CommandSpec } from "./spec.js";

function get({ args, protocol }: Call, state: KvState): Reply {
  return bulkOrNil(valueOf(state, argument(args, 1)), protocol);
}

function getMany({ args, protocol, service }: Call, state: KvState): Reply {
  return bulkArray(args.slice(1).map((key) => valueOf(state, key)), protocol, service);
}

async function set({ args, protocol, service }: Call): Promise<Reply> {
  const { input, returnsPrevious } = parseSet(args, Date.now());
  const { written, previous } = await service.replica.submit.set(input);
  if (returnsPrevious) return bulkOrNil(previous, protocol);
  return written ? ok : nil(protocol);
}

/** When SET's options say that the key ends, before it is known whether the number is one. */
interface ExpireOption {
  readonly name: "EX" | "PX" | "EXAT" | "PXAT";
  readonly text: string;
}

interface ParsedSet {
  readonly input: SetInput;
  readonly returnsPrevious: boolean;
}

/** As t_string.c: parseExtendedStringArgumentsOrReply, which takes an option twice but not two that contradict. */
function parseSet(args: readonly string[], wallClockMs: number): ParsedSet {
  const key = argument(args, 1);
  const value = argument(args, 2);
  // Nearly every SET has no options.
  if (args.length === 3) return { input: { key, value: packValue(value) }, returnsPrevious: false };
  let when: "absent" | "present" | undefined;
  let keepsTtl = false;
  let returnsPrevious = false;
  let expire: ExpireOption | undefined;
  for (let at = 3; at < args.length; at++) {
    const option = argument(args, at).toUpperCase();
    if (option === "NX" && when !== "present") when = "absent";
    else if (option === "XX" && when !== "absent") when = "present";
    else if (option === "GET") returnsPrevious = true;
    else if (option === "KEEPTTL" && expire === undefined) keepsTtl = true;
    else if (isExpireOption(option) && !keepsTtl && (expire === undefined || expire.name === option) && at + 1 < args.length) {
      at += 1;
      expire = { name: option, text: argument(args, at) };
    } else throw syntaxError();
  }
  const input: SetInput = {
    key,
    value: packValue(value),
    ...(when === undefined ? {} : { when }),
    ...(keepsTtl ? { ttl: "keep" } : {}),
    ...(expire === undefined ? {} : { ttl: ttlOf(expire, wallClockMs) }),
    ...(returnsPrevious ? { returnPrevious: true } : {}),
  };
  return { input, returnsPrevious };
}

function isExpireOption(option: string): option is ExpireOption["name"] {
  return option === "EX" || option === "PX" || option === "EXAT" || option === "PXAT";
}

function ttlOf({ name, text }: ExpireOption, wallClockMs: number): number {
  const unit: TimeUnit = name.startsWith("P") ? "milliseconds" : "seconds";
  const positive = { command: "set", allows: "positive" } as const;
  return name.endsWith("AT") ? absoluteTtl(text, unit, wallClockMs, positive) : relativeTtl(text, unit, wallClockMs, positive);
}

async function setMany({ args, service }: Call): Promise<Reply> {
  if (args.length % 2 === 0) throw wrongArity("mset");
  const pairs: [string, PackedValue][] = [];
  for (let at = 1; at < args.length; at += 2) pairs.push([argument(args, at), packValue(argument(args, at + 1))]);
  await service.replica.submit.setMany({ pairs });
  return ok;
}

async function increment({ args, service }: Call, by: string): Promise<Reply> {
  return integer(await service.replica.submit.increment({ key: argument(args, 1), by }));
}

async function incrementBy(call: Call): Promise<Reply> {
  return increment(call, String(integerArgument(argument(call.args, 2))));
}

async function decrementBy(call: Call): Promise<Reply> {
  const by = integerArgument(argument(call.args, 2));
  // Its negation does not fit 64 bits.
  if (by === -(2n ** 63n)) throw new CommandError("ERR decrement would overflow");
  return increment(call, String(-by));
}

export const stringCommands: readonly CommandSpec[] = [
  { name: "get", arity: 2, kind: "read", group: "string", since: "1.0.0", keys: oneKey, fast: true, summary: "Get the value of a key", handler: get },
  { name: "set", arity: -3, kind: "write", group: "string", since: "1.0.0", keys: oneKey, summary: "Set the string value of a key", handler: set },
  { name: "mget", arity: -2, kind: "read", group: "string", since: "1.0.0", keys: allKeys, fast: true, summary: "Get the values of all the given keys", handler: getMany },
  {
    name: "mset", arity: -3, kind: "write", group: "string", since: "1.0.1", keys: { first: 1, last: -1, step: 2 },
    summary: "Set multiple keys to multiple values", handler: setMany,
  },
  {
    name: "incr", arity: 2, kind: "write", group: "string", since: "1.0.0", keys: oneKey, fast: true,
    summary: "Increment the integer value of a key by one", handler: (call) => increment(call, "1"),
  },
  {
    name: "decr", arity: 2, kind: "write", group: "string", since: "1.0.0", keys: oneKey, fast: true,
    summary: "Decrement the integer value of a key by one", handler: (call) => increment(call, "-1"),
  },
  {
    name: "incrby", arity: 3, kind: "write", group: "string", since: "1.0.0", keys: oneKey, fast: true,
    summary: "Increment the integer value of a key by the given amount", handler: incrementBy,
  },
  {
    name: "decrby", arity: 3, kind: "write", group: "string", since: "1.0.0", keys: oneKey, fast: true,
    summary: "Decrement the integer value of a key by the given number", handler: decrementBy,
  },
];
