/** The commands of Consul's interface: operations on keys, all or none; and a session with what is shown of it there. */
import type { Context, Draft } from "@lockstep/framework";
import type { OpenSessionInput, OpenSessionResult } from "./inputs.js";
import { forgetDelays, type KeySession } from "./keys.js";
import { KeyTransaction } from "./keys-transaction.js";
import { runOperations, type KeyOperation, type KeyOutcome } from "./keys-operations.js";
import { openSession } from "./sessions.js";
import type { LockState } from "./state.js";
import { Turn } from "./turn.js";
import { endSession, finishWork } from "./work.js";

export interface KvInput {
  readonly operations: readonly KeyOperation[];
}

export interface OpenKeySessionInput {
  readonly session: OpenSessionInput;
  readonly shown: KeySession;
}

export function kv(draft: Draft<LockState>, { operations }: KvInput, context: Context): KeyOutcome {
  endHoldersThatAreOver(draft, operations, context);
  forgetDelays(draft.keys, context.now, operations.length);
  const transaction = new KeyTransaction(draft.keys);
  const outcome = runOperations(draft, transaction, operations, context.now);
  if (outcome.failures.length === 0) transaction.commit(draft.keys);
  return outcome;
}

/** Their end is known, and the work that follows from it has only begun: what the operations need of it is done now. */
function endHoldersThatAreOver(draft: Draft<LockState>, operations: readonly KeyOperation[], context: Context): void {
  const turn = new Turn(draft, context);
  let ended = false;
  for (const { key } of operations) {
    const holder = draft.keys.rows.get(key)?.session ?? null;
    const row = holder === null ? undefined : draft.sessions.get(holder);
    if (holder === null || row === undefined || turn.session(holder) !== undefined) continue;
    endSession(turn, holder, row, row.deadline !== null && row.deadline <= context.now ? "expired" : "replica-lost");
    ended = true;
  }
  if (ended) finishWork(turn);
}

export function openKeySession(draft: Draft<LockState>, { session, shown }: OpenKeySessionInput, context: Context): OpenSessionResult {
  const opened = openSession(draft, session, context);
  draft.keys.sessions.set(opened.session, shown);
  return opened;
}
