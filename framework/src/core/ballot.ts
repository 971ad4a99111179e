/**
 * Ballots: which agreed view an entry was multicast in, and which of two histories is the later one.
 *
 * Totem's ring sequence only grows along any node's history, so two rings that share a member are ordered as that
 * member saw them. `k` tells apart the primary views of one ring, `attempt` the exchanges of one configuration;
 * `era` grows only when ring sequences had to start again (Corosync's state directory was wiped), and by a whole block when
 * an operator started the group anew from one replica's state, or restored it: then histories part for good.
 */
import { invariant } from "../errors.js";
import type { RingId } from "../transport/group-transport.js";

export interface Ballot {
  readonly era: number;
  readonly ringSeq: bigint;
  readonly ringNode: number;
  readonly k: number;
  readonly attempt: number;
}

/** Below every ballot of a view: the ballot of a replica that never took one. */
export const zeroBallot: Ballot = { era: 0, ringSeq: 0n, ringNode: 0, k: 0, attempt: 0 };

/** Negative, zero or positive, as a comes before, equals or comes after b. Left to right. */
export function compareBallots(a: Ballot, b: Ballot): number {
  if (a.era !== b.era) return a.era - b.era;
  if (a.ringSeq !== b.ringSeq) return a.ringSeq < b.ringSeq ? -1 : 1;
  if (a.ringNode !== b.ringNode) return a.ringNode - b.ringNode;
  if (a.k !== b.k) return a.k - b.k;
  return a.attempt - b.attempt;
}

export function equalBallots(a: Ballot, b: Ballot): boolean {
  return a === b || compareBallots(a, b) === 0;
}

export function highestBallot(ballots: Iterable<Ballot>): Ballot {
  let highest = zeroBallot;
  for (const ballot of ballots) if (compareBallots(ballot, highest) > 0) highest = ballot;
  return highest;
}

const erasPerStart = 256;

/** Which start of the group a ballot belongs to: logs of different starts are never joined. */
export function startOf({ era }: Ballot): number {
  return Math.floor(era / erasPerStart);
}

/**
 * The ballot of the entry that a new start begins with, above all others of the log that it follows. New starts from the same
 * place are the same start, and the highest slot's log is taken; from different places they are different ones (of 65 536, so nearly always).
 * @param hash the chain hash of what the new start begins after
 */
export function newStart(above: Ballot, slot: number, hash: string): Ballot {
  const era = (startOf(above) + 1 + Number.parseInt(hash.slice(0, 4), 16)) * erasPerStart;
  invariant(era <= 0xffff_ffff, "the eras last for hundreds of new starts");
  return { era, ringSeq: 0n, ringNode: slot, k: 0, attempt: 0 };
}

/** A new start that has seen no view yet: views count `k` from 1. */
export function isUnused(ballot: Ballot): boolean {
  return ballot.era > 0 && ballot.k === 0;
}

export function formatBallot(b: Ballot): string {
  return `${b.era}.${b.ringSeq}.${b.ringNode}.${b.k}.${b.attempt}`;
}

export function formatRing(ring: RingId): string {
  return `${ring.nodeId}.${ring.seq.toString(16)}`;
}

export function equalRings(a: RingId, b: RingId): boolean {
  return a.seq === b.seq && a.nodeId === b.nodeId;
}
