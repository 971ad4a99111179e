/**
 * Requests that are over: what became of each is kept for a while, so that who asks again, through whichever replica, is told the
 * same. Of each session the newest are kept (machineLimits.answersPerSession): a ring of their ids says which is the oldest.
 */
import { machineLimits, type Refusal } from "./inputs.js";
import type { RequestRow } from "./state.js";
import type { Turn } from "./turn.js";

/** A live request, or one that never came to live, is answered for good. */
export function answer(turn: Turn, session: number, request: string, row: RequestRow, refusal: Refusal, revision: number, wasLive: boolean): RequestRow {
  const { session: id, owner, wants, converts, seq } = row;
  const answered: RequestRow = {
    session: id, owner, wants, converts, seq, status: "refused", since: turn.now, deadline: null, value: null, token: 0, conversion: null, refusal, revision,
  };
  const account = turn.account(session);
  const place = 1 + (account.answered % machineLimits.answersPerSession);
  const oldest = turn.requests.get([session, place]);
  if (typeof oldest === "string") turn.requests.delete([session, oldest]);
  turn.write(session, request, answered);
  turn.requests.set([session, place], request);
  turn.changeAccount(session, { live: wasLive ? account.live - 1 : account.live, answered: account.answered + 1 });
  if (wasLive) turn.draft.liveRequests--;
  return answered;
}
