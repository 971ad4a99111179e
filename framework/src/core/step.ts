/**
 * The protocol core: one event in, effects out. No I/O, no clock, no timer, no randomness.
 *
 * The state belongs to the core: step() consumes the one it is given and returns it changed. Equal states and equal
 * events give equal effects, which is what simulations and transcripts rest on.
 */
import { LockstepError, invariant, isLockstepError } from "../errors.js";
import { configurationChanged, askRejoin, diskTroubleChanged, excludeReceived, quorumChanged, rejoinReceived, ringChanged, stateReceived } from "./exchange.js";
import { giveUpWriting, snapshotStored, writeDown, written, writtenThrough } from "./disk.js";
import type { CoreEvent, Effect } from "./events.js";
import { enterIfDurable, needSyncReceived, promiseReceived, retryTransfer, transferred } from "./install.js";
import type { Message } from "./messages.js";
import { stop, suspend } from "./phase.js";
import { sendPromise } from "./promise.js";
import { ackReceived, acknowledge, acknowledgeNow, acknowledgeOwn, advanceCommit, batchReceived, propose } from "./replicate.js";
import type { CoreState } from "./state.js";
import type { MemberAddress } from "../transport/group-transport.js";
import { chunkPassed, ticked } from "./watch.js";

export interface Step {
  readonly state: CoreState;
  readonly effects: readonly Effect[];
}

export function step(state: CoreState, event: CoreEvent): Step {
  state.effects = [];
  if (state.phase === "stopped") return { state, effects: state.effects };
  try {
    take(state, event);
    writeDown(state);
    assertInvariants(state);
  } catch (error) {
    stop(state, isLockstepError(error) ? error : new LockstepError("INVARIANT_VIOLATED", `the core failed on a ${event.type} event: ${String(error)}`, { cause: error }));
  }
  return { state, effects: state.effects };
}

function take(state: CoreState, event: CoreEvent): void {
  switch (event.type) {
    case "message": return messageReceived(state, event.sender, event.message);
    case "drained": return acknowledge(state);
    case "lateAcknowledgement": return acknowledgeNow(state);
    case "propose": return propose(state, event.record);
    case "tick": return ticked(state, event.nowMs);
    case "configuration": return configurationChanged(state, event.change);
    case "ring": return ringChanged(state, event.ring, event.nodes);
    case "quorum":
      quorumChanged(state, event.ring, event.report);
      return advanceCommit(state);
    case "abandon": return abandon(state, event.n);
    case "applied": return retain(state, event.position);
    case "transferred": return transferred(state, event.transfer);
    case "transferProgress":
      return transferProgressed(state);
    case "transferFailed": return retryTransfer(state, event.reason);
    case "persisted":
      if (written(state, event.token)) flushed(state);
      return;
    case "snapshotStored": return snapshotStored(state, event.point);
    case "diskTrouble": return diskTroubleChanged(state, event.failing);
    case "stateDiffers": return giveUpState(state, event.position);
    case "exchangeAgain": return askRejoin(state, event.reason);
    default: return event satisfies never;
  }
}

function messageReceived(state: CoreState, sender: MemberAddress, message: Message): void {
  switch (message.type) {
    case "batch": return batchReceived(state, sender.nodeId, message);
    case "ack": return ackReceived(state, sender.nodeId, message);
    case "state": return stateReceived(state, sender, message);
    case "exclude": return excludeReceived(state, message);
    case "rejoin": return rejoinReceived(state, sender, message);
    case "promise": return promiseReceived(state, sender.nodeId, message);
    case "needSync": return needSyncReceived(state, sender.nodeId, message);
    // Contents of a transfer, digests and the time are the replica's business; the core hears what came of them.
    case "chunk": return chunkPassed(state, message);
    case "digest":
    case "askTime":
    case "tellTime": return;
    default: return message satisfies never;
  }
}

/** What was written can be promised now, and acknowledged. */
function flushed(state: CoreState): void {
  sendPromise(state);
  enterIfDurable(state);
  acknowledgeOwn(state);
  acknowledge(state);
}

function transferProgressed({ joining, nowMs }: CoreState): void {
  if (joining === undefined) return;
  joining.lastProgressMs = nowMs;
  joining.stalls = 0;
}

function abandon(state: CoreState, n: number): void {
  for (const entry of state.pending) if (entry.record.n === n) entry.awaited = false;
}

function retain(state: CoreState, applied: number): void {
  const { log, config } = state;
  invariant(applied <= state.committed, "nothing uncommitted is applied");
  // While the disk takes a state that was taken over, as much may wait as while it came: a later one would take as long.
  const duringSnapshot = state.disk?.adopted !== undefined && !state.diskFails ? config.heldBytes : 0;
  if (log.bytes > config.logRetentionBytes + config.unwrittenBytes + duringSnapshot) giveUpWriting(state, applied);
  const droppable = Math.min(applied, writtenThrough(state));
  while (log.bytes > config.logRetentionBytes && log.base < droppable) log.dropThrough(log.base + 1);
}

/** The replicated state here is wrong though the log agrees: take the others', by way of a snapshot. */
function giveUpState(state: CoreState, position: number): void {
  state.lineage = false;
  state.replaceState = true;
  suspend(state, `the state at position ${position} differs from the group's`);
  askRejoin(state, `slot ${state.config.slot} found its state to differ at position ${position}`);
}

/** Both sides of every order between positions; on in production. */
function assertInvariants(state: CoreState): void {
  const { log, committed, verified } = state;
  if (log.base <= committed && committed <= verified && verified <= log.end) return;
  throw new LockstepError("INVARIANT_VIOLATED", `base ${log.base} ≤ committed ${committed} ≤ verified ${verified} ≤ end ${log.end} does not hold`);
}
