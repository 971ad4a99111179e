/**
 * What follows from the end of sessions and from deadlines. Both take effect at one position of the log, for all commands from there
 * on; the work, which may be a lot, is done in parts, so that it never holds up the log.
 */
import type { Context, Draft, MembersChange } from "@lockstep/framework";
import { giveBack, moveQueues, waitTimeout, withdraw } from "./grants.js";
import type { SessionEnd, Want } from "./inputs.js";
import { releaseKeys } from "./keys.js";
import { dueKind, type Departed, type DueKey, type LockState, type RequestRow, type SessionRow } from "./state.js";
import { Turn, wakeAt } from "./turn.js";

/** Rows that one entry looks after: some ten milliseconds of work at most. */
export const workPerEntry = 1000;
/** Requests of an ended session that are kept in one row until they are given back. */
const legacySize = 500;
/** Of so many ended sessions is known why they ended. */
export const endedRemembered = 4096;

/** Run by the timer. */
export function expireDue(draft: Draft<LockState>, _input: unknown, context: Context): null {
  const turn = new Turn(draft, context);
  draft.expiredUpTo = context.now;
  // It has fired; nothing may ask for it between this and the next.
  draft.timerId = null;
  const left = endDue(turn, endLost(turn, giveBackLegacies(turn, workPerEntry)));
  giveBackLegacies(turn, left);
  finishWork(turn);
  return null;
}

export function membersChanged(draft: Draft<LockState>, { members, left }: MembersChange, context: Context): void {
  draft.replicas = members.map(({ incarnation }) => incarnation);
  const lost = left.map(({ incarnation }) => incarnation).filter((incarnation) => hasSessions(draft, incarnation));
  if (lost.length === 0) return;
  draft.lostReplicas.push(...lost);
  draft.backlog = true;
  wakeAt(draft, context.now, context);
}

/** The end of a command that may have brought work. */
export function finishWork(turn: Turn): void {
  moveQueues(turn);
  turn.finish();
  const { draft, context, now } = turn;
  const due = draft.deadlines.first()?.[0][0];
  const backlog = draft.legacies.size > 0 || draft.lostReplicas.length > 0 || (due !== undefined && due <= now);
  if (draft.backlog !== backlog) draft.backlog = backlog;
  if (backlog) wakeAt(draft, now, context);
  else if (due !== undefined) wakeAt(draft, due, context);
}

// What is due.

function endDue(turn: Turn, budget: number): number {
  let left = budget;
  while (left > 0) {
    const first = turn.draft.deadlines.first();
    if (first === undefined || first[0][0] > turn.now) return left;
    const [key] = first;
    turn.draft.deadlines.delete(key);
    left -= end(turn, key);
  }
  return 0;
}

/** @returns the work it was. */
function end(turn: Turn, [at, kind, number, name]: DueKey): number {
  if (kind === dueKind.session) return endExpired(turn, name);
  if (kind === dueKind.wait) return endWait(turn, number, name, at);
  const lock = turn.lock(name);
  if (lock === undefined || lock.number !== number || lock.delayUntil > turn.now) return 1;
  lock.delay(0);
  turn.stir(lock);
  moveQueues(turn);
  return 1;
}

/** Or not yet: it has been renewed since it was put there. */
function endExpired(turn: Turn, id: string): number {
  const row = turn.draft.sessions.get(id);
  if (row?.deadline == null) return 1;
  if (row.deadline <= turn.now) return endSession(turn, id, row, "expired");
  turn.draft.sessions.set(id, { ...row, dueAt: row.deadline });
  turn.draft.deadlines.set([row.deadline, dueKind.session, row.number, id], true);
  return 1;
}

function endWait(turn: Turn, session: number, request: string, at: number): number {
  const row = turn.request(session, request);
  if (row?.status !== "waiting" || row.deadline !== at) return 1;
  // The end of a session comes before that of its waits.
  withdraw(turn, session, request, row, turn.session(row.session) === undefined ? null : waitTimeout(turn, row));
  moveQueues(turn);
  return 2;
}

function endLost(turn: Turn, budget: number): number {
  let left = budget;
  for (const incarnation of Array.from(turn.draft.lostReplicas)) {
    while (left > 0 && hasSessions(turn.draft, incarnation)) left -= endFirstBound(turn, incarnation);
    if (left <= 0) return 0;
    turn.draft.lostReplicas = turn.draft.lostReplicas.filter((lost) => lost !== incarnation);
  }
  return left;
}

function endFirstBound(turn: Turn, incarnation: string): number {
  for (const [key, id] of turn.draft.bound.entries({ prefix: [incarnation], limit: 1 })) {
    const row = turn.draft.sessions.get(id);
    if (row !== undefined) return endSession(turn, id, row, "replica-lost");
    turn.draft.bound.delete(key);
  }
  return 1;
}

function hasSessions(draft: Draft<LockState>, incarnation: string): boolean {
  for (const _ of draft.bound.keys({ prefix: [incarnation], limit: 1 })) return true;
  return false;
}

