/** Why a session is over: for those who come too late. */
import type { SessionEnd } from "./inputs.js";
import type { LockState } from "./state.js";

/** Of a session that is over, or was never there; null if nobody knows (any more). */
export function sessionEnd(state: Pick<LockState, "ended" | "sessions">, session: string, now: number): SessionEnd | null {
  const row = state.sessions.get(session);
  if (row === undefined) return state.ended.get(session) ?? null;
  return row.deadline !== null && row.deadline <= now ? "expired" : "replica-lost";
}
