/** Who the replicas are, as the Members entries of the log say: what changed, and which incarnations are over. */
import type { ReplicaIdentity } from "../log/entry.js";
import type { MembersChange } from "../machine/types.js";
import { seal } from "../machine/seal.js";
import type { LastApplied } from "./replicated.js";

/** The change from one list to the next; undefined if they name the same incarnations. */
export function changeOfMembers(before: readonly ReplicaIdentity[], members: readonly ReplicaIdentity[]): MembersChange | undefined {
  const left = without(before, members);
  const joined = without(members, before);
  if (left.length === 0 && joined.length === 0) return undefined;
  return seal({ members: members.map(copyOf), left, joined });
}

function without(these: readonly ReplicaIdentity[], others: readonly ReplicaIdentity[]): ReplicaIdentity[] {
  return these.filter(({ slot, incarnation }) => !others.some((other) => other.slot === slot && other.incarnation === incarnation)).map(copyOf);
}

function copyOf({ slot, incarnation }: ReplicaIdentity): ReplicaIdentity {
  return { slot, incarnation };
}

/** Drops the incarnations that a newer one of the same slot has taken the place of: none of their entries can come any more. */
export function pruneLastApplied(lastApplied: ReadonlyMap<string, LastApplied>, members: readonly ReplicaIdentity[]): ReadonlyMap<string, LastApplied> {
  const successors = new Map(members.map(({ slot, incarnation }) => [slot, incarnation]));
  return new Map([...lastApplied].filter(([incarnation, { slot }]) => (successors.get(slot) ?? incarnation) === incarnation));
}
