/** The command acquire: a request is granted, waits, or is refused; and the same one again is told what became of it. */
import { reject, type Context, type Draft } from "@lockstep/framework";
import { answer } from "./answers.js";
import { resolveDeadlocks } from "./deadlocks.js";
import { grant, locksOf, moveQueues, obstacleOf, tellHolders, type Obstacle } from "./grants.js";
import { machineLimits, type AcquireInput, type LockRejection, type Refusal, type RequestState, type Want } from "./inputs.js";
import type { Lock } from "./lock.js";
import { aheadOf, before, joinQueues, partOf, shareOf } from "./queue.js";
import { stateOf } from "./request-state.js";
import { sessionEnd } from "./session-end.js";
import type { LockState, RequestRow } from "./state.js";
import { Turn } from "./turn.js";
import { settle } from "./work.js";

/** Sessions in the way that a refusal names. */
const namedInTheWay = 16;

export function acquire(draft: Draft<LockState>, input: AcquireInput, context: Context): RequestState {
  const turn = new Turn(draft, context);
  const session = turn.session(input.session);
  if (session === undefined) return sessionOver(turn, input.session);
  const known = turn.request(session.number, input.request);
  if (known !== undefined) return sameAgain(turn, known, input);
  if (draft.backlog) settle(turn, input.wants);
  checkWants(turn, input.wants);
  if (turn.account(session.number).live >= machineLimits.requestsPerSession) throw limitReached("requestsPerSession", machineLimits.requestsPerSession);
  for (const want of input.wants) takeLock(turn, want);
  draft.seq++;
  const row = newRow(turn, input);
  const state = request(turn, session.number, input.request, row, input.waitMs === 0);
  turn.finish();
  return state;
}

function newRow({ draft, now }: Turn, { session, owner, wants, waitMs, value }: AcquireInput): RequestRow {
  return {
    session, owner: owner ?? null, wants, converts: null, seq: draft.seq, status: "waiting", since: now, deadline: waitMs === null ? null : now + waitMs,
    value: value ?? null, token: 0, conversion: null, refusal: null, revision: 0,
  };
}

/** A new request, of acquire or convert: its locks are there, and whoever is over has been cleared away from them. */
export function request(turn: Turn, session: number, name: string, row: RequestRow, onlyNow: boolean): RequestState {
  const obstacle = obstacleOf(turn, row);
  if (obstacle !== undefined && onlyNow) return told(turn, answer(turn, session, name, row, refusalAt(turn, row, obstacle), 0, false));
  const account = turn.account(session);
  turn.writeAccount(session, { ...account, live: account.live + 1 });
  turn.draft.liveRequests++;
  if (obstacle === undefined) return told(turn, grant(turn, session, name, row));
  return wait(turn, session, name, row);
}

function wait(turn: Turn, session: number, name: string, row: RequestRow): RequestState {
  for (const { lock } of row.wants) {
    if (turn.usedLock(lock).waiting >= machineLimits.queueLength) throw limitReached("queueLength", machineLimits.queueLength, lock);
  }
  turn.write(session, name, row);
  joinQueues(turn, session, name, row);
  const refused = resolveDeadlocks(turn, { session, owner: row.owner }, name);
  if (!refused) {
    const revision = turn.emit({ type: "queued", session: row.session, request: name, locks: locksOf(row) });
    turn.write(session, name, { ...(turn.request(session, name) ?? row), revision });
    for (const { lock } of row.wants) tellHolders(turn, turn.usedLock(lock));
  }
  moveQueues(turn);
  return told(turn, turn.request(session, name) ?? row);
}

export function told(turn: Turn, row: RequestRow): RequestState {
  return stateOf(row, {
    valueBlock: (lock) => turn.lock(lock)?.valueBlock ?? null,
    ahead: (waiting) => aheadOf(turn.draft, waiting, (lock) => turn.lock(lock)?.number),
  });
}

export function sessionOver(turn: Turn, session: string): RequestState {
  return { status: "refused", refusal: { code: "SESSION_OVER", session, reason: sessionEnd(turn.draft, session, turn.now) } };
}

