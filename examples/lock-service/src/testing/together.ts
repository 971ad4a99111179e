/** Who may hold a lock together, for those who check it: written down once more, from the table in the documentation. */
import type { Want } from "../machine/inputs.js";
import type { LockMode } from "../machine/modes.js";

const partners: Readonly<Record<LockMode, string>> = { NL: "NL CR CW PR PW EX", CR: "NL CR CW PR PW", CW: "NL CR CW", PR: "NL CR PR", PW: "NL CR", EX: "NL" };

export function modesGoTogether(a: LockMode, b: LockMode): boolean {
  return partners[a].split(" ").includes(b);
}

/** All of one lock. */
export function goTogether(wants: readonly Want[]): boolean {
  const permits = wants.reduce((sum, want) => sum + ("permits" in want ? want.permits : 0), 0);
  const limit = Math.min(...wants.map((want) => ("limit" in want ? want.limit : Number.POSITIVE_INFINITY)));
  if (permits > limit) return false;
  return wants.every((a, at) => wants.slice(at + 1).every((b) => !("mode" in a) || !("mode" in b) || modesGoTogether(a.mode, b.mode)));
}
