/** The key space: DEL, EXISTS, KEYS, SCAN, DBSIZE, TYPE. */
import { matchingKeys, scanKeys } from "../machine/scan.js";
import { valueOf, type KvState } from "../machine/state.js";
import { array, bulk, integer, simple, type Reply } from "../resp/reply.js";
import { argument, integerArgument } from "./arguments.js";
import { bulkArray } from "./bulk-array.js";
import { CommandError, syntaxError } from "./command-error.js";
import { allKeys, oneKey, type Call, type CommandSpec } from "./spec.js";

async function remove({ args, service }: Call): Promise<Reply> {
  return integer(await service.replica.submit.remove({ keys: args.slice(1) }));
}

/** A key that is named twice counts twice. */
function exists({ args }: Call, state: KvState): Reply {
  return integer(args.slice(1).filter((key) => valueOf(state, key) !== undefined).length);
}

function keys({ args, protocol, service }: Call, state: KvState): Reply {
  return bulkArray(matchingKeys(state, argument(args, 1)), protocol, service);
}

/** Those that are expired and not yet removed are counted, as Redis does. */
function size(_call: Call, state: KvState): Reply {
  return integer(state.values.size);
}

function type({ args }: Call, state: KvState): Reply {
  return simple(valueOf(state, argument(args, 1)) === undefined ? "none" : "string");
}

interface ScanOptions {
  readonly count: number;
  readonly pattern: string | undefined;
  readonly type: string | undefined;
}

/** Keys one SCAN looks at, at most, whatever COUNT asks for: it holds up everything else meanwhile. */
const maximumScanCount = 100_000;

function parseScanOptions(args: readonly string[]): ScanOptions {
  let count = 10;
  let pattern: string | undefined;
  let wantedType: string | undefined;
  for (let at = 2; at < args.length; at += 2) {
    const option = argument(args, at).toUpperCase();
    if (at + 1 >= args.length) throw syntaxError();
    const value = argument(args, at + 1);
    if (option === "COUNT") {
      const asked = integerArgument(value);
      if (asked < 1n) throw syntaxError();
      count = asked > BigInt(maximumScanCount) ? maximumScanCount : Number(asked);
    } else if (option === "MATCH") pattern = value;
    else if (option === "TYPE") wantedType = value;
    else throw syntaxError();
  }
  return { count, pattern, type: wantedType };
}

const maximumCursor = 2n ** 64n - 1n;

/**
 * The cursor's number as digits. As Redis's parseScanCursorOrReply, which asks strtoul: what is empty is 0, and a sign may be there.
 * @throws CommandError
 */
function parseCursor(text: string): string {
  const parts = /^(?:([+-]?)([0-9]+))?(?:\0.*)?$/s.exec(text);
  const value = BigInt(parts?.[2] ?? "0");
  if (parts === null || value > maximumCursor) throw new CommandError("ERR invalid cursor");
  return String(BigInt.asUintN(64, parts[1] === "-" ? -value : value));
}

function scan({ args, protocol, service }: Call, state: KvState): Reply {
  const cursor = parseCursor(argument(args, 1));
  const options = parseScanOptions(args);
  const after = cursor === "0" ? undefined : service.cursors.find(cursor);
  if (after === undefined && cursor !== "0") {
    throw new CommandError("ERR invalid cursor: this replica did not give it, or has forgotten it; start again with 0");
  }
  const { keys: matching, last } = scanKeys(state, { after, count: options.count, pattern: options.pattern });
  // Every value is a string.
  const found = options.type === undefined || options.type.toLowerCase() === "string" ? matching : [];
  const page = bulkArray(found, protocol, service);
  const next = last === undefined ? "0" : service.cursors.remember(last);
  return array([bulk(next), page]);
}

export const keyCommands: readonly CommandSpec[] = [
  { name: "del", arity: -2, kind: "write", group: "generic", since: "1.0.0", keys: allKeys, summary: "Delete a key", handler: remove },
  {
    name: "unlink", arity: -2, kind: "write", group: "generic", since: "4.0.0", keys: allKeys, fast: true,
    summary: "Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non blocking.", handler: remove,
  },
  { name: "exists", arity: -2, kind: "read", group: "generic", since: "1.0.0", keys: allKeys, fast: true, summary: "Determine if a key exists", handler: exists },
  { name: "keys", arity: 2, kind: "read", group: "generic", since: "1.0.0", summary: "Find all keys matching the given pattern", handler: keys },
  { name: "scan", arity: -2, kind: "read", group: "generic", since: "2.8.0", summary: "Incrementally iterate the keys space", handler: scan },
  { name: "type", arity: 2, kind: "read", group: "generic", since: "1.0.0", keys: oneKey, fast: true, summary: "Determine the type stored at key", handler: type },
  { name: "dbsize", arity: 1, kind: "read", group: "server", since: "1.0.0", fast: true, summary: "Return the number of keys in the selected database", handler: size },
];
