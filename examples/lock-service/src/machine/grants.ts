/** Who gets a lock, and what happens when it is given back: the only code that makes and ends grants. */
import { answer } from "./answers.js";
import type { EventOf } from "./events.js";
import type { Refusal } from "./inputs.js";
import type { Lock } from "./lock.js";
import { mayWriteValue } from "./modes.js";
import { frontOf, leaveQueues, shareOf } from "./queue.js";
import { sessionEnd } from "./session-end.js";
import { dueKind, type RequestRow, type Waiter } from "./state.js";
import type { Turn } from "./turn.js";

/** Holders that are told, of those in the way of one request: a notice to each of ten thousand readers would push all other events out. */
export const toldAtOnce = 64;
/** Dead requests at the front of one queue that one command clears away; the rest is left to the work on deadlines. */
const clearedAtOnce = 1000;

/** Why it cannot be granted now: the lock, and what keeps it there. */
export interface Obstacle {
  readonly lock: Lock;
  readonly why: "delay" | "holders" | "queue";
}

/**
 * What is in the way of a request that waits, or is about to: a delay, holders, or others who came before it. Its conversions do not wait
 * behind requests; one that lets more others in than before waits for nobody.
 */
export function obstacleOf(turn: Turn, row: RequestRow): Obstacle | undefined {
  for (const want of row.wants) {
    const share = shareOf(want);
    if (share.mode === "NL") continue;
    const lock = turn.lock(want.lock);
    if (lock === undefined) continue;
    if (lock.delayUntil > turn.now) return { lock, why: "delay" };
    if (!lock.admits(share, heldToken(turn, row)) || (turn.someUnended && hasUnended(turn, lock))) return { lock, why: "holders" };
    const front = frontOf(turn, lock);
    if (front !== undefined && front[0][2] !== row.seq && (row.converts === null || front[0][1] === 0)) return { lock, why: "queue" };
  }
  return undefined;
}

/** What such a holder leaves, a delay perhaps, is not known before its session has been ended. */
function hasUnended(turn: Turn, lock: Lock): boolean {
  for (const { session, request } of lock.holders()) {
    const id = turn.request(session, request)?.session;
    if (id !== undefined && turn.session(id) === undefined && turn.draft.sessions.has(id)) return true;
  }
  return false;
}

/** Of the grant that a conversion converts. */
export function heldToken(turn: Turn, row: RequestRow): number {
  if (row.converts === null) return 0;
  const session = turn.draft.sessions.get(row.session);
  return (session === undefined ? undefined : turn.request(session.number, row.converts)?.token) ?? 0;
}

/** Nothing is in the way, and it stands in no queue. @returns the row of the grant. */
export function grant(turn: Turn, session: number, request: string, row: RequestRow): RequestRow {
  const value = row.converts === null ? row.value : endConverted(turn, session, row.converts);
  const { draft } = turn;
  draft.token++;
  const { token } = draft;
  for (const want of row.wants) {
    const lock = turn.usedLock(want.lock);
    const share = shareOf(want);
    if (!lock.admits(share) || (lock.delayUntil > turn.now && share.mode !== "NL" && row.converts === null)) throw new Error(`${want.lock} cannot be granted to ${request}: it does not go together with its holders`);
    lock.add({ session, request, ...share, token, told: false });
  }
  const revision = turn.emit({ type: "granted", session: row.session, request, locks: locksOf(row), token, value });
  const granted: RequestRow = { ...row, status: "granted", since: turn.now, deadline: null, value, token, revision };
  turn.write(session, request, granted);
  return granted;
}

/** A conversion takes the place of the grant. @returns the value that was shown with it. */
function endConverted(turn: Turn, session: number, request: string): string | null {
  const row = turn.request(session, request);
  if (row?.status !== "granted") throw new Error(`the conversion of ${request} is granted, which is not held`);
  takeBack(turn, row);
  const revision = turn.emit({ type: "released", session: row.session, request, locks: locksOf(row), token: row.token, reason: "converted" });
  answer(turn, session, request, row, { code: "RELEASED", reason: "converted" }, revision, true);
  return row.value;
}

function takeBack(turn: Turn, row: RequestRow): void {
  for (const want of row.wants) {
    const lock = turn.usedLock(want.lock);
    lock.remove(row.token);
    turn.stir(lock);
  }
}

export interface Return {
  readonly event: Extract<EventOf, { type: "released" }>["reason"];
  /** What is remembered; null: nothing, as its session is over. */
  readonly refusal: Refusal | null;
}

/** A grant is given back. A conversion that waits for it has nothing to convert any more. */
export function giveBack(turn: Turn, session: number, request: string, row: RequestRow, { event, refusal }: Return): RequestRow {
  if (row.conversion !== null) {
    const conversion = turn.request(session, row.conversion);
    if (conversion !== undefined) withdraw(turn, session, row.conversion, conversion, refusal);
  }
  takeBack(turn, row);
  const revision = turn.emit({ type: "released", session: row.session, request, locks: locksOf(row), token: row.token, reason: event });
  return end(turn, session, request, row, refusal, revision);
}

