/** The commands about sessions: open, renew, close. What their end brings with it is in work.ts. */
import type { Context, Draft } from "@lockstep/framework";
import { limitReached, refuse } from "./acquire.js";
import { machineLimits, type CloseSessionInput, type OpenSessionInput, type OpenSessionResult, type RenewSessionsInput, type RenewSessionsResult, type SessionEnd } from "./inputs.js";
import { sessionEnd } from "./session-end.js";
import type { LockState } from "./state.js";
import { Turn } from "./turn.js";
import { endSession, finishWork, giveBackLegacies, workPerEntry } from "./work.js";

export interface CloseSessionResult {
  /** False: it was over before; `reason` says why, null if nobody knows. */
  readonly closed: boolean;
  readonly reason: SessionEnd | null;
  readonly revision: number;
}

/** @throws a rejection SESSION_OVER if it is to be bound to a replica process that has left the group. */
export function openSession(draft: Draft<LockState>, input: OpenSessionInput, context: Context): OpenSessionResult {
  const turn = new Turn(draft, context);
  if (draft.sessions.size >= machineLimits.sessions) throw limitReached("sessions", machineLimits.sessions);
  const boundTo = input.bound ? (context.origin?.incarnation ?? null) : null;
  if (boundTo !== null && draft.replicas.length > 0 && !draft.replicas.includes(boundTo)) throw refuse("SESSION_OVER", { session: null, reason: "replica-lost" });
  const id = context.uuid();
  draft.sessionCount++;
  const number = draft.sessionCount;
  const { name, ttlMs, lockDelayMs, principal, behavior } = input;
  const deadline = ttlMs === null ? null : context.now + ttlMs;
  draft.sessions.set(id, { number, name, ttlMs, lockDelayMs, boundTo, principal, behavior, openedAt: context.now, deadline, dueAt: deadline });
  if (boundTo !== null) draft.bound.set([boundTo, number], id);
  if (deadline !== null) {
    draft.expiries.set([deadline, number], id);
    turn.deadlinesChanged = true;
  }
  const revision = turn.emit({ type: "session-opened", session: id, name });
  turn.finish();
  return { session: id, deadline, revision };
}

/** One row each: where it stands in the order of deadlines is put right when that comes up. */
export function renewSessions(draft: Draft<LockState>, { sessions }: RenewSessionsInput, context: Context): RenewSessionsResult {
  const turn = new Turn(draft, context);
  return sessions.map((id) => {
    const row = turn.session(id);
    if (row === undefined) return false;
    const deadline = row.ttlMs === null ? null : context.now + row.ttlMs;
    if (deadline !== row.deadline) draft.sessions.set(id, { ...row, deadline });
    return true;
  });
}

/** What it holds is given back in this command, if it is not very much, and in the next entries. */
export function closeSession(draft: Draft<LockState>, { session: id, delayed = false }: CloseSessionInput, context: Context): CloseSessionResult {
  const turn = new Turn(draft, context);
  const row = turn.session(id);
  if (row === undefined) return { closed: false, reason: sessionEnd(draft, id, context.now), revision: draft.revision };
  const work = endSession(turn, id, row, "closed", delayed);
  giveBackLegacies(turn, Math.max(1, workPerEntry - work));
  finishWork(turn);
  return { closed: true, reason: "closed", revision: draft.revision };
}
