/** Pure functions of a state, for servers. What is over is not shown, even while the work that follows from its end goes on. */
import { goTogether, type Share } from "./lock.js";
import { lockModes, type LockMode } from "./modes.js";
import type { RequestState } from "./inputs.js";
import { aheadOf } from "./queue.js";
import { stateOf } from "./request-state.js";
import { sessionEnd } from "./session-end.js";
import { queuePart, type Account, type Holder, type LockRow, type LockState, type RequestRow, type SessionRow, type Waiter } from "./state.js";
import { isOver } from "./turn.js";
import type {
  EventsPage, HolderView, LockKind, LockPage, LockSummary, LockView, Party, RequestPage, RequestView, SessionPage, SessionView, WaitEdge, WaitForGraph, WaiterView,
} from "./view-types.js";

export type * from "./view-types.js";

/** Edges of a graph that are shown: more than anybody can look at. */
export const edgesShown = 10_000;

export interface LockPageOptions {
  readonly prefix?: string;
  readonly after?: string;
  readonly limit: number;
}

export interface PageOptions {
  readonly after?: string;
  readonly limit: number;
}

// Requests.

/** SESSION_OVER of an ended or unknown session; undefined if the session lives and does not know the request (any more). */
export function requestState(state: LockState, session: string, request: string): RequestState | undefined {
  const owner = liveSession(state, session);
  if (owner === undefined) return { status: "refused", refusal: { code: "SESSION_OVER", session, reason: sessionEnd(state, session, state.expiredUpTo) } };
  const row = rowOf(state, owner.number, request);
  if (row === undefined) return undefined;
  if (hasTimedOut(state, row)) return { status: "refused", refusal: { code: "WAIT_TIMEOUT", waitedMs: state.expiredUpTo - row.since } };
  return stateOf(row, {
    valueBlock: (lock) => state.locks.get(lock)?.valueBlock ?? null,
    ahead: (waiting) => aheadOf(state, waiting, (lock) => state.locks.get(lock)?.number),
  });
}

/** What a session holds and waits for, by request id. */
export function listRequests(state: LockState, session: string, { after, limit }: PageOptions): RequestPage {
  const owner = liveSession(state, session);
  if (owner === undefined) return { requests: [], next: null };
  const { number } = owner;
  const requests: RequestView[] = [];
  for (const [[, request], row] of state.requests.entries({ prefix: [number], from: [number, after === undefined ? "" : `${after}\0`] })) {
    if (!isRequest(row) || row.status === "refused" || typeof request !== "string") continue;
    if (requests.length === limit) return { requests, next: requests.at(-1)?.request ?? null };
    requests.push({ request, status: row.status, owner: row.owner, locks: row.wants.map(({ lock }) => lock), token: row.token === 0 ? null : row.token, since: row.since });
  }
  return { requests, next: null };
}

// Locks.

export function lockView(state: LockState, name: string): LockView | undefined {
  const row = state.locks.get(name);
  if (row === undefined) return undefined;
  const holders = Array.from(holdersOf(state, row)).flatMap((holder) => holderView(state, holder));
  const waiters = Array.from(state.queue.entries({ prefix: [row.number] })).flatMap(([, waiter]) => waiterView(state, waiter));
  const delayUntil = row.delayUntil > state.expiredUpTo ? row.delayUntil : null;
  if (holders.length + waiters.length === 0 && delayUntil === null) return undefined;
  return { lock: name, kind: kindOf(row), limit: row.limit, holders, waiters, valueBlock: row.valueBlock, delayUntil };
}

/** By name. Counts may include those of sessions that have just ended. */
export function listLocks(state: LockState, { prefix = "", after, limit }: LockPageOptions): LockPage {
  const locks: LockSummary[] = [];
  for (const [name, row] of state.locks.entries({ prefix, ...(after === undefined ? {} : { from: `${after}\0` }) })) {
    if (locks.length === limit) return { locks, next: locks.at(-1)?.lock ?? null };
    locks.push(summary(name, row, state));
  }
  return { locks, next: null };
}

/** Whether the token is of a present grant of this lock. */
export function tokenIsCurrent(state: LockState, lock: string, token: number): boolean {
  const row = state.locks.get(lock);
  if (row === undefined) return false;
  const holder = row.crowd === null ? row.holders.find((each) => each.token === token) : state.crowds.get([row.number, token]);
  return holder !== undefined && holderView(state, holder).length > 0;
}

function summary(lock: string, row: LockRow, state: LockState): LockSummary {
  const held = row.crowd ?? { size: row.holders.length, permits: row.holders.reduce((sum, { permits }) => sum + permits, 0) };
  return {
    lock, kind: kindOf(row), limit: row.limit, holders: held.size, waiters: row.waiting + row.places, mode: strongest(row),
    permits: row.limit === null ? null : held.permits, delayUntil: row.delayUntil > state.expiredUpTo ? row.delayUntil : null,
  };
}

function strongest({ holders, crowd }: LockRow): LockMode | null {
  return lockModes.findLast((mode, index) => (crowd === null ? holders.some((holder) => holder.mode === mode) : (crowd.byMode[index] ?? 0) > 0)) ?? null;
}

function kindOf({ limit }: LockRow): LockKind {
  return limit === null ? "modes" : "semaphore";
}

