/** The commands that end requests or change what is shown of them: release, cancel, proclaim, forceRelease. */
import type { Context, Draft } from "@lockstep/framework";
import { limitReached, refuse, sessionOver, told } from "./acquire.js";
import { answer } from "./answers.js";
import { writeValueBlock } from "./convert.js";
import { abandon, giveBack, locksOf, moveQueues, withdraw } from "./grants.js";
import { machineLimits, type CancelInput, type ForceReleaseInput, type ProclaimInput, type ReleaseInput, type RequestState } from "./inputs.js";
import type { Lock } from "./lock.js";
import type { LockState, RequestRow } from "./state.js";
import { Turn } from "./turn.js";

export interface ForceReleaseResult {
  /** Grants that were taken. */
  readonly released: number;
  /** Whose they were. */
  readonly sessions: readonly string[];
  readonly revision: number;
}

const released = Object.freeze({ code: "RELEASED", reason: null } as const);
const cancelled = Object.freeze({ code: "CANCELLED" } as const);

/** Of a request that waits: as cancel. */
export function release(draft: Draft<LockState>, input: ReleaseInput, context: Context): RequestState {
  const turn = new Turn(draft, context);
  const session = turn.session(input.session);
  if (session === undefined) return sessionOver(turn, input.session);
  const row = turn.request(session.number, input.request);
  if (row === undefined) throw refuse("NO_SUCH_REQUEST", { request: input.request });
  const granted = row.status === "granted";
  if (granted) writeValueBlock(turn, row, input.valueBlock);
  return end(turn, session.number, input.request, row, granted ? "released" : "cancelled");
}

/** Of a request that has not come yet, too: if it comes, it is cancelled. */
export function cancel(draft: Draft<LockState>, input: CancelInput, context: Context): RequestState {
  const turn = new Turn(draft, context);
  const session = turn.session(input.session);
  if (session === undefined) return sessionOver(turn, input.session);
  const row = turn.request(session.number, input.request);
  if (row !== undefined) return end(turn, session.number, input.request, row, "cancelled");
  answer(turn, session.number, input.request, nothingWanted(turn, input.session), cancelled, 0, false);
  return { status: "refused", refusal: cancelled };
}

function nothingWanted({ now }: Turn, session: string): RequestRow {
  return { session, owner: null, wants: [], converts: null, seq: 0, status: "refused", since: now, deadline: null, value: null, token: 0, conversion: null, refusal: null, revision: 0 };
}

function end(turn: Turn, session: number, request: string, row: RequestRow, how: "released" | "cancelled"): RequestState {
  if (row.status === "refused") return told(turn, row);
  const refusal = how === "released" ? released : cancelled;
  if (row.status === "waiting") withdraw(turn, session, request, row, refusal);
  else giveBack(turn, session, request, row, { event: how, refusal });
  moveQueues(turn);
  turn.finish();
  return { status: "refused", refusal };
}

/** Of a request that waits: what is shown with it once it is granted. */
export function proclaim(draft: Draft<LockState>, { session: id, request, value }: ProclaimInput, context: Context): RequestState {
  const turn = new Turn(draft, context);
  const session = turn.session(id);
  if (session === undefined) return sessionOver(turn, id);
  const row = turn.request(session.number, request);
  if (row === undefined) throw refuse("NO_SUCH_REQUEST", { request });
  if (Buffer.byteLength(value) > machineLimits.valueBytes) throw limitReached("valueBytes", machineLimits.valueBytes);
  if (row.status === "refused") return told(turn, row);
  const revision = row.status === "granted" ? turn.emit({ type: "proclaimed", session: id, request, locks: locksOf(row), value }) : row.revision;
  const proclaimed: RequestRow = { ...row, value, revision };
  turn.write(session.number, request, proclaimed);
  return told(turn, proclaimed);
}

/** A request of several locks loses all of them. Without lock delay: who does this has made sure. */
export function forceRelease(draft: Draft<LockState>, input: ForceReleaseInput, context: Context): ForceReleaseResult {
  const turn = new Turn(draft, context);
  const lock = turn.lock(input.lock);
  const taken = lock === undefined ? [] : grantsOf(turn, lock, input.session);
  if (taken.length === 0) return { released: 0, sessions: [], revision: draft.revision };
  const sessions = [...new Set(taken.map(({ row }) => row.session))];
  turn.emit({ type: "force-released", lock: input.lock, sessions, reason: input.reason, by: input.by });
  for (const { session, request, row } of taken) {
    const refusal = turn.session(row.session) === undefined ? null : ({ code: "RELEASED", reason: input.reason } as const);
    abandon(turn, row, 0);
    giveBack(turn, session, request, row, { event: "forced", refusal });
  }
  moveQueues(turn);
  turn.finish();
  return { released: taken.length, sessions, revision: draft.revision };
}

interface Taken {
  readonly session: number;
  readonly request: string;
  readonly row: RequestRow;
}

function grantsOf(turn: Turn, lock: Lock, only: string | undefined): Taken[] {
  const taken: Taken[] = [];
  for (const { session, request } of lock.holders()) {
    const row = turn.request(session, request);
    if (row !== undefined && (only === undefined || row.session === only)) taken.push({ session, request, row });
  }
  return taken;
}