function sameAgain(turn: Turn, row: RequestRow, input: AcquireInput): RequestState {
  // One that was cancelled before it came wants nothing.
  const same = row.wants.length === 0 || (row.converts === null && row.owner === (input.owner ?? null) && sameWants(row.wants, input.wants));
  if (!same) throw refuse("REQUEST_MISMATCH", { request: input.request });
  return told(turn, row);
}

function sameWants(a: readonly Want[], b: readonly Want[]): boolean {
  return a.length === b.length && a.every((want, index) => sameWant(want, b[index] as Want));
}

function sameWant(a: Want, b: Want): boolean {
  if (a.lock !== b.lock) return false;
  if ("mode" in a) return "mode" in b && a.mode === b.mode;
  return "permits" in b && a.permits === b.permits && a.limit === b.limit;
}

/** Servers check what comes from outside; this keeps the state sound whatever comes. */
function checkWants(turn: Turn, wants: readonly Want[]): void {
  if (wants.length > machineLimits.wants) throw limitReached("wants", machineLimits.wants);
  if (wants.length === 0 || (wants.length > 1 && new Set(wants.map(({ lock }) => lock)).size < wants.length)) throw new Error("a request must name at least one lock, and none twice");
  for (const want of wants) {
    const lock = turn.lock(want.lock);
    const limit = limitOf(want);
    if (lock !== undefined && !lock.unused && lock.limit !== limit) throw refuse("KIND_MISMATCH", { lock: want.lock, kind: lock.limit === null ? "modes" : "semaphore", limit: lock.limit });
    if ("permits" in want && !(want.permits >= 1 && want.permits <= want.limit)) throw refuse("KIND_MISMATCH", { lock: want.lock, kind: "semaphore", limit: want.limit });
  }
}

function limitOf(want: Want): number | null {
  return "mode" in want ? null : want.limit;
}

function takeLock(turn: Turn, want: Want): Lock {
  const lock = turn.lock(want.lock);
  const limit = limitOf(want);
  if (lock !== undefined) {
    // What is only left of an earlier use is begun anew.
    if (lock.unused && (lock.limit !== limit || lock.delayUntil <= turn.now)) lock.become(limit);
    return lock;
  }
  if (turn.draft.locks.size >= machineLimits.locks) throw limitReached("locks", machineLimits.locks);
  return turn.makeLock(want.lock, limit);
}

function refusalAt(turn: Turn, row: RequestRow, { lock, why }: Obstacle): Refusal {
  if (why === "delay") return { code: "LOCK_DELAY", lock: lock.name, untilMs: lock.delayUntil, leftMs: lock.delayUntil - turn.now };
  return { code: "HELD", lock: lock.name, holders: why === "holders" ? holdersInTheWay(turn, row, lock) : aheadInQueue(turn, row, lock) };
}

function holdersInTheWay(turn: Turn, row: RequestRow, lock: Lock): string[] {
  const share = shareIn(row, lock);
  const sessions = new Set<string>();
  for (const holder of lock.holders()) {
    if (sessions.size === namedInTheWay) break;
    if (!lock.isInTheWay(holder, share) || holder.request === row.converts) continue;
    const session = turn.request(holder.session, holder.request)?.session;
    if (session !== undefined) sessions.add(session);
  }
  return [...sessions];
}

function aheadInQueue(turn: Turn, row: RequestRow, lock: Lock): string[] {
  const sessions = new Set<string>();
  for (const [, waiter] of before(turn.draft, lock.number, partOf(row, shareIn(row, lock)), row.seq)) {
    if (sessions.size === namedInTheWay) break;
    const session = turn.request(waiter.session, waiter.request)?.session;
    if (session !== undefined) sessions.add(session);
  }
  return [...sessions];
}

function shareIn({ wants }: RequestRow, lock: Lock) {
  const want = wants.find(({ lock: name }) => name === lock.name);
  if (want === undefined) throw new Error(`the request does not want ${lock.name}`);
  return shareOf(want);
}

export function refuse(code: LockRejection, details?: unknown): Error {
  return reject(code, details);
}

export function limitReached(limit: keyof typeof machineLimits, most: number, lock?: string): Error {
  return refuse("LIMIT_REACHED", lock === undefined ? { limit, most } : { limit, most, lock });
}
