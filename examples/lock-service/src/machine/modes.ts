/**
 * The six modes of the classic distributed lock manager, and which of them go together. "shared" and "exclusive", as people
 * usually call them, are PR and EX.
 *
 * NL null: a place only · CR concurrent read · CW concurrent write · PR protected read · PW protected write · EX exclusive
 */
export const lockModes = ["NL", "CR", "CW", "PR", "PW", "EX"] as const;
export type LockMode = (typeof lockModes)[number];

/** By the mode held: the modes that others may hold beside it. Symmetric. */
const compatibleModes: Readonly<Record<LockMode, readonly LockMode[]>> = {
  NL: ["NL", "CR", "CW", "PR", "PW", "EX"],
  CR: ["NL", "CR", "CW", "PR", "PW"],
  CW: ["NL", "CR", "CW"],
  PR: ["NL", "CR", "PR"],
  PW: ["NL", "CR"],
  EX: ["NL"],
};

export function compatible(held: LockMode, wanted: LockMode): boolean {
  return compatibleModes[held].includes(wanted);
}

/** Modes in which the value block may be written. */
export function mayWriteValue(mode: LockMode): boolean {
  return mode === "PW" || mode === "EX";
}
