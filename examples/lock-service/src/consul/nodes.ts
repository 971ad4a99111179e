/** The replicas of the group, as Consul's interface names them. */
import { createHash } from "node:crypto";
import type { Service } from "../server/service.js";

export interface Node {
  readonly slot: number;
  readonly name: string;
  /** A UUID that stays the same. */
  readonly id: string;
}

export function ownNode({ replica }: Service): Node {
  const { group, slot } = replica.inspect();
  return nodeOf(group, slot);
}

/** Those that are in the group at present. */
export function presentNodes({ replica }: Service): readonly Node[] {
  const { group, members } = replica.inspect();
  return members.map(({ slot }) => nodeOf(group, slot));
}

function nodeOf(group: string, slot: number): Node {
  const hash = createHash("sha256").update(JSON.stringify([group, slot])).digest("hex");
  return { slot, name: `lockstep-${slot}`, id: `${hash.slice(0, 8)}-${hash.slice(8, 12)}-${hash.slice(12, 16)}-${hash.slice(16, 20)}-${hash.slice(20, 32)}` };
}
