/** What /v1/session/create takes: everything may be left out. */
import type { OpenKeySessionInput } from "../machine/keys-command.js";
import { ConsulError } from "./consul-error.js";
import { DurationError, formatDuration, nanosecondsPerSecond, parseDuration, wholeMs } from "./durations.js";
import { membersOf, readJson } from "./json.js";

/** Consul's. */
export const mostTtlMs = 86_400_000;
/** Consul's: a longer one is shown as it was given, and is no longer for that. */
const mostLockDelayMs = 60_000;
const defaultLockDelay = 15n * nanosecondsPerSecond;
/** Numbers below it are taken for seconds: people write 15, and mean no nanoseconds. */
const leastNanoseconds = 1000n;

/** Of a name, and of other texts; Consul has no such limits. */
const mostTextLength = 1024;
const mostChecks = 64;

export interface SessionDefaults {
  readonly node: string;
  readonly principal: string | null;
  /** The least TTL that is taken. */
  readonly leastTtlMs: number;
}

type Members = ReadonlyMap<string, unknown>;

/** @throws ConsulError */
export function sessionInput(body: string, { node: ownNode, principal, leastTtlMs }: SessionDefaults): OpenKeySessionInput {
  const members = decode(body);
  const node = text(members, "Node") ?? ownNode;
  const behavior = text(members, "Behavior") ?? "";
  const ttl = text(members, "TTL") ?? "";
  const lockDelay = lockDelayOf(members);
  const checks = texts(members, "Checks");
  const nodeChecks = [...(texts(members, "NodeChecks") ?? (checks?.length === 0 ? [] : ["serfHealth"])), ...(checks ?? [])];
  const serviceChecks = checksOf(members);
  if (node === "") throw new ConsulError(500, "Must provide Node");
  if (behavior !== "" && behavior !== "release" && behavior !== "delete") throw new ConsulError(500, `Invalid Behavior setting '${behavior}'`);
  return {
    session: {
      name: text(members, "Name") ?? "", ttlMs: ttlMsOf(ttl, leastTtlMs), lockDelayMs: Math.min(wholeMs(lockDelay), mostLockDelayMs), bound: false, principal,
      behavior: behavior === "" ? "release" : behavior,
    },
    shown: { node, nodeChecks: Array.from(new Set(nodeChecks)), serviceChecks, ttl, lockDelay: String(lockDelay) },
  };
}

function decode(body: string): Members {
  if (body.trim() === "") return new Map();
  let value: unknown;
  try {
    value = readJson(body);
  } catch (error) {
    throw undecodable(error instanceof Error ? error.message : String(error));
  }
  const members = value === null ? new Map<string, unknown>() : membersOf(value);
  if (members === undefined) throw undecodable(`json: cannot unmarshal ${Array.isArray(value) ? "array" : typeof value} into Go value of type structs.Session`);
  return members;
}

/** Null: it does not expire. */
function ttlMsOf(text: string, leastTtlMs: number): number | null {
  if (text === "") return null;
  let ttl: bigint;
  try {
    ttl = parseDuration(text);
  } catch (error) {
    if (error instanceof DurationError) throw new ConsulError(500, `Session TTL '${text}' invalid: ${error.message}`);
    throw error;
  }
  if (ttl === 0n) return null;
  const ms = wholeMs(ttl);
  if (ms < leastTtlMs || ms > mostTtlMs) throw new ConsulError(500, `Invalid Session TTL '${ttl}', must be between [${formatDuration(leastTtlMs)}=${formatDuration(mostTtlMs)}]`);
  return ms;
}

function lockDelayOf(members: Members): bigint {
  const given = members.get("lockdelay");
  if (given === undefined) return defaultLockDelay;
  const delay = nanosecondsOf(given);
  return delay >= 0n && delay < leastNanoseconds ? delay * nanosecondsPerSecond : delay;
}

function nanosecondsOf(given: unknown): bigint {
  if (typeof given === "bigint") return given;
  if (typeof given === "number") return BigInt(Math.trunc(given));
  if (typeof given !== "string") throw undecodable(`json: cannot unmarshal ${typeof given} into Go struct field Session.LockDelay of type time.Duration`);
  try {
    return parseDuration(given);
  } catch (error) {
    if (error instanceof DurationError) throw undecodable(error.message);
    throw error;
  }
}

function text(members: Members, name: string): string | undefined {
  const value = members.get(name.toLowerCase());
  return value === undefined ? undefined : checkText(value, name);
}

function texts(members: Members, name: string): readonly string[] | undefined {
  const value = members.get(name.toLowerCase());
  return value === undefined ? undefined : list(value, name).map((each) => checkText(each, name));
}

function checksOf(members: Members): readonly { readonly id: string; readonly namespace: string }[] {
  return list(members.get("servicechecks") ?? [], "ServiceChecks").map((each) => {
    const check = membersOf(each);
    if (check === undefined) throw undecodable("json: cannot unmarshal ServiceChecks: an object {ID, Namespace} is needed");
    return { id: text(check, "ID") ?? "", namespace: text(check, "Namespace") ?? "" };
  });
}

function list(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw undecodable(`json: cannot unmarshal ${typeof value} into Go struct field Session.${name} of type []string`);
  if (value.length > mostChecks) throw undecodable(`${name} has more than ${mostChecks} elements`);
  return value;
}

function checkText(value: unknown, name: string): string {
  if (typeof value !== "string") throw undecodable(`json: cannot unmarshal ${typeof value} into Go struct field Session.${name} of type string`);
  if (value.length > mostTextLength) throw undecodable(`${name} is longer than ${mostTextLength} characters`);
  return value;
}

function undecodable(why: string): ConsulError {
  return new ConsulError(400, `Request decode failed: ${why}`);
}
