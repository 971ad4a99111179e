/** Normal operation in an installed primary view: append, verify, acknowledge, commit. */
import { invariant } from "../errors.js";
import { chainHash } from "../log/chain-hash.js";
import { endOf, memoryOf, type EntryRecord, type LogPoint } from "../log/log.js";
import { equalBallots, type Ballot } from "./ballot.js";
import { acknowledgementHeard, committedFurther } from "./continuity.js";
import { ballotIsDurable, durableEnd } from "./disk.js";
import type { AckMessage, BatchMessage, Claim } from "./messages.js";
import { quorumOfRing, type CoreState, type Joining } from "./state.js";

/** The replica may hand over another entry. */
export function canPropose(state: CoreState): boolean {
  return state.phase === "active" && !state.holed;
}

/** What is delivered in the view belongs to the log. */
function canAppend({ view, promising, joining, holed }: CoreState): boolean {
  return view !== undefined && promising === undefined && joining === undefined && !holed;
}

/** Own entries multicast and not yet come back. */
export function inFlight(state: CoreState): number {
  let count = 0;
  for (const entry of state.pending) if (entry.position === undefined) count++;
  return count;
}

export function propose(state: CoreState, record: EntryRecord): void {
  invariant(canPropose(state), "entries are proposed by active members only");
  invariant((state.pending.at(-1)?.record.n ?? 0) < record.n, "own entries are numbered in ascending order");
  state.pending.push({ record, position: undefined, awaited: true });
  sendBatch(state, record);
}

export function sendBatch(state: CoreState, record: EntryRecord): void {
  state.effects.push({ type: "multicast", message: { type: "batch", ...announce(state), record } });
}

export function multicastAck(state: CoreState): void {
  state.effects.push({ type: "multicast", message: { type: "ack", ...announce(state) } });
}

/**
 * After a dispatch: one acknowledgement for all that it delivered, at once if somebody's commit waits for it. What nobody
 * waits for goes with the next batch, or alone after a while: of three answers to every batch one is enough.
 */
export function acknowledge(state: CoreState): void {
  if (!somethingToAnnounce(state)) return;
  if (isAwaited(state)) multicastAck(state);
  else state.effects.push({ type: "acknowledgeLater" });
}

/** A sender waits for what this replica can acknowledge now; or for an entry to be verified, which no claim has done so far and its own may. */
function isAwaited(state: CoreState): boolean {
  const { awaited, announced, verified } = state;
  const [first, last] = [awaited[0], awaited.at(-1)];
  if (first === undefined || last === undefined) return false;
  return first <= durableEnd(state) || last > Math.max(announced.position, verified);
}

/** The while is over. */
export function acknowledgeNow(state: CoreState): void {
  if (somethingToAnnounce(state)) multicastAck(state);
}

function somethingToAnnounce(state: CoreState): boolean {
  return canPropose(state) && (state.announced.position !== state.log.end || state.announced.ack !== durableEnd(state));
}

/**
 * A batch's sender counts itself and the first slots after it, around the circle of the active ones, until its quorum is
 * full: those answer at once. The others' answers are for when one of these is dead or slow.
 */
function isAwaitedBy(state: CoreState, origin: number): boolean {
  const { slot, slots, policy } = state.config;
  const answers = policy.promptAnswers(slots.length);
  if (answers === "all") return true;
  if (slot === origin) return false;
  const distance = (to: number): number => (to > origin ? to - origin : to - origin + 2 ** 32);
  let nearer = 0;
  for (const other of state.acks.keys()) if (other !== origin && distance(other) < distance(slot)) nearer++;
  return nearer < answers;
}

function announce(state: CoreState): Claim {
  const { view, log } = state;
  invariant(view !== undefined && canPropose(state), "only active members claim positions");
  const point = endOf(log);
  const ack = durableEnd(state);
  state.announced = { position: point.position, ack };
  // What is announced and not yet written is acknowledged when it is, as promptly.
  if ((state.awaited[0] ?? Number.POSITIVE_INFINITY) <= ack) state.awaited = state.awaited.filter((position) => position > ack);
  state.acknowledged = Math.max(state.acknowledged, ack);
  return { ballot: view.ballot, point, ack };
}

export function batchReceived(state: CoreState, slot: number, message: BatchMessage): void {
  const { view } = state;
  // Of another ballot: not an entry. Its sender sees the same, and sends it again under the ballot that it takes.
  if (view === undefined) return verifyBetweenViews(state, message);
  if (!equalBallots(message.ballot, view.ballot)) return;
  if (state.joining !== undefined) return hold(state.joining, view.ballot, slot, message, state);
  claimReceived(state, slot, message);
  if (!canAppend(state)) return;
  appendEntry(state, view.ballot, message.record);
  if (isAwaitedBy(state, slot)) state.awaited.push(state.log.end);
}

