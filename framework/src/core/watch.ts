/** What happens when nothing does: the watchdogs, driven by ticks. */
import { equalBallots } from "./ballot.js";
import { needsEntry } from "./continuity.js";
import { askRejoin, askRejoinLater, attemptKey, multicastState, staysSilent } from "./exchange.js";
import { retryTransfer } from "./install.js";
import type { ChunkMessage } from "./messages.js";
import { acknowledgeNow, canPropose } from "./replicate.js";
import { silentForMs } from "./silence.js";
import { addressKey, quorumOfRing, type CoreState, type Joining } from "./state.js";

/** How far the wait before asking back in may grow: an excluded member that is slow for good must not stall the group for ever. */
const maxRejoinBackoffMs = 30_000;

export function ticked(state: CoreState, nowMs: number): void {
  state.nowMs = nowMs;
  watchExchange(state);
  watchExclusion(state);
  watchTransfer(state);
  watchCommits(state);
  acknowledgeNow(state);
  if (needsEntry(state) && canPropose(state)) state.effects.push({ type: "proposeEntry" });
}

function watchExchange(state: CoreState): void {
  const { exchange, self, config, nowMs } = state;
  if (exchange === undefined || exchange.decided || !exchange.takesPart || self === undefined) return;
  // Better a State without votes, which makes no primary view, than being excluded for waiting for them.
  if (!exchange.reported && silentForMs(state, self) > config.silenceTimeoutMs / 2) multicastState(state, "withoutVotes");
  if (exchange.excludeAskedMs !== undefined && nowMs - exchange.excludeAskedMs <= config.silenceTimeoutMs) return;
  const silent = exchange.members.filter((member) => !exchange.reports.has(addressKey(member)) && silentForMs(state, member) > config.silenceTimeoutMs);
  if (silent.length === 0) return;
  exchange.excludeAskedMs = nowMs;
  state.effects.push({ type: "multicast", message: { type: "exclude", attempt: attemptKey(state), silent } });
}

function watchExclusion(state: CoreState): void {
  if (state.rejoin.atMs === undefined || state.nowMs < state.rejoin.atMs || isExcludedAndSilent(state)) return;
  state.rejoin.atMs = undefined;
  state.rejoin.backoffMs = Math.min(maxRejoinBackoffMs, Math.max(250, state.rejoin.backoffMs * 2));
  askRejoin(state, `slot ${state.config.slot} asks to be taken back`);
  // Asked again should this be lost with a ring; forgotten as soon as an exchange begins.
  if (state.self !== undefined && state.excluded.has(addressKey(state.self))) askRejoinLater(state);
}

function isExcludedAndSilent(state: CoreState): boolean {
  return staysSilent(state) && state.self !== undefined && state.excluded.has(addressKey(state.self));
}

function watchTransfer(state: CoreState): void {
  const { joining, config, nowMs } = state;
  if (joining === undefined) return;
  if (joining.restart !== undefined) retryTransfer(state, joining.restart);
  else if (nowMs - joining.lastProgressMs > config.transferTimeoutMs) nextDonor(state, joining);
}

/** When every member that could give has been asked in vain (those that hold the log are frozen), the view must change. */
function nextDonor(state: CoreState, joining: Joining): void {
  joining.stalls++;
  if (joining.stalls >= (state.view?.members.length ?? 0) && state.rejoin.atMs === undefined) askRejoinLater(state);
  retryTransfer(state, `nothing of it came for ${state.config.transferTimeoutMs} ms (limits.transferTimeoutMs)`);
}

/**
 * A part of a transfer came by. Where too few hold the log for a commit, whoever is being brought up to date is what commits wait for:
 * to exchange states meanwhile would begin its transfer anew, and a long one would never end.
 */
export function chunkPassed(state: CoreState, { ballot }: ChunkMessage): void {
  if (state.view !== undefined && equalBallots(state.view.ballot, ballot) && !enoughAreActive(state)) state.lastCommitMs = state.nowMs;
}

/** Those that hold the log could commit, if they all answered. */
function enoughAreActive(state: CoreState): boolean {
  const { view, config, log, acks } = state;
  if (view === undefined) return false;
  const answers = new Map([...view.holders, ...acks.keys()].map((slot) => [slot, log.end]));
  const quorum = config.policy.needsVotes ? quorumOfRing(state) : undefined;
  return config.policy.committed({ slots: config.slots, acks: answers, holders: view.holders, quorum }) >= log.end;
}

/** A view that holds entries and cannot commit them (a frozen member is needed, a hole), or lacks promises, exchanges states again. */
function watchCommits(state: CoreState): void {
  if (state.phase !== "active" && state.promising === undefined) return;
  if (state.promising === undefined && !state.holed && state.log.end === state.committed) state.lastCommitMs = state.nowMs;
  if (state.nowMs - state.lastCommitMs <= 2 * state.config.silenceTimeoutMs) return;
  state.lastCommitMs = state.nowMs;
  if (state.rejoin.atMs === undefined) askRejoinLater(state);
}