// The end of a session.

/**
 * It is over: what it leaves is put aside, to be given back in the order in which it was granted.
 * @returns the work it was.
 */
export function endSession(turn: Turn, id: string, row: SessionRow, reason: SessionEnd, delayed = reason !== "closed"): number {
  const { draft, now } = turn;
  draft.sessions.delete(id);
  if (row.dueAt !== null) draft.deadlines.delete([row.dueAt, dueKind.session, row.number, id]);
  if (row.boundTo !== null) draft.bound.delete([row.boundTo, row.number]);
  remember(draft, id, reason);
  turn.emit({ type: "session-ended", session: id, reason });
  const delayUntil = delayed ? now + row.lockDelayMs : 0;
  const work = leave(turn, id, row.number, { delayUntil: delayUntil > now ? delayUntil : 0, abandoned: delayed });
  releaseKeys(draft, { session: id, behavior: row.behavior, delayUntil: delayUntil > now ? delayUntil : 0 }, turn.context);
  return work;
}

function remember(draft: Draft<LockState>, id: string, reason: SessionEnd): void {
  draft.ended.set(id, reason);
  draft.endedCount++;
  draft.endedOrder.set(draft.endedCount, id);
  const forgotten = draft.endedCount - endedRemembered;
  const oldest = draft.endedOrder.get(forgotten);
  if (oldest === undefined) return;
  draft.ended.delete(oldest);
  draft.endedOrder.delete(forgotten);
}

/** Its waits first, so that none of them gets what it held; its answers are forgotten with it. */
function leave(turn: Turn, id: string, number: number, how: Pick<Departed, "delayUntil" | "abandoned">): number {
  const { draft } = turn;
  const live: [string, RequestRow][] = [];
  let work = 1;
  for (const [key, row] of draft.requests.entries({ prefix: [number] })) {
    const [, request] = key;
    work++;
    if (typeof request === "string" && typeof row === "object" && "wants" in row && row.status !== "refused") live.push([request, row]);
    else draft.requests.delete(key);
  }
  live.sort(([, a], [, b]) => a.token - b.token || a.seq - b.seq);
  for (let at = 0; at < live.length; at += legacySize) {
    draft.legacyCount++;
    draft.legacies.set(draft.legacyCount, { number, requests: live.slice(at, at + legacySize).map(([request]) => request) });
  }
  if (live.length > 0) draft.departed.set(number, { session: id, ...how, through: draft.legacyCount });
  return work;
}

/** @returns what is left of the budget. */
export function giveBackLegacies(turn: Turn, budget: number): number {
  const { legacies, departed } = turn.draft;
  let left = budget;
  for (let first = legacies.first(); first !== undefined && left > 0; first = legacies.first()) {
    const [order, { number, requests }] = first;
    const whose = departed.get(number);
    if (whose === undefined) throw new Error(`session ${number} has left something, and is not known`);
    let done = 0;
    while (done < requests.length && left > 0) {
      left -= giveBackOne(turn, number, whose, requests[done] as string);
      done++;
    }
    if (done < requests.length) legacies.set(order, { number, requests: requests.slice(done) });
    else legacies.delete(order);
    if (done === requests.length && order === whose.through) departed.delete(number);
  }
  return left;
}

function giveBackOne(turn: Turn, number: number, { delayUntil, abandoned }: Departed, request: string): number {
  const row = turn.request(number, request);
  // A command that needed it did not wait for this.
  if (row === undefined) return 1;
  if (row.status === "waiting") withdraw(turn, number, request, row, null);
  else giveBack(turn, number, request, row, { event: "session-ended", refusal: null, delayUntil, abandoned });
  moveQueues(turn);
  return 2 * row.wants.length;
}

// Commands that cannot wait for it.

/** The locks that a command wants are freed of holders that are over, and of whom they waited for: as if the work were done. */
export function settle(turn: Turn, wants: readonly Want[]): void {
  let left = workPerEntry;
  for (const want of wants) {
    const lock = turn.lock(want.lock);
    if (lock === undefined) continue;
    for (const { session, request } of Array.from(lock.holders())) {
      if (left <= 0) break;
      left -= freeOf(turn, session, request);
    }
    turn.stir(lock);
  }
  moveQueues(turn);
}

function freeOf(turn: Turn, session: number, request: string): number {
  const row = turn.request(session, request);
  if (row === undefined || turn.session(row.session) !== undefined) return 0;
  const ending = turn.draft.sessions.get(row.session);
  let work = 1;
  if (ending !== undefined) work += endSession(turn, row.session, ending, ending.deadline !== null && ending.deadline <= turn.now ? "expired" : "replica-lost");
  const whose = turn.draft.departed.get(session);
  if (whose === undefined) throw new Error(`session ${session} is over and holds something, and is not known`);
  return work + giveBackOne(turn, session, whose, request);
}
