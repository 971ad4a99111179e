/** Installing a decided view: taking its ballot, or asking for what is missing first. */
import { LockstepError, invariant } from "../errors.js";
import { chainHash } from "../log/chain-hash.js";
import { compareBallots, equalBallots, formatBallot, highestBallot } from "./ballot.js";
import { viewDecided } from "./continuity.js";
import type { Decision } from "./decide.js";
import { adoptOnDisk, ballotIsDurable, cutOnDisk } from "./disk.js";
import type { Transfer } from "./events.js";
import type { LogPoint } from "../log/log.js";
import type { NeedSyncMessage, PromiseMessage } from "./messages.js";
import { setPhase, stop } from "./phase.js";
import { countPromise } from "./promise.js";
import { ackReceived, appendEntry, batchReceived, multicastAck, pointAfterHeld, sendBatch } from "./replicate.js";
import type { CoreState, Joining, View } from "./state.js";

type PrimaryDecision = Extract<Decision, { kind: "primary" }>;

/** An excluded replica learns what the others decided: the ballots in use, and that they went on without it. */
export function observe(state: CoreState, decision: Decision): void {
  if (decision.kind !== "primary") return;
  state.k = decision.ballot.k;
  state.promised = highestBallot([state.promised, decision.ballot]);
}

export function install(state: CoreState, decision: Decision): void {
  if (decision.kind === "contradiction") return stop(state, decision.error);
  const misfit = decision.misfits.find(({ incarnation }) => incarnation === state.config.incarnation);
  if (misfit !== undefined) return stop(state, misfit.error);
  if (decision.kind === "minority") return setPhase(state, "minority", decision.reason);

  const { ballot } = decision;
  invariant(compareBallots(ballot, state.promised) > 0, `ballot ${formatBallot(ballot)} is above all that were promised`);
  state.k = ballot.k;
  state.promised = ballot;
  state.lastCommitMs = state.nowMs;
  state.rejoin.atMs = undefined;
  viewDecided(state, decision.holders);
  // Whoever was here before and has not spoken is left out: from now on this process is its slot's replica.
  state.rivals = new Set();
  if (state.disk === undefined) return enterView(state, decision);
  state.promising = { decision, promised: new Set(), sent: false };
  setPhase(state, "changing", "waiting for promises");
}

/** Enough have promised the ballot: the view begins. */
export function promiseReceived(state: CoreState, slot: number, message: PromiseMessage): void {
  if (!countPromise(state, slot, message) || state.promising === undefined) return;
  const { decision } = state.promising;
  state.promising = undefined;
  enterView(state, decision);
}

function enterView(state: CoreState, { ballot, target, members, holders, quorum, loud, time }: PrimaryDecision): void {
  state.view = { ballot, members, target, holders, quorum };
  state.lastCommitMs = state.nowMs;
  state.effects.push({ type: "viewInstalled", ballot, members, loud, time });
  if (target.position < state.committed) return stop(state, wouldCutCommitted(state, target));
  if (state.log.hashAt(target.position) === target.hash && !state.replaceState) return takeBallot(state, state.view);
  if (state.config.policy.outdates) state.lineage = false;
  state.joining = { turn: 0, lastProgressMs: state.nowMs, stalls: 0, reach: target, held: [], heldBytes: 0, restart: undefined };
  setPhase(state, "synchronising");
  requestTransfer(state, state.view);
}

function wouldCutCommitted(state: CoreState, target: LogPoint): LockstepError {
  return new LockstepError("DIVERGED", `position ${state.committed} is committed here, but the group's log ends at ${target.position}: the group was started anew, or went on where it must not. This replica keeps what it has and stops`);
}

/** The log holds the target: cut what lies above it, and take part. */
function takeBallot(state: CoreState, view: View): void {
  cutAfter(state, view.target.position);
  state.holed = false;
  state.ballot = view.ballot;
  state.tookBallot = true;
  state.lineage = true;
  state.verified = view.target.position;
  state.entering = true;
  enterIfDurable(state);
}

/** The ballot is taken, and written down if it must be: from now on this replica speaks in it. */
export function enterIfDurable(state: CoreState): void {
  const { view } = state;
  if (view === undefined || !state.entering || !ballotIsDurable(state)) return;
  state.entering = false;
  setPhase(state, "active");
  if (!state.holed) becomeActive(state, view);
}

function becomeActive(state: CoreState, view: View): void {
  multicastAck(state);
  resubmit(state);
  if (view.holders[0] === state.config.slot) state.effects.push({ type: "proposeMembers", members: view.members });
}

/** Own entries that are not in the log any more, or never were, go out again in their order, under the new ballot. */
function resubmit(state: CoreState): void {
  const gone = state.pending.filter((entry) => entry.position === undefined && !entry.awaited).map((entry) => entry.record.n);
  if (gone.length > 0) {
    state.pending = state.pending.filter((entry) => entry.position !== undefined || entry.awaited);
    state.effects.push({ type: "withdrawn", n: gone });
  }
  for (const entry of state.pending) if (entry.position === undefined) sendBatch(state, entry.record);
}

function requestTransfer(state: CoreState, view: View, again?: string): void {
  const { joining } = state;
  invariant(joining !== undefined, "a transfer is asked for by a member that synchronises");
  joining.lastProgressMs = state.nowMs;
  const { turn, reach } = joining;
  const have = state.replaceState ? [] : placesToGoOnFrom(state).filter(({ position }) => position <= view.target.position);
  state.effects.push(
    { type: "receiveTransfer", ballot: view.ballot, turn, ...(again === undefined ? {} : { again }) },
    { type: "multicast", message: { type: "needSync", ballot: view.ballot, turn, have, reach: reach.position } },
  );
}

