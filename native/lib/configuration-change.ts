/** Who is in a group, who left and who came, out of the addon's words: three an address. */

export interface CpgAddress {
  readonly nodeId: number;
  readonly pid: number;
}

export type CpgReason = "undefined" | "join" | "leave" | "nodedown" | "nodeup" | "procdown";
/** cpg_reason_t */
export const reasons: readonly CpgReason[] = ["undefined", "join", "leave", "nodedown", "nodeup", "procdown"];

export interface CpgChangedAddress extends CpgAddress {
  readonly reason: CpgReason;
}

export interface CpgConfigurationChange {
  readonly members: readonly CpgAddress[];
  readonly left: readonly CpgChangedAddress[];
  readonly joined: readonly CpgChangedAddress[];
}

export function toAddresses(words: Uint32Array, from: number, to: number): CpgChangedAddress[] {
  const addresses: CpgChangedAddress[] = [];
  for (let i = from; i < to; i += 1) {
    addresses.push({ nodeId: words[3 * i] ?? 0, pid: words[3 * i + 1] ?? 0, reason: reasons[words[3 * i + 2] ?? 0] ?? "undefined" });
  }
  return addresses;
}

/** `words`: members, then who left, then who joined. */
export function toChange(words: Uint32Array, memberCount: number, leftCount: number): CpgConfigurationChange {
  return {
    members: toAddresses(words, 0, memberCount).map(({ nodeId, pid }) => ({ nodeId, pid })),
    left: toAddresses(words, memberCount, memberCount + leftCount),
    joined: toAddresses(words, memberCount + leftCount, words.length / 3),
  };
}
