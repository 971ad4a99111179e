/**
 * The replicated state and what "a key is there" means. Every replica holds the same; it changes only in commands.ts.
 *
 * Keys and values are latin1 strings, one character per byte: exact for any bytes, ordered as the bytes are, and kept
 * by V8 at one byte per character (a Uint8Array costs well over 100 bytes more, and a million of them a million buffers).
 * The price: a byte above 0x7f takes two in snapshots, where strings are UTF-8 (in commands it does not: packed-value.ts).
 *
 * Deadlines are apart from the values, so that a key without one costs nothing for it.
 */
import { Table } from "@lockstep/framework";

export interface KvState {
  readonly values: Table<string, string>;
  /** When a key ends, in milliseconds of cluster time. Only keys that have an end. */
  readonly deadlines: Table<string, number>;
  /** The same, ordered by time: what expires next. */
  readonly expiries: Table<readonly [deadline: number, key: string], true>;
  /**
   * Cluster time of the last expiry. Keys whose deadline it has reached are absent, even while their removal, which goes
   * in batches, has not come to them.
   */
  readonly expiredUpTo: number;
  /** The timer that waits for the first deadline; null only if there are no deadlines. */
  readonly timerId: string | null;
  /** When it fires, at or before the first deadline. */
  readonly timerAt: number;
}

export const initialState = (): KvState => ({
  values: new Table<string, string>(),
  deadlines: new Table<string, number>(),
  expiries: new Table<readonly [number, string], true>(),
  expiredUpTo: 0,
  timerId: null,
  timerAt: 0,
});

/** What commands and queries need of a state, drafted or not. */
interface Readable {
  readonly values: Pick<KvState["values"], "get">;
  readonly deadlines: Pick<KvState["deadlines"], "get">;
  readonly expiredUpTo: number;
  readonly timerId: string | null;
}

/** The value of a key that is there. */
export function valueOf(state: Readable, key: string): string | undefined {
  const value = state.values.get(key);
  return value === undefined || isExpired(state, key) ? undefined : value;
}

/** When a key ends; undefined if it has no end, or is not there. */
export function deadlineOf(state: Readable, key: string): number | undefined {
  if (!hasDeadlines(state)) return undefined;
  const deadline = state.deadlines.get(key);
  return deadline === undefined || deadline <= state.expiredUpTo ? undefined : deadline;
}

export function isExpired(state: Readable, key: string): boolean {
  if (!hasDeadlines(state)) return false;
  const deadline = state.deadlines.get(key);
  return deadline !== undefined && deadline <= state.expiredUpTo;
}

/** False only if no key has a deadline. Not by the Table's size: in a handler, touching a Table costs a draft of it. */
export function hasDeadlines(state: Pick<KvState, "timerId">): boolean {
  return state.timerId !== null;
}