/**
 * The verified end, the committed one, and places between them, ever farther apart: a log from disk, of which nothing is known to be
 * committed yet, may differ from the group's in its last entries only.
 */
function placesToGoOnFrom({ log, verified, committed }: CoreState): LogPoint[] {
  const positions = [verified];
  for (let back = 1; verified - back > committed; back *= 2) positions.push(verified - back);
  if (committed < verified) positions.push(committed);
  return positions.flatMap((position) => {
    const hash = log.hashAt(position);
    return hash === undefined ? [] : [{ position, hash }];
  });
}

/** Asks the next donor. @param why The transfer before came to nothing. */
export function retryTransfer(state: CoreState, why: string): void {
  if (state.view === undefined || state.joining === undefined) return;
  state.joining.turn++;
  state.joining.restart = undefined;
  requestTransfer(state, state.view, why);
}

/** All alike choose the donor: a holder of the target, or who has become active since; another one at every turn. */
export function needSyncReceived(state: CoreState, needer: number, message: NeedSyncMessage): void {
  const { view } = state;
  // What is taken and not yet on disk can be given all the same.
  const holds = state.phase === "active" || state.entering;
  if (view === undefined || !equalBallots(view.ballot, message.ballot) || !holds) return;
  if (message.turn > 0) state.effects.push({ type: "stopDonating", to: needer });
  // The others do not know of this replica before they have heard it: they would choose another one, and both would give.
  const active = Array.from(state.acks.keys()).filter((slot) => slot !== state.config.slot || state.heardAt !== undefined);
  const donors = Array.from(new Set([...view.holders, ...active])).filter((slot) => slot !== needer).sort((a, b) => a - b);
  if (donors.length === 0) return;
  const rank = Math.max(0, view.members.findIndex((member) => member.slot === needer));
  if (donors[(rank + message.turn) % donors.length] !== state.config.slot) return;
  const { turn, ballot, have, reach } = message;
  // A donor with a hole has less than the group delivered; the next one is asked after a while.
  if (state.holed || reach > state.log.end) return;
  state.effects.push({ type: "donate", to: needer, turn, ballot, have, through: reach });
}

/**
 * A whole transfer is here: check that it ends where it must before anything is touched, then switch to it and take
 * what was delivered meanwhile. One that does not fit is thrown away; the old claims stand until then.
 */
export function transferred(state: CoreState, transfer: Transfer): void {
  const { view, joining } = state;
  if (view === undefined || joining === undefined) return;
  if (!transferFits(state, view, joining, transfer)) return retryTransfer(state, joining.restart ?? "it did not lead to the group's log");
  const { from, entries, mode } = transfer;
  if (mode === "snapshot") adoptSnapshot(state, transfer);
  else cutAfter(state, from.position);
  for (const { ballot, record } of entries) appendEntry(state, ballot, record);
  state.ballot = view.ballot;
  state.tookBallot = true;
  state.lineage = true;
  state.replaceState = false;
  state.holed = false;
  state.verified = Math.max(joining.reach.position, from.position);
  state.joining = undefined;
  takeHeld(state, joining, from.position);
  state.entering = true;
  enterIfDurable(state);
}

function transferFits(state: CoreState, view: View, joining: Joining, transfer: Transfer): boolean {
  const { from, entries, mode } = transfer;
  if (from.position < state.committed) return false;
  if (mode === "incremental" && state.log.hashAt(from.position) !== from.hash) return false;
  let { position, hash } = from;
  for (const { ballot, record } of entries) {
    hash = chainHash(hash, ballot, record.bytes);
    position++;
  }
  if (position < joining.reach.position) return false;
  // Past the point to reach: what was delivered here since must lead to it.
  if (position > joining.reach.position && entries.length > 0) return false;
  const expected = pointAfterHeld(joining, view.ballot, position);
  return expected.position === position && expected.hash === hash;
}

/** Keeps what is at or below an agreed point. */
function cutAfter(state: CoreState, position: number): void {
  invariant(state.committed <= position, "committed entries are never cut");
  state.log.truncateAfter(position);
  cutOnDisk(state, position);
  for (const pending of state.pending) if (pending.position !== undefined && pending.position > position) pending.position = undefined;
}

/**
 * Own pending entries at or below what the snapshot applied have lost their result, and are not sent again. The others
 * are certainly not in it, so the usual rule holds for them: in the log after it, or sent again.
 */
function adoptSnapshot(state: CoreState, { from, lastAppliedN }: Transfer): void {
  state.effects.push({ type: "adoptState", position: from.position });
  state.log.reset(from);
  adoptOnDisk(state, from);
  state.committed = from.position;
  state.verified = from.position;
  const lost = state.pending.filter((entry) => entry.record.n <= lastAppliedN).map((entry) => entry.record.n);
  state.pending = state.pending.filter((entry) => entry.record.n > lastAppliedN);
  for (const pending of state.pending) pending.position = undefined;
  if (lost.length > 0) state.effects.push({ type: "outcomesLost", n: lost });
}

/** Batches and Acks delivered since the point that was reached; those that the snapshot covers already only claim. */
function takeHeld(state: CoreState, joining: Joining, snapshotPosition: number): void {
  let { position } = joining.reach;
  for (const { slot, message } of joining.held) {
    if (message.type === "batch" && ++position > snapshotPosition) batchReceived(state, slot, message);
    else ackReceived(state, slot, message);
  }
}
