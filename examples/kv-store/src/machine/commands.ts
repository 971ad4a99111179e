/**
 * The handlers of the machine's commands: the only code that changes the state. Deterministic, no clock but context.now.
 *
 * A key is expired by an ordered event. One timer waits for the first deadline; when it fires, at an agreed entry, every
 * key that is due becomes absent at once (`expiredUpTo`), and their removal follows in batches. As due timers fire before
 * an entry's commands, no command ever sees a key that has outlived its deadline.
 */
import { reject, type Context, type Draft } from "@lockstep/framework";
import type { ExpireCondition, ExpireInput, IncrementInput, KvRejection, PersistInput, RemoveInput, SetInput, SetManyInput, SetResult } from "./inputs.js";
import { addIntegers, parseInteger } from "./integers.js";
import { unpackValue } from "./packed-value.js";
import { deadlineOf, hasDeadlines, valueOf, type KvState } from "./state.js";

type KvDraft = Draft<KvState>;

/** Expired keys removed at one entry: some milliseconds of work at most, so that expiry never holds up the log. */
export const removedPerExpiry = 1000;

/** Nearly every answer; frozen once, not at every command. */
const plainlyWritten: SetResult = Object.freeze({ written: true, previous: null });

export function set(draft: KvDraft, input: SetInput, context: Context): SetResult {
  const { key, value, when, ttl } = input;
  const asked = when !== undefined || input.returnPrevious !== undefined;
  const present = asked ? valueOf(draft, key) : undefined;
  const previous = input.returnPrevious === undefined ? null : (present ?? null);
  if ((when === "absent" && present !== undefined) || (when === "present" && present === undefined)) return { written: false, previous };
  if (ttl !== "keep" || valueOf(draft, key) === undefined) clearDeadline(draft, key);
  draft.values.set(key, unpackValue(value));
  if (typeof ttl === "number") expireAt(draft, key, context.now + ttl, context);
  return previous === null ? plainlyWritten : { written: true, previous };
}

export function setMany(draft: KvDraft, { pairs }: SetManyInput): null {
  for (const [key, value] of pairs) {
    clearDeadline(draft, key);
    draft.values.set(key, unpackValue(value));
  }
  return null;
}

/** @returns how many of the keys were there. */
export function remove(draft: KvDraft, { keys }: RemoveInput): number {
  let removed = 0;
  for (const key of keys) {
    if (valueOf(draft, key) !== undefined) removed += 1;
    drop(draft, key);
  }
  return removed;
}

/** An absent key counts as 0; a deadline stays. @returns the new value, a decimal. */
export function increment(draft: KvDraft, { key, by }: IncrementInput): string {
  const present = valueOf(draft, key);
  if (present !== undefined && parseInteger(present) === undefined) throw refuse("NOT_AN_INTEGER");
  const sum = addIntegers(present ?? "0", by);
  if (sum === undefined) throw refuse("OVERFLOW");
  if (present === undefined) clearDeadline(draft, key);
  draft.values.set(key, sum);
  return sum;
}

/** @returns whether the key was there and the conditions held. */
export function expire(draft: KvDraft, { key, ttlMs, onlyIf = [] }: ExpireInput, context: Context): boolean {
  if (valueOf(draft, key) === undefined) return false;
  const wanted = context.now + ttlMs;
  const present = deadlineOf(draft, key);
  if (!onlyIf.every((condition) => conditions[condition](present, wanted))) return false;
  expireAt(draft, key, wanted, context);
  return true;
}

/** @returns whether there was a deadline to remove. */
export function persist(draft: KvDraft, { key }: PersistInput): boolean {
  if (deadlineOf(draft, key) === undefined) return false;
  clearDeadline(draft, key);
  return true;
}

/** Run by the timer. */
export function expireDue(draft: KvDraft, _input: unknown, context: Context): null {
  draft.expiredUpTo = context.now;
  const due: string[] = [];
  for (const [deadline, key] of draft.expiries.keys()) {
    if (deadline > context.now || due.length === removedPerExpiry) break;
    due.push(key);
  }
  for (const key of due) drop(draft, key);
  // It has fired; nothing may ask for deadlines between this and the next.
  draft.timerId = null;
  waitForFirstDeadline(draft, context);
  return null;
}

/** Compares the key's present deadline, if it has one, with the wanted one. A key without one lives for ever. */
const conditions: Readonly<Record<ExpireCondition, (present: number | undefined, wanted: number) => boolean>> = {
  persistent: (present) => present === undefined,
  expiring: (present) => present !== undefined,
  later: (present, wanted) => present !== undefined && wanted > present,
  sooner: (present, wanted) => present === undefined || wanted < present,
};

/** The key is there. A deadline that has passed removes it now. */
function expireAt(draft: KvDraft, key: string, deadline: number, context: Context): void {
  clearDeadline(draft, key);
  if (deadline <= context.now) {
    draft.values.delete(key);
    return;
  }
  draft.deadlines.set(key, deadline);
  draft.expiries.set([deadline, key], true);
  waitForFirstDeadline(draft, context);
}

function clearDeadline(draft: KvDraft, key: string): void {
  if (!hasDeadlines(draft)) return;
  const deadline = draft.deadlines.get(key);
  if (deadline === undefined) return;
  draft.deadlines.delete(key);
  draft.expiries.delete([deadline, key]);
}

function drop(draft: KvDraft, key: string): void {
  clearDeadline(draft, key);
  draft.values.delete(key);
}

/** A timer that waits for a deadline that is gone does no harm: it fires, finds nothing, and waits for the next. */
function waitForFirstDeadline(draft: KvDraft, context: Context): void {
  const first = draft.expiries.first();
  if (first === undefined) return;
  const [[at]] = first;
  if (draft.timerId !== null) {
    if (draft.timerAt <= at) return;
    context.cancel(draft.timerId);
  }
  draft.timerId = context.schedule(at, "expireDue");
  draft.timerAt = at;
}

function refuse(code: KvRejection): Error {
  return reject(code);
}