export function ackReceived(state: CoreState, slot: number, message: Claim): void {
  const { view } = state;
  if (view === undefined) return verifyBetweenViews(state, message);
  if (!equalBallots(message.ballot, view.ballot)) return;
  if (state.joining !== undefined) {
    hold(state.joining, view.ballot, slot, { type: "ack", ballot: message.ballot, point: message.point, ack: message.ack }, state);
    return;
  }
  claimReceived(state, slot, message);
}

/**
 * Between two views of one ring, claims of the ended view are still delivered, and still verify: who stepped over the
 * event that ended it (a hole) goes on committing by them.
 */
function verifyBetweenViews(state: CoreState, { ballot, point }: Claim): void {
  if (state.ringPending || !isOfRing(state, ballot) || !equalBallots(ballot, state.ballot)) return;
  if (point.position > state.verified && state.log.hashAt(point.position) === point.hash) state.verified = point.position;
}

/** The ballot was taken in the ring that this replica is in. */
export function isOfRing({ ring }: CoreState, ballot: Ballot): boolean {
  return ring !== undefined && ballot.ringSeq === ring.seq && ballot.ringNode === ring.nodeId;
}

export function appendEntry(state: CoreState, ballot: Ballot, record: EntryRecord): void {
  state.log.append(ballot, record);
  if (record.incarnation !== state.config.incarnation) return;
  for (const pending of state.pending) {
    if (pending.record.n !== record.n) continue;
    pending.position = state.log.end;
    break;
  }
}

/**
 * A sender's log up to its claimed point is hole-free: it was put on this ring by a daemon that had delivered it, and
 * holes are only stepped over while the next ring is installed. Equal hashes make ours hole-free up to there as well.
 */
function claimReceived(state: CoreState, slot: number, claim: Claim): void {
  const { position, hash } = claim.point;
  if (position < state.log.base || claim.ack > position) return;
  if (state.log.hashAt(position) !== hash) {
    // Either side has a hole. What is held and verified stands; nothing more is appended until the next configuration.
    state.holed = true;
    return;
  }
  if (position > state.verified) state.verified = position;
  acknowledgementHeard(state, slot);
  const others = recordAck(state, slot, claim.ack);
  if (others) advanceCommit(state);
  acknowledgeOwn(state);
}

/** What is verified here, and written if it must be, is claimed in every later exchange: as good as an own acknowledgement that has come back. */
export function acknowledgeOwn(state: CoreState): void {
  // A member that synchronises still has its old ballot.
  const taken = state.view !== undefined && equalBallots(state.ballot, state.view.ballot) && ballotIsDurable(state);
  if (!taken) return;
  if (recordAck(state, state.config.slot, Math.min(state.verified, durableEnd(state)))) advanceCommit(state);
}

/** True if it tells something new. */
function recordAck(state: CoreState, slot: number, position: number): boolean {
  if (position <= (state.acks.get(slot) ?? -1)) return false;
  if (state.disk !== undefined && !state.known.includes(slot)) state.known = [...state.known, slot].sort((a, b) => a - b);
  state.acks.set(slot, position);
  return true;
}

export function advanceCommit(state: CoreState): void {
  const { view, config } = state;
  if (view === undefined) return;
  const quorum = config.policy.needsVotes ? quorumOfRing(state) : undefined;
  const position = config.policy.committed({ slots: config.slots, acks: state.acks, holders: view.holders, quorum });
  if (position <= state.committed) return;
  invariant(position <= state.verified, "what is committed was acknowledged with a matching hash, and so verified");
  invariant(position >= view.target.position, "acknowledgements of this ballot are at or above its target");
  state.committed = position;
  state.lastCommitMs = state.nowMs;
  state.rejoin.backoffMs = 0;
  let done = 0;
  while (done < state.pending.length && (state.pending[done]?.position ?? Number.POSITIVE_INFINITY) <= position) done++;
  if (done > 0) state.pending = state.pending.slice(done);
  committedFurther(state);
  state.effects.push({ type: "committed", through: position });
}

/** Kept by a synchronising member until it has the target. */
function hold(joining: Joining, ballot: Ballot, slot: number, message: BatchMessage | AckMessage, state: CoreState): void {
  joining.held.push({ slot, message });
  if (message.type !== "batch") return;
  joining.heldBytes += memoryOf(message.record);
  if (joining.heldBytes <= state.config.heldBytes) return;
  // Too much to keep: what is held now becomes part of what the next transfer must reach.
  joining.reach = pointAfterHeld(joining, ballot, Number.POSITIVE_INFINITY);
  joining.held = [];
  joining.heldBytes = 0;
  joining.restart = `more than ${state.config.heldBytes} bytes of new entries came meanwhile (limits.heldBytes)`;
}

/** The point that the held batches lead to, going no further than `through`. */
export function pointAfterHeld(joining: Joining, ballot: Ballot, through: number): LogPoint {
  let { position, hash } = joining.reach;
  for (const { message } of joining.held) {
    if (position >= through) break;
    if (message.type !== "batch") continue;
    hash = chainHash(hash, ballot, message.record.bytes);
    position++;
  }
  return { position, hash };
}
