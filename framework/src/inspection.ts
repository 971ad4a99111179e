/** What operators see of a core. */
import { formatBallot, formatRing } from "./core/ballot.js";
import type { Persistence } from "./log/persistence.js";
import type { CoreState } from "./core/state.js";
import type { Inspection } from "./replica-api.js";

/** undefined: before this replica was a member for the first time. */
export function inspectCore(core: CoreState | undefined): Pick<Inspection, "slot" | "incarnation" | "members" | "activeSlots" | "ballot" | "ring" | "lineage"> {
  return {
    slot: core?.config.slot ?? 0,
    incarnation: core?.config.incarnation ?? "",
    members: core?.view?.members ?? [],
    activeSlots: Array.from(core?.acks.keys() ?? []).sort((a, b) => a - b),
    ballot: core === undefined ? "" : formatBallot(core.ballot),
    ring: core?.ring === undefined ? undefined : formatRing(core.ring),
    lineage: core?.lineage ?? false,
  };
}

export function positionsOf(core: CoreState | undefined): Omit<Inspection["positions"], "applied"> {
  return { base: core?.log.base ?? 0, committed: core?.committed ?? 0, verified: core?.verified ?? 0, end: core?.log.end ?? 0 };
}

/** undefined: in memory only. */
export function diskOf(core: CoreState | undefined, { trouble, snapshotTrouble }: Partial<Pick<Persistence, "trouble" | "snapshotTrouble">> = {}): Inspection["disk"] {
  return core?.disk === undefined ? undefined : { base: core.disk.flushed.base, end: core.disk.flushed.end, trouble, snapshotTrouble };
}