/** Its holder is gone, rather than done with it. `delayUntil`: nobody gets it before; 0: no delay. */
export function abandon(turn: Turn, row: RequestRow, delayUntil: number): void {
  for (const want of row.wants) {
    const { mode } = shareOf(want);
    const lock = turn.usedLock(want.lock);
    if (mode !== null && mayWriteValue(mode)) lock.invalidateValueBlock();
    if (mode !== "NL") delay(turn, lock, delayUntil);
  }
}

function delay(turn: Turn, lock: Lock, until: number): void {
  if (until <= turn.now || until <= lock.delayUntil) return;
  lock.delay(until);
  turn.draft.deadlines.set([until, dueKind.delay, lock.number, lock.name], true);
  turn.deadlinesChanged = true;
}

/** A request that waits does not wait any more. `refusal`: null if its session is over. */
export function withdraw(turn: Turn, session: number, request: string, row: RequestRow, refusal: Refusal | null): RequestRow {
  leaveQueues(turn, session, request, row);
  if (row.converts !== null) {
    const held = turn.request(session, row.converts);
    if (held?.conversion === request) turn.write(session, row.converts, { ...held, conversion: null });
  }
  const told = refusal ?? { code: "SESSION_OVER", session: row.session, reason: sessionEnd(turn.draft, row.session, turn.now) };
  const revision = turn.emit({ type: "refused", session: row.session, request, locks: locksOf(row), refusal: told });
  return end(turn, session, request, row, refusal, revision);
}

/** With its session, a request is forgotten at once. */
function end(turn: Turn, session: number, request: string, row: RequestRow, refusal: Refusal | null, revision: number): RequestRow {
  if (refusal !== null) return answer(turn, session, request, row, refusal, revision, true);
  turn.draft.requests.delete([session, request]);
  turn.draft.liveRequests--;
  return row;
}

export function locksOf({ wants }: Pick<RequestRow, "wants">): readonly string[] {
  return wants.map(({ lock }) => lock);
}

/** Lets in who can be let in, in the order of the queues, until nobody can. */
export function moveQueues(turn: Turn): void {
  for (let lock = turn.nextStirred(); lock !== undefined; lock = turn.nextStirred()) {
    let cleared = 0;
    for (let front = frontOf(turn, lock); front !== undefined; front = frontOf(turn, lock)) {
      const [, { session, request }] = front;
      const row = turn.request(session, request);
      if (row === undefined) throw new Error(`${request} is in the queue of ${lock.name}, and not there`);
      const over = whyOver(turn, row);
      if (over === undefined) {
        if (obstacleOf(turn, row) !== undefined) break;
        leaveQueues(turn, session, request, row);
        grant(turn, session, request, row);
      } else {
        if (++cleared > clearedAtOnce) break;
        withdraw(turn, session, request, row, over);
      }
    }
    tellHolders(turn, lock);
  }
}

/** Nobody gets anything after its time, even if what follows from that has not come to it: null of an ended session, undefined if it waits rightly. */
export function whyOver(turn: Turn, row: RequestRow): Refusal | null | undefined {
  if (turn.session(row.session) === undefined) return null;
  return row.deadline !== null && row.deadline <= turn.now ? waitTimeout(turn, row) : undefined;
}

export function waitTimeout(turn: Turn, row: RequestRow): Refusal {
  return { code: "WAIT_TIMEOUT", waitedMs: turn.now - row.since };
}

/**
 * Blocking notices: when somebody comes to the front of a queue, the holders in its way are told, each once for its grant (a conversion
 * is a new grant). Those behind are not spoken for: their turn comes, or their wish is another by then.
 */
export function tellHolders(turn: Turn, lock: Lock): void {
  const front = frontOf(turn, lock);
  if (front === undefined || front[0][2] === lock.toldFor) return;
  const [[, , seq], waiter] = front;
  lock.tellFor(seq);
  for (const holder of Array.from(take(lock.holders(), toldAtOnce))) {
    if (holder.told || !lock.isInTheWay(holder, waiter) || isConvertedBy(turn, holder, waiter)) continue;
    const row = turn.request(holder.session, holder.request);
    if (row === undefined) throw new Error(`${holder.request} holds ${lock.name}, and is not there`);
    turn.emit({ type: "blocking", session: row.session, request: holder.request, lock: lock.name, wanted: waiter.mode });
    lock.tell(holder);
  }
}

function isConvertedBy(turn: Turn, holder: { readonly session: number; readonly request: string }, waiter: Waiter): boolean {
  return waiter.session === holder.session && turn.request(waiter.session, waiter.request)?.converts === holder.request;
}

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
}
