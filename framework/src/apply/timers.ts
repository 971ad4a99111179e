/** The timers of a machine: replicated, immutable, in the order in which they are due. */
import { LockstepError } from "../errors.js";
import { seal } from "../machine/seal.js";
import { Table } from "../machine/table.js";

export interface Timer {
  readonly command: string;
  readonly input: unknown;
}

/** When it is due (cluster time, milliseconds), and its number: timers due together fire in the order of scheduling. */
export type TimerKey = readonly [at: number, number: number];

export interface Timers {
  readonly waiting: Table<TimerKey, Timer>;
  /** Timers scheduled so far: the number of the newest one. */
  readonly count: number;
}

export const noTimers: Timers = { waiting: new Table(), count: 0 };

export interface Scheduled {
  readonly timers: Timers;
  readonly id: string;
}

/** @throws LockstepError INVALID_INPUT if `at` is not a time, or the input cannot be replicated. */
export function schedule(timers: Timers, at: number, timer: Timer): Scheduled {
  if (!Number.isFinite(at)) throw new LockstepError("INVALID_INPUT", `schedule() needs a time in milliseconds (context.now + delay), not ${String(at)}.`);
  const number = timers.count + 1;
  const key: TimerKey = [at, number];
  return { timers: { waiting: timers.waiting.with(key, seal({ command: timer.command, input: timer.input })), count: number }, id: `${number}@${at}` };
}

/** Without the timer; the same object if it was not waiting. */
export function removeTimer(timers: Timers, key: TimerKey): Timers {
  return timers.waiting.has(key) ? { waiting: timers.waiting.without(key), count: timers.count } : timers;
}

/** The key that a timer's id stands for; undefined if it cannot be one. */
export function keyOfTimer(id: string): TimerKey | undefined {
  const [number, at] = id.split("@").map(Number);
  return number === undefined || at === undefined || Number.isNaN(number) || Number.isNaN(at) ? undefined : [at, number];
}

/** Those due at `now`, in the order in which they fire. */
export function dueTimers(timers: Timers, now: number): [TimerKey, Timer][] {
  const first = nextTimerAt(timers);
  return first === undefined || first > now ? [] : [...timers.waiting.entries({ before: [now, Infinity] })];
}

export function nextTimerAt(timers: Timers): number | undefined {
  return timers.waiting.first()?.[0][0];
}
