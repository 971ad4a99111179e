/** What replicas under chaos have in common, whatever they replicate: they are started again as a supervisor would, and say how they are. */
import { setTimeout as sleep } from "node:timers/promises";
import { isLockstepError } from "@lockstep/framework";
import type { Inspection } from "@lockstep/framework";
import type { Status } from "./server.js";

const retryMs = 250;
/** The daemon is down, or another process of this node is in the group. */
const passing: ReadonlySet<string> = new Set(["COROSYNC_UNAVAILABLE", "SLOT_TAKEN", "TRANSPORT_CLOSED"]);

/**
 * @param live From opening to the end; resolves to what ended it, or rejects with it.
 * @returns why it cannot be started again.
 */
export async function supervise(live: () => Promise<unknown>): Promise<string> {
  for (;;) {
    const error = await live().catch((reason: unknown) => reason);
    if (!isLockstepError(error) || !passing.has(error.code)) return error instanceof Error ? error.message : `it stopped without an error: ${String(error)}`;
    await sleep(retryMs);
  }
}

/** @param inspection undefined: it is not open. */
export function statusOf(inspection: Inspection | undefined, pending: number, stopped: string | undefined): Status {
  return {
    role: inspection === undefined ? "opening" : [inspection.role, inspection.reason].filter(Boolean).join(": "),
    active: inspection?.role === "active",
    lineage: inspection?.lineage ?? false,
    incarnation: inspection?.incarnation ?? "",
    applied: inspection?.positions.applied ?? 0,
    base: inspection?.disk?.base,
    pending,
    stopped,
  };
}
