/**
 * What follows from the end of sessions and from deadlines. Both take effect at one position of the log, for all commands from there
 * on; the work, which may be a lot, is done in parts, so that it never holds up the log.
 */
import type { Context, Draft, MembersChange } from "@lockstep/framework";
import { abandon, giveBack, moveQueues, waitTimeout, withdraw } from "./grants.js";
import type { SessionEnd, Want } from "./inputs.js";
import { releaseKeys } from "./keys.js";
import { dueKind, type LockState, type RequestRow, type SessionRow } from "./state.js";
import { firstDue, Turn, wakeAt } from "./turn.js";

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
  // All sessions first: nobody is to be given what another one leaves with a delay.
  const left = endExpired(turn, endLost(turn, workPerEntry));
  giveBackLegacies(turn, endDue(turn, left));
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
  const due = firstDue(draft);
  const backlog = draft.legacies.size > 0 || draft.lostReplicas.length > 0 || (due !== undefined && due <= now);
  if (draft.backlog !== backlog) draft.backlog = backlog;
  if (backlog) wakeAt(draft, now, context);
  else if (due !== undefined) wakeAt(draft, due, context);
}

// What is due.

/** @returns what is left of the budget. */
function endExpired(turn: Turn, budget: number): number {
  const { expiries, sessions } = turn.draft;
  let left = budget;
  for (let first = expiries.first(); first !== undefined && first[0][0] <= turn.now && left > 0; first = expiries.first()) {
    const [key, id] = first;
    expiries.delete(key);
    const row = sessions.get(id);
    left--;
    if (row === undefined || row.deadline === null) continue;
    if (row.deadline <= turn.now) left -= endSession(turn, id, row, "expired");
    else {
      // It was renewed since it was put there.
      sessions.set(id, { ...row, dueAt: row.deadline });
      expiries.set([row.deadline, row.number], id);
    }
  }
  return left;
}

function endDue(turn: Turn, budget: number): number {
  const { deadlines } = turn.draft;
  let left = budget;
  for (let first = deadlines.first(); first !== undefined && first[0][0] <= turn.now && left > 0; first = deadlines.first()) {
    const [[at, kind, number, name]] = first;
    deadlines.delete(first[0]);
    left -= 2;
    if (kind === dueKind.wait) endWait(turn, number, name, at);
    else endDelay(turn, number, name);
    moveQueues(turn);
  }
  return left;
}

function endWait(turn: Turn, session: number, request: string, at: number): void {
  const row = turn.request(session, request);
  if (row?.status !== "waiting" || row.deadline !== at) return;
  withdraw(turn, session, request, row, turn.session(row.session) === undefined ? null : waitTimeout(turn, row));
}

function endDelay(turn: Turn, number: number, name: string): void {
  const lock = turn.lock(name);
  if (lock === undefined || lock.number !== number || lock.delayUntil > turn.now) return;
  lock.delay(0);
  turn.stir(lock);
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
 * It is over: what it held is as abandoned from here on, and put aside, to be given back in the order in which it was granted.
 * @returns the work it was.
 */
export function endSession(turn: Turn, id: string, row: SessionRow, reason: SessionEnd, delayed = reason !== "closed"): number {
  const { draft, now } = turn;
  draft.sessions.delete(id);
  if (row.dueAt !== null) draft.expiries.delete([row.dueAt, row.number]);
  if (row.boundTo !== null) draft.bound.delete([row.boundTo, row.number]);
  remember(draft, id, reason);
  turn.emit({ type: "session-ended", session: id, reason });
  const delayUntil = delayed && row.lockDelayMs > 0 ? now + row.lockDelayMs : 0;
  const { live, work } = partWith(turn, row.number);
  if (delayed) for (const [, request] of live) if (request.status === "granted") abandon(turn, request, delayUntil);
  for (let at = 0; at < live.length; at += legacySize) {
    draft.legacyCount++;
    draft.legacies.set(draft.legacyCount, { number: row.number, requests: live.slice(at, at + legacySize).map(([request]) => request) });
  }
  return work + releaseKeys(draft, { session: id, behavior: row.behavior, delayUntil }, turn.context);
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

/** Its answers are forgotten with it. What lives: its waits first, so that none of them gets what it held; then its grants. */
function partWith({ draft }: Turn, number: number): { readonly live: readonly (readonly [string, RequestRow])[]; readonly work: number } {
  const live: [string, RequestRow][] = [];
  let work = 1;
  for (const [key, row] of draft.requests.entries({ prefix: [number] })) {
    const [, request] = key;
    work++;
    if (typeof request === "string" && typeof row === "object" && "wants" in row && row.status !== "refused") live.push([request, row]);
    else draft.requests.delete(key);
  }
  return { live: live.sort(([, a], [, b]) => a.token - b.token || a.seq - b.seq), work };
}

/** @returns what is left of the budget. */
export function giveBackLegacies(turn: Turn, budget: number): number {
  const { legacies } = turn.draft;
  let left = budget;
  for (let first = legacies.first(); first !== undefined && left > 0; first = legacies.first()) {
    const [order, { number, requests }] = first;
    let done = 0;
    while (done < requests.length && left > 0) {
      left -= giveBackOne(turn, number, requests[done] as string);
      moveQueues(turn);
      done++;
    }
    if (done < requests.length) legacies.set(order, { number, requests: requests.slice(done) });
    else legacies.delete(order);
  }
  return left;
}

function giveBackOne(turn: Turn, number: number, request: string): number {
  const row = turn.request(number, request);
  // A command that needed it did not wait for this.
  if (row === undefined) return 1;
  if (row.status === "waiting") withdraw(turn, number, request, row, null);
  else giveBack(turn, number, request, row, { event: "session-ended", refusal: null });
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
  return work + giveBackOne(turn, session, request);
}
