/** The command convert: another mode for what is held already, without letting go of it. */
import type { Context, Draft } from "@lockstep/framework";
import { limitReached, refuse, request, sessionOver, told } from "./acquire.js";
import { resolveDeadlocks } from "./deadlocks.js";
import { grant, moveQueues } from "./grants.js";
import { machineLimits, type ConvertInput, type RequestState } from "./inputs.js";
import { compatible, lockModes, mayWriteValue, type LockMode } from "./modes.js";
import type { LockState, RequestRow } from "./state.js";
import { Turn } from "./turn.js";
import { settle } from "./work.js";

export function convert(draft: Draft<LockState>, input: ConvertInput, context: Context): RequestState {
  const turn = new Turn(draft, context);
  const session = turn.session(input.session);
  if (session === undefined) return sessionOver(turn, input.session);
  const known = turn.request(session.number, input.request);
  if (known !== undefined) return sameAgain(turn, known, input);
  const held = turn.request(session.number, input.grant);
  if (held === undefined) throw refuse("NO_SUCH_REQUEST", { request: input.grant });
  const mode = modeHeld(held);
  const [want] = held.wants;
  if (mode === undefined || want === undefined || held.conversion !== null) throw refuse("NOT_CONVERTIBLE", { request: input.grant, status: held.status });
  if (turn.account(session.number).live >= machineLimits.requestsPerSession) throw limitReached("requestsPerSession", machineLimits.requestsPerSession);
  writeValueBlock(turn, held, input.valueBlock);
  if (draft.backlog) settle(turn, held.wants);
  draft.seq++;
  const row: RequestRow = {
    session: input.session, owner: held.owner, wants: [{ lock: want.lock, mode: input.mode }], converts: input.grant, seq: draft.seq, status: "waiting", since: turn.now,
    deadline: input.waitMs === null ? null : turn.now + input.waitMs, value: held.value, token: 0, conversion: null, refusal: null, revision: 0,
  };
  const state = isDownward(mode, input.mode) ? atOnce(turn, session.number, input, row) : upward(turn, session.number, input, row);
  turn.finish();
  return state;
}

/** Nobody is kept waiting by it who was not before, and it waits for nobody. */
function atOnce(turn: Turn, session: number, { request: name }: ConvertInput, row: RequestRow): RequestState {
  countIn(turn, session);
  const granted = grant(turn, session, name, row);
  moveQueues(turn);
  return told(turn, granted);
}

function upward(turn: Turn, session: number, { request: name, grant: of, waitMs }: ConvertInput, row: RequestRow): RequestState {
  const held = turn.request(session, of);
  if (held !== undefined && waitMs !== 0) turn.write(session, of, { ...held, conversion: name });
  const state = request(turn, session, name, row, waitMs === 0);
  if (state.status !== "granted") return state;
  // Those who wait may have to wait for more than before.
  const lock = turn.usedLock(row.wants[0]?.lock ?? "");
  if (lock.waiting > 0) {
    resolveDeadlocks(turn, { session, owner: row.owner }, name, { granted: true });
    lock.tellFor(0);
    turn.stir(lock);
    moveQueues(turn);
  }
  return state;
}

function countIn(turn: Turn, session: number): void {
  const account = turn.account(session);
  turn.writeAccount(session, { ...account, live: account.live + 1 });
  turn.draft.liveRequests++;
}

function sameAgain(turn: Turn, row: RequestRow, { request: name, grant: of, mode }: ConvertInput): RequestState {
  const [want] = row.wants;
  const same = row.wants.length === 0 || (row.converts === of && want !== undefined && "mode" in want && want.mode === mode);
  if (!same) throw refuse("REQUEST_MISMATCH", { request: name });
  return told(turn, row);
}

/** Of a grant of one lock with a mode. */
function modeHeld({ status, wants }: RequestRow): LockMode | undefined {
  const [want] = wants;
  return status === "granted" && wants.length === 1 && want !== undefined && "mode" in want ? want.mode : undefined;
}

/** All that goes together with the one goes together with the other. */
export function isDownward(from: LockMode, to: LockMode): boolean {
  return lockModes.every((other) => !compatible(from, other) || compatible(to, other));
}

/** Before the grant is released or converted; undefined: nothing is to be written. */
export function writeValueBlock(turn: Turn, row: RequestRow, valueBlock: string | undefined): void {
  if (valueBlock === undefined) return;
  const mode = modeHeld(row);
  const [want] = row.wants;
  if (mode === undefined || want === undefined || !mayWriteValue(mode)) throw refuse("NOT_WRITABLE", { mode: mode ?? null, locks: row.wants.length });
  if (bytesOf(valueBlock) > machineLimits.valueBlockBytes) throw limitReached("valueBlockBytes", machineLimits.valueBlockBytes);
  turn.usedLock(want.lock).writeValueBlock(valueBlock);
}

/** Of base64. */
function bytesOf(base64: string): number {
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  return Math.floor((base64.length * 3) / 4) - padding;
}

