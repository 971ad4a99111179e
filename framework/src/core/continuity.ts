/**
 * Whether the group can have gone on without this replica by a vote that remembers nothing: a quorum device's, or that of one of two nodes. Such
 * a vote was perhaps the other side's a moment ago, and says nothing of what was committed with it. So it decides only for members that
 * know that nobody else can have had it: since they last counted in a view votequorum has not said that they are without quorum, or all who
 * counted with them are here again. Where the quorum shrinks the first is not enough: a daemon that stood still, and comes straight from one
 * quorate ring to another, was never without.
 */
import type { RingId } from "../transport/group-transport.js";
import type { QuorumReport } from "./messages.js";
import { quorumOfRing, type CoreState } from "./state.js";

/** A view is decided. Who holds its target counts from here on: nothing is committed without it, until it is excluded or its partition is not quorate. */
export function viewDecided(state: CoreState, holders: readonly number[]): void {
  state.unbroken = false;
  state.companions = [];
  state.heardAt = undefined;
  if (holders.includes(state.config.slot)) counts(state, holders);
}

/** From the delivery of a member's first acknowledgement on nothing is committed without it. */
export function acknowledgementHeard(state: CoreState, slot: number): void {
  if (slot === state.config.slot) state.heardAt ??= state.log.end;
  else if (state.companions.length > 0 && !state.companions.includes(slot)) state.companions = [...state.companions, slot];
}

/**
 * A member that was brought up to date knows that the others have heard it when they acknowledge something that was ordered behind its own
 * acknowledgement. Before, they may have stepped over that, and over what it counts with, while their ring ended.
 */
export function committedFurther(state: CoreState): void {
  const { view, heardAt, companions, committed } = state;
  if (view === undefined || heardAt === undefined || companions.length > 0 || committed <= heardAt) return;
  counts(state, [...new Set([...view.holders, ...state.acks.keys()])]);
}

function counts(state: CoreState, companions: readonly number[]): void {
  state.unbroken = !quorumIsLost(state);
  state.companions = companions;
  state.amongMost = true;
  state.countedQuorum = quorumOfRing(state)?.quorum ?? state.countedQuorum;
}

/** Everything is committed, and nothing has shown yet that this member was heard: an entry would. */
export function needsEntry({ config, view, heardAt, companions, committed, log }: CoreState): boolean {
  return config.policy.needsVotes && view !== undefined && heardAt !== undefined && companions.length === 0 && committed === log.end;
}

export function loseQuorum(state: CoreState, ring: RingId): void {
  state.quorumLostIn = ring;
  state.unbroken = false;
}

/** From one ring to the next. The nodes that this one no longer hears can have been quorate by themselves if they are half of the ring, or more. */
export function nodesChange(state: CoreState, nodes: readonly number[]): void {
  const stayed = nodes.filter((node) => state.ringNodes.has(node)).length;
  if (2 * stayed <= state.ringNodes.size) state.amongMost = false;
}

/** @param quorum Of the present ring. */
export function isUnbroken({ unbroken, amongMost }: CoreState, quorum: QuorumReport | undefined): boolean {
  return unbroken && (amongMost || quorum?.shrinks !== true);
}

/** Somebody has said meanwhile that fewer votes are enough (corosync-quorumtool -e): whoever went on before that may have none of those that are enough now. */
export function quorumToTell({ countedQuorum }: CoreState, quorum: QuorumReport): QuorumReport {
  return { ...quorum, shrinks: quorum.shrinks || quorum.quorum < countedQuorum };
}

/** Votequorum's news may be ahead of the group's: of a ring that the group has yet to hear of. */
function quorumIsLost(state: CoreState): boolean {
  const { ring, quorumLostIn: lost } = state;
  if (ring === undefined || lost === undefined || lost.seq < ring.seq) return false;
  return lost.seq > ring.seq || quorumOfRing(state)?.quorate !== true;
}
