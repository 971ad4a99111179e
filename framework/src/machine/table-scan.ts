/** Walking a range of a Table's tree in either direction. */
import { checkCallOptions } from "../call-options.js";
import { LockstepError } from "../errors.js";
import type { BTree } from "./btree.js";
import { afterPrefix, checkKey, compareKeys, type TableKey } from "./table-key.js";

/** A range of keys: all that satisfy every given bound. */
export interface ScanOptions<K extends TableKey> {
  /** First key, included. */
  readonly from?: K;
  /** Last key, included. */
  readonly to?: K;
  /** The key to end before. */
  readonly before?: K;
  /** String keys that begin with this string, or tuple keys that begin with these elements. */
  readonly prefix?: K extends readonly (infer P)[] ? readonly P[] : K;
  /** By descending keys; the bounds keep their meaning. */
  readonly reverse?: boolean;
  /** At most so many. */
  readonly limit?: number;
}

const optionNames: Readonly<Record<keyof ScanOptions<TableKey>, true>> = { from: true, to: true, before: true, prefix: true, reverse: true, limit: true };

/** Bounds that are all satisfied between low (included) and high. */
interface Range<K> {
  readonly low: K | undefined;
  readonly high: K | undefined;
  readonly highIncluded: boolean;
}

/**
 * Walks the tree, which must not change meanwhile.
 * @throws LockstepError INVALID_INPUT if a bound is not a key, the limit not a count, or there are other options: a bound that is misspelt bounds nothing.
 */
export function scan<K extends TableKey, V, T>(tree: BTree<K, V>, options: ScanOptions<K>, pick: (key: K, value: V) => T): IterableIterator<T> {
  checkCallOptions(options, optionNames, "a scan");
  const { limit = Infinity, reverse = false } = options;
  if (!(limit >= 0)) throw new LockstepError("INVALID_INPUT", `The limit of a scan must be a count, not ${limit}.`);
  const range = rangeOf(options);
  return reverse ? walkDown(tree, range, limit, pick) : walkUp(tree, range, limit, pick);
}

function rangeOf<K extends TableKey>({ from, to, before, prefix }: ScanOptions<K>): Range<K> {
  let low = from === undefined ? undefined : checkKey(from);
  let high = to === undefined ? undefined : checkKey(to);
  let highIncluded = true;
  const endBefore = (end: K): void => {
    if (high !== undefined && compareKeys(end, high) > 0) return;
    high = end;
    highIncluded = false;
  };
  if (before !== undefined) endBefore(checkKey(before));
  if (prefix !== undefined) {
    const first = checkKey(prefix) as K;
    if (low === undefined || compareKeys(first, low) > 0) low = first;
    endBefore(afterPrefix(first) as K);
  }
  return { low, high, highIncluded };
}

function* walkUp<K extends TableKey, V, T>(tree: BTree<K, V>, { low, high, highIncluded }: Range<K>, limit: number, pick: (key: K, value: V) => T): IterableIterator<T> {
  let count = 0;
  if (limit === 0) return;
  for (const [key, value] of tree.entries(low)) {
    if (high !== undefined) {
      const order = compareKeys(key, high);
      if (order > 0 || (order === 0 && !highIncluded)) return;
    }
    yield pick(key, value);
    if (++count >= limit) return;
  }
}

function* walkDown<K extends TableKey, V, T>(tree: BTree<K, V>, { low, high, highIncluded }: Range<K>, limit: number, pick: (key: K, value: V) => T): IterableIterator<T> {
  let count = 0;
  if (limit === 0) return;
  for (const [key, value] of tree.entriesReversed(high, undefined, !highIncluded)) {
    if (low !== undefined && compareKeys(key, low) < 0) return;
    yield pick(key, value);
    if (++count >= limit) return;
  }
}