function holdersOf(state: LockState, row: LockRow): Iterable<Holder> {
  return row.crowd === null ? row.holders : state.crowds.values({ prefix: [row.number] });
}

/** None if its session is over. */
function holderView(state: LockState, { session, request, mode, permits, token }: Holder): HolderView[] {
  const row = liveRequest(state, session, request);
  if (row === undefined) return [];
  return [{ session: row.session, owner: row.owner, request, mode, permits: mode === null ? permits : null, token, since: row.since, value: row.value }];
}

function waiterView(state: LockState, { session, request, mode, permits }: Waiter): WaiterView[] {
  const row = liveRequest(state, session, request);
  if (row === undefined) return [];
  return [{ session: row.session, owner: row.owner, request, mode, permits: mode === null ? permits : null, since: row.since, deadline: row.deadline, converting: row.converts }];
}

// Sessions.

export function sessionView(state: LockState, session: string): SessionView | undefined {
  const row = liveSession(state, session);
  return row === undefined ? undefined : viewOf(state, session, row);
}

/** By id. */
export function listSessions(state: LockState, { after, limit }: PageOptions): SessionPage {
  const sessions: SessionView[] = [];
  for (const [id, row] of state.sessions.entries(after === undefined ? {} : { from: `${after}\0` })) {
    if (isOver(state, row, state.expiredUpTo)) continue;
    if (sessions.length === limit) return { sessions, next: sessions.at(-1)?.session ?? null };
    sessions.push(viewOf(state, id, row));
  }
  return { sessions, next: null };
}

function viewOf(state: LockState, session: string, { number, name, ttlMs, lockDelayMs, boundTo, principal, behavior, openedAt, deadline }: SessionRow): SessionView {
  const account = state.requests.get([number, 0]) as Account | undefined;
  return { session, name, ttlMs, lockDelayMs, bound: boundTo !== null, principal, behavior, openedAt, deadline, requests: account?.live ?? 0 };
}

// Who waits for whom.

/** Each who waits, and those in its way: holders, and who stands directly before it. */
export function waitForGraph(state: LockState, { prefix = "" }: { readonly prefix?: string } = {}): WaitForGraph {
  const edges: WaitEdge[] = [];
  const seen = new Set<string>();
  // By the requests that wait, not by the locks: most locks are not waited for.
  for (const [[session], request] of state.waiting) {
    const row = rowOf(state, session, request);
    for (const { lock } of row?.wants ?? []) {
      if (!lock.startsWith(prefix) || seen.has(lock)) continue;
      seen.add(lock);
      for (const edge of edgesAt(state, lock)) {
        if (edges.length === edgesShown) return { edges, truncated: true };
        edges.push(edge);
      }
    }
  }
  return { edges, truncated: false };
}

function* edgesAt(state: LockState, lock: string): Generator<WaitEdge> {
  const row = state.locks.get(lock);
  if (row === undefined) return;
  let previous: Party | undefined;
  for (const [, waiter] of state.queue.entries({ prefix: [row.number], before: [row.number, queuePart.place] as never })) {
    const waiting = liveRequest(state, waiter.session, waiter.request);
    if (waiting === undefined) continue;
    const from = partyOf(waiter.request, waiting);
    if (previous !== undefined) yield { from, to: previous, lock };
    previous = from;
    for (const holder of holdersOf(state, row)) {
      if (!isInTheWay(row, holder, waiter) || (holder.session === waiter.session && holder.request === waiting.converts)) continue;
      const held = liveRequest(state, holder.session, holder.request);
      if (held !== undefined) yield { from, to: partyOf(holder.request, held), lock };
    }
  }
}

function isInTheWay({ limit }: LockRow, holder: Share, waiter: Share): boolean {
  return limit !== null || !goTogether(holder, waiter);
}

function partyOf(request: string, { session, owner }: RequestRow): Party {
  return { session, owner, request };
}

// Events.

export function eventsAfter(state: LockState, after: number, limit: number): EventsPage {
  const oldest = state.events.first()?.[0] ?? 0;
  const events = Array.from(state.events.values({ from: after + 1, limit }));
  return { events, trimmed: oldest > 0 && after + 1 < oldest, newest: state.revision, oldest };
}

/** Of the newest event. */
export function revision(state: LockState): number {
  return state.revision;
}

/** Of the whole service. */
export function counts(state: LockState): { readonly sessions: number; readonly locks: number; readonly requests: number } {
  return { sessions: state.sessions.size, locks: state.locks.size, requests: state.liveRequests };
}

// What is over is not there.

function liveSession(state: LockState, session: string): SessionRow | undefined {
  const row = state.sessions.get(session);
  return row === undefined || isOver(state, row, state.expiredUpTo) ? undefined : row;
}

function liveRequest(state: LockState, session: number, request: string): RequestRow | undefined {
  const row = rowOf(state, session, request);
  return row === undefined || liveSession(state, row.session) === undefined || hasTimedOut(state, row) ? undefined : row;
}

function rowOf(state: LockState, session: number, request: string): RequestRow | undefined {
  return state.requests.get([session, request]) as RequestRow | undefined;
}

function isRequest(row: Account | RequestRow | string): row is RequestRow {
  return typeof row === "object" && "wants" in row;
}

function hasTimedOut(state: LockState, { status, deadline }: RequestRow): boolean {
  return status === "waiting" && deadline !== null && deadline <= state.expiredUpTo;
}
