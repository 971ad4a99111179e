/**
 * The queue of each lock: conversions of holders first, then requests, each in the order of their arrival. A request for several locks
 * stands in all of their queues with the one number it got when it came. Places of NL are listed too, and keep nobody waiting.
 */
import type { Want } from "./inputs.js";
import type { Lock, Share } from "./lock.js";
import { dueKind, queuePart, type LockState, type QueueKey, type QueuePart, type RequestRow, type Waiter } from "./state.js";
import type { Turn } from "./turn.js";

/** Nobody counts further to tell a client how many are ahead of it. */
export const countedAhead = 1000;

export function shareOf(want: Want): Share {
  return "mode" in want ? { mode: want.mode, permits: 0 } : { mode: null, permits: want.permits };
}

export function partOf(row: Pick<RequestRow, "converts">, { mode }: Share): QueuePart {
  if (row.converts !== null) return queuePart.conversion;
  return mode === "NL" ? queuePart.place : queuePart.request;
}

/** Takes its place in all of its queues. The locks are there. */
export function joinQueues(turn: Turn, session: number, request: string, row: RequestRow): void {
  for (const want of row.wants) {
    const lock = turn.usedLock(want.lock);
    const share = shareOf(want);
    const part = partOf(row, share);
    turn.draft.queue.set([lock.number, part, row.seq], { session, request, owner: row.owner, ...share, several: row.wants.length > 1 });
    count(lock, part, 1);
  }
  turn.draft.waiting.set([session, row.seq], request);
  if (row.deadline === null) return;
  turn.draft.deadlines.set([row.deadline, dueKind.wait, session, request], true);
  turn.deadlinesChanged = true;
}

/** Those behind it may move. */
export function leaveQueues(turn: Turn, session: number, request: string, row: RequestRow): void {
  for (const want of row.wants) {
    const lock = turn.usedLock(want.lock);
    const part = partOf(row, shareOf(want));
    turn.draft.queue.delete([lock.number, part, row.seq]);
    count(lock, part, -1);
    turn.stir(lock);
  }
  turn.draft.waiting.delete([session, row.seq]);
  if (row.deadline !== null) turn.draft.deadlines.delete([row.deadline, dueKind.wait, session, request]);
}

function count(lock: Lock, part: QueuePart, by: number): void {
  if (part === queuePart.place) lock.changePlaces(by);
  else lock.changeWaiting(by);
}

/** Who is to be looked at first. */
export function frontOf(turn: Turn, lock: Lock): readonly [QueueKey, Waiter] | undefined {
  if (lock.waiting === 0) return undefined;
  for (const entry of turn.draft.queue.entries({ from: [lock.number, queuePart.conversion, 0], before: [lock.number, queuePart.place, 0], limit: 1 })) return entry;
  throw new Error(`${lock.waiting} wait for ${lock.name}, and none is in its queue`);
}

/** Those that one with this part and number waits behind, in queue order. */
export function before(state: Pick<LockState, "queue">, lock: number, part: QueuePart, seq: number): IterableIterator<[QueueKey, Waiter]> {
  return state.queue.entries({ from: [lock, queuePart.conversion, 0], before: [lock, part, seq] });
}

/** Requests before it in the longest of its queues, counted up to `countedAhead`. */
export function aheadOf(state: Pick<LockState, "queue">, row: RequestRow, numberOf: (lock: string) => number | undefined): number {
  let most = 0;
  for (const want of row.wants) {
    const number = numberOf(want.lock);
    const part = partOf(row, shareOf(want));
    if (number === undefined || part === queuePart.place) continue;
    let ahead = 0;
    for (const _ of state.queue.keys({ from: [number, queuePart.conversion, 0], before: [number, part, row.seq], limit: countedAhead })) ahead++;
    most = Math.max(most, ahead);
  }
  return most;
}
