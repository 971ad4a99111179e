/** The machine's queries: pure functions of the state. Absent means: not there, or expired (state.ts). */
import { literalPrefix, matchesGlob } from "./glob.js";
import type { ScanInput, ScanPage } from "./inputs.js";
import { deadlineOf, isExpired, valueOf, type KvState } from "./state.js";

export function get(state: KvState, key: string): string | undefined {
  return valueOf(state, key);
}

export function getMany(state: KvState, keys: readonly string[]): readonly (string | undefined)[] {
  return keys.map((key) => valueOf(state, key));
}

/** A key that is named twice counts twice. */
export function countPresent(state: KvState, keys: readonly string[]): number {
  let present = 0;
  for (const key of keys) if (valueOf(state, key) !== undefined) present += 1;
  return present;
}

/** The deadline in milliseconds of cluster time, if there is one. */
export function lifetime(state: KvState, key: string): number | "persistent" | "absent" {
  return valueOf(state, key) === undefined ? "absent" : (deadlineOf(state, key) ?? "persistent");
}

/** Those that are expired and not yet removed are counted, as Redis does. */
export function size(state: KvState): number {
  return state.values.size;
}

/** All keys that match the glob pattern, in byte order. */
export function matching(state: KvState, pattern: string): readonly string[] {
  const found: string[] = [];
  for (const key of state.values.keys({ prefix: literalPrefix(pattern) })) {
    if (matchesGlob(pattern, key) && !isExpired(state, key)) found.push(key);
  }
  return found;
}

/** One page, in byte order: a key that is there from the first page to the last is found, exactly once. */
export function scan(state: KvState, { after, count, pattern }: ScanInput): ScanPage {
  const keys: string[] = [];
  let last: string | undefined;
  let seen = 0;
  // Nothing lies between a string and itself with a NUL behind it.
  for (const key of state.values.keys(after === undefined ? {} : { from: `${after}\0` })) {
    if (seen === count) return { keys, last };
    seen += 1;
    last = key;
    if ((pattern === undefined || matchesGlob(pattern, key)) && !isExpired(state, key)) keys.push(key);
  }
  return { keys, last: undefined };
}
