/**
 * Whether the group can have gone on without this replica by a vote that remembers nothing: a quorum device's, or that of one of two nodes. Such
 * a vote was the other side's a moment ago, and says nothing of what was committed with it. So it decides only for members that know
 * that nobody else can have had it since they last counted in a primary view: votequorum has not said meanwhile that they are without quorum.
 */
import type { RingId } from "../transport/group-transport.js";
import { quorumOfRing, type CoreState } from "./state.js";

/** From here on nothing is committed without this replica, until it is excluded or its partition is no longer quorate. */
export function countsFromHere(state: CoreState): void {
  state.unbroken = !quorumIsLost(state);
}

/** The view that was decided can commit without this replica. */
export function countsNoMore(state: CoreState): void {
  state.unbroken = false;
}

export function loseQuorum(state: CoreState, ring: RingId): void {
  state.quorumLostIn = ring;
  state.unbroken = false;
}

/** Votequorum's news may be ahead of the group's: of a ring that the group has yet to hear of. */
function quorumIsLost(state: CoreState): boolean {
  const { ring, quorumLostIn: lost } = state;
  if (ring === undefined || lost === undefined || lost.seq < ring.seq) return false;
  return lost.seq > ring.seq || quorumOfRing(state)?.quorate !== true;
}
