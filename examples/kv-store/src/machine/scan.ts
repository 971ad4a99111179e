/** Going through the keys of one state: KEYS and SCAN. A key that has expired is not there. */
import { literalPrefix, matchesGlob } from "./glob.js";
import { isExpired, type KvState } from "./state.js";

/** All keys that match the glob pattern, in byte order. */
export function matchingKeys(state: KvState, pattern: string): readonly string[] {
  const found: string[] = [];
  for (const key of state.values.keys({ prefix: literalPrefix(pattern) })) {
    if (matchesGlob(pattern, key) && !isExpired(state, key)) found.push(key);
  }
  return found;
}

export interface ScanInput {
  /** Go on after this key; undefined: from the first. */
  readonly after: string | undefined;
  /** Keys to look at. */
  readonly count: number;
  readonly pattern: string | undefined;
}

export interface ScanPage {
  /** Those of the keys looked at that match. */
  readonly keys: readonly string[];
  /** The last key looked at; undefined when there are no more. */
  readonly last: string | undefined;
}

/** One page, in byte order: a key that is there from the first page to the last is found, exactly once. */
export function scanKeys(state: KvState, { after, count, pattern }: ScanInput): ScanPage {
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
