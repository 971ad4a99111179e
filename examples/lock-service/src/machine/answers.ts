/**
 * Requests that are over: what became of each is kept for a while, so that who asks again, through whichever replica, is told the
 * same. Of each session the newest are kept (machineLimits.answersPerSession, and up to as many as are forgotten at once).
 */
import { machineLimits, type Refusal } from "./inputs.js";
import type { RequestRow } from "./state.js";
import type { Turn } from "./turn.js";

/** One by one would cost each answer another look at the oldest. */
const forgottenAtOnce = 32;

/** A live request, or one that never came to live, is answered for good. */
export function answer(turn: Turn, session: number, request: string, row: RequestRow, refusal: Refusal, revision: number, wasLive: boolean): RequestRow {
  const answered: RequestRow = { ...row, status: "refused", since: turn.now, deadline: null, value: null, token: 0, conversion: null, refusal, revision };
  turn.write(session, request, answered);
  const account = turn.account(session);
  const number = account.answered + 1;
  turn.draft.requests.set([session, number], request);
  let { forgotten } = account;
  if (number - forgotten >= machineLimits.answersPerSession + forgottenAtOnce) forgotten = forget(turn, session, forgotten);
  turn.writeAccount(session, { live: wasLive ? account.live - 1 : account.live, answered: number, forgotten });
  if (wasLive) turn.draft.liveRequests--;
  return answered;
}

function forget(turn: Turn, session: number, forgotten: number): number {
  const { requests } = turn.draft;
  const through = forgotten + forgottenAtOnce;
  for (let number = forgotten + 1; number <= through; number++) {
    requests.delete([session, requests.get([session, number]) as string]);
    requests.delete([session, number]);
  }
  return through;
}
