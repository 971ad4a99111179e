/**
 * Keys of Consul's interface, in the state: values with flags and indexes, and the sessions that have locked some of them. They share
 * nothing with the service's own locks but the sessions. What changes them is in keys-command.ts; here is what they are, and what
 * becomes of them when a session ends.
 */
import { Table, type Context, type Draft } from "@lockstep/framework";
import type { LockState } from "./state.js";

export interface KeyRow {
  /** Base64. */
  readonly value: string;
  /** An unsigned number of 64 bits, decimal: more than a JavaScript number holds. */
  readonly flags: string;
  readonly createIndex: number;
  readonly modifyIndex: number;
  /** How often it has been locked. */
  readonly lockIndex: number;
  /** Which session has locked it. */
  readonly session: string | null;
}

/** What Consul's interface shows of a session that was opened there, beyond what all sessions have: as it was given. */
export interface KeySession {
  readonly node: string;
  readonly nodeChecks: readonly string[];
  readonly serviceChecks: readonly { readonly id: string; readonly namespace: string }[];
  readonly ttl: string;
  /** Nanoseconds, decimal. */
  readonly lockDelay: string;
}

export interface KeysState {
  /** Of the newest change of any key: every command that changes some has the next. Never goes back; 1 before the first change. */
  readonly index: number;
  readonly rows: Table<string, KeyRow>;
  /** Of all keys and values. */
  readonly bytes: number;
  /** Keys by the session that has locked them, and how many these are. */
  readonly locked: Table<readonly [session: string, key: string], true>;
  readonly lockedCounts: Table<string, number>;
  /** Cluster time before which a key cannot be locked; and in the order of these times. */
  readonly delays: Table<string, number>;
  readonly delayEnds: Table<readonly [until: number, key: string], true>;
  /** At which index a key was deleted, of the newest deletions: so that the index of what is left under a prefix does not go back. */
  readonly tombstones: Table<string, number>;
  readonly tombstoneOrder: Table<readonly [index: number, key: string], true>;
  /** Of the newest tombstone that is gone: no index of a prefix is below it. */
  readonly reaped: number;
  readonly sessions: Table<string, KeySession>;
}

export const initialKeys = (): KeysState => ({
  index: 1,
  rows: new Table<string, KeyRow>(),
  bytes: 0,
  locked: new Table<readonly [string, string], true>(),
  lockedCounts: new Table<string, number>(),
  delays: new Table<string, number>(),
  delayEnds: new Table<readonly [number, string], true>(),
  tombstones: new Table<string, number>(),
  tombstoneOrder: new Table<readonly [number, string], true>(),
  reaped: 0,
  sessions: new Table<string, KeySession>(),
});

/** Limits of the replicated state: equal on every replica. This is a place for locks and what goes with them, not for data. */
export const keyLimits = {
  keys: 100_000,
  /** Of all keys and values together. */
  bytes: 64 * 1024 * 1024,
  keyBytes: 1024,
  /** Consul's. */
  valueBytes: 512 * 1024,
  /** Consul's. */
  operations: 128,
  /** The end of a session unlocks them with one command, which others wait for. */
  locksPerSession: 4096,
  /** As long as one command may take: a tenth of a second. */
  deletedAtOnce: 10_000,
  tombstones: 10_000,
} as const;

/** A session that has ended, as the keys that it has locked need to know it. */
export interface EndedSession {
  readonly session: string;
  readonly behavior: "release" | "delete";
  /** Nobody gets what it held before; 0: no delay. */
  readonly delayUntil: number;
}

/**
 * What becomes of keys that a session has locked, when it has ended.
 * @returns how many they were.
 */
export function releaseKeys(draft: Draft<LockState>, { session, behavior, delayUntil }: EndedSession, { now }: Context): number {
  const { keys } = draft;
  keys.sessions.delete(session);
  const count = keys.lockedCounts.get(session) ?? 0;
  if (count === 0) return 0;
  const index = ++keys.index;
  forgetDelays(keys, now, count);
  for (const [, key] of Array.from(keys.locked.keys({ prefix: [session] }))) {
    const row = keys.rows.get(key);
    if (row?.session !== session) throw new Error(`the key ${key} is not locked by session ${session}`);
    if (behavior === "delete") deleteRow(keys, key, row, index);
    else writeRow(keys, key, row, { ...row, session: null, modifyIndex: index });
    if (delayUntil > now) delay(keys, key, delayUntil);
  }
  reapTombstones(keys);
  return count;
}

// Single rows, with all that is kept of them elsewhere.

export function writeRow(keys: Draft<KeysState>, key: string, old: KeyRow | undefined, row: KeyRow): void {
  keys.rows.set(key, row);
  keys.bytes += rowBytes(key, row) - (old === undefined ? 0 : rowBytes(key, old));
  const before = old?.session ?? null;
  if (before === row.session) return;
  if (before !== null) unlocked(keys, before, key);
  if (row.session !== null) {
    keys.locked.set([row.session, key], true);
    keys.lockedCounts.set(row.session, (keys.lockedCounts.get(row.session) ?? 0) + 1);
  }
}

export function deleteRow(keys: Draft<KeysState>, key: string, row: KeyRow, index: number): void {
  keys.rows.delete(key);
  keys.bytes -= rowBytes(key, row);
  if (row.session !== null) unlocked(keys, row.session, key);
  const earlier = keys.tombstones.get(key);
  if (earlier !== undefined) keys.tombstoneOrder.delete([earlier, key]);
  keys.tombstones.set(key, index);
  keys.tombstoneOrder.set([index, key], true);
}

function unlocked(keys: Draft<KeysState>, session: string, key: string): void {
  keys.locked.delete([session, key]);
  const left = (keys.lockedCounts.get(session) ?? 0) - 1;
  if (left > 0) keys.lockedCounts.set(session, left);
  else keys.lockedCounts.delete(session);
}

export function rowBytes(key: string, { value }: Pick<KeyRow, "value">): number {
  return key.length + value.length;
}

/** The oldest beyond the limit. */
export function reapTombstones(keys: Draft<KeysState>): void {
  while (keys.tombstones.size > keyLimits.tombstones) {
    const oldest = keys.tombstoneOrder.first();
    if (oldest === undefined) throw new Error("tombstones are not in order");
    const [[index, key]] = oldest;
    keys.tombstones.delete(key);
    keys.tombstoneOrder.delete([index, key]);
    keys.reaped = index;
  }
}

function delay(keys: Draft<KeysState>, key: string, until: number): void {
  const earlier = keys.delays.get(key);
  if (earlier !== undefined) {
    if (earlier >= until) return;
    keys.delayEnds.delete([earlier, key]);
  }
  keys.delays.set(key, until);
  keys.delayEnds.set([until, key], true);
}

/** A few of those that are over: twice as many as can be added meanwhile, so that they do not pile up. */
export function forgetDelays(keys: Draft<KeysState>, now: number, added: number): void {
  for (const [until, key] of Array.from(keys.delayEnds.keys({ limit: 2 * added }))) {
    if (until > now) return;
    keys.delayEnds.delete([until, key]);
    keys.delays.delete(key);
  }
}
