/** What Consul's interface shows of keys in a state, each with the index to wait after. An index never goes back, and is never 0. */
import { KeyTransaction } from "./keys-transaction.js";
import { runOperations, shownEntry, type KeyEntry, type KeyOperation, type KeyOutcome } from "./keys-operations.js";
import type { KeysState } from "./keys.js";
import type { LockState } from "./state.js";

export interface KeyAnswer {
  readonly index: number;
  readonly entries: readonly KeyEntry[];
}

/** Of one that is not there: the index of the newest change of any key, which a change that makes it will exceed. */
export function readKey(state: LockState, key: string): KeyAnswer {
  const row = state.keys.rows.get(key);
  if (row === undefined) return { index: state.keys.index, entries: [] };
  return { index: row.modifyIndex, entries: [shownEntry(state, key, row, state.expiredUpTo)] };
}

export function readTree(state: LockState, prefix: string): KeyAnswer {
  const entries: KeyEntry[] = [];
  for (const [key, row] of state.keys.rows.entries({ prefix })) entries.push(shownEntry(state, key, row, state.expiredUpTo));
  return { index: treeIndex(state.keys, prefix), entries };
}

/** Keys under a prefix; those that go on after a separator, up to it and once. */
export function readKeys(state: LockState, prefix: string, separator: string): { readonly index: number; readonly keys: readonly string[] } {
  const keys = new Set<string>();
  for (const key of state.keys.rows.keys({ prefix })) {
    const end = separator === "" ? -1 : key.indexOf(separator, prefix.length);
    keys.add(end === -1 ? key : key.slice(0, end + separator.length));
  }
  return { index: treeIndex(state.keys, prefix), keys: Array.from(keys) };
}

/** Operations that change nothing. */
export function readOperations(state: LockState, operations: readonly KeyOperation[]): KeyOutcome {
  return runOperations(state, new KeyTransaction(state.keys), operations, state.expiredUpTo);
}

/** Many may wait for the same prefix, and all look at the same state: it is gone through once. */
const treeIndexes = new WeakMap<KeysState, Map<string, number>>();

/** Of the newest change under the prefix, of any key at all if there was none; and of the newest deletion that has been forgotten. */
export function treeIndex(keys: KeysState, prefix: string): number {
  if (prefix === "") return keys.index;
  const known = treeIndexes.get(keys) ?? new Map<string, number>();
  treeIndexes.set(keys, known);
  let index = known.get(prefix);
  if (index === undefined) {
    index = 0;
    for (const { modifyIndex } of keys.rows.values({ prefix })) index = Math.max(index, modifyIndex);
    for (const deleted of keys.tombstones.values({ prefix })) index = Math.max(index, deleted);
    index = index === 0 ? keys.index : Math.max(index, keys.reaped);
    known.set(prefix, index);
  }
  return index;
}

/** Of the sessions: changes whenever one is opened or ends. */
export function sessionsIndex({ sessionCount, endedCount }: Pick<LockState, "sessionCount" | "endedCount">): number {
  return 1 + sessionCount + endedCount;
}
