/**
 * From a store back into the state that its log begins with, and the log. What follows that is the core's business. Reading gigabytes
 * takes a while: now and then the process does what else it has to do.
 */
import type { Applier } from "../apply/types.js";
import type { Clock } from "../apply/cluster-clock.js";
import { LockstepError, isLockstepError } from "../errors.js";
import type { Limits } from "../limits.js";
import type { Scheduler } from "../scheduler.js";
import type { Recovered, StoredEntry } from "./store.js";

export interface RecoveryParts {
  readonly applier: Applier<unknown>;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly limits: Pick<Limits, "applySliceMs">;
}

/**
 * Restores the state, and returns the log with all its entries: what is damaged is refused whole, before anybody hears of this replica.
 * @throws LockstepError STORE_DAMAGED, STORE_FOREIGN if the snapshot is not of this machine.
 */
export async function recoverWhole(recovered: Recovered, parts: RecoveryParts): Promise<Recovered> {
  const slices = new Slices(parts);
  const { snapshot, base } = recovered;
  try {
    if (snapshot !== undefined) await restoreState(snapshot, parts.applier, slices);
  } catch (error) {
    if (!isLockstepError(error, "MALFORMED_MESSAGE")) throw error;
    throw new LockstepError("STORE_FOREIGN", `the stored state of position ${base.position} cannot be read by this machine: ${error.message}. Start the version that wrote it, or move the directory away: the replica then takes the state from the others`, { cause: error });
  }
  const entries: StoredEntry[] = [];
  for (const entry of recovered.entries) {
    entries.push(entry);
    if (slices.isOver) await slices.next();
  }
  return { ...recovered, entries };
}

async function restoreState(snapshot: Iterable<Uint8Array>, applier: Applier<unknown>, slices: Slices): Promise<void> {
  const sink = applier.receive();
  for (const slice of snapshot) {
    sink.write(slice);
    if (slices.isOver) await slices.next();
  }
  applier.restore(sink.finish());
}

/** Of the event loop's time. */
class Slices {
  readonly #parts: RecoveryParts;
  #begunMs: number;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
    this.#begunMs = parts.clock.monotonicMs();
  }

  get isOver(): boolean {
    return this.#parts.clock.monotonicMs() - this.#begunMs >= this.#parts.limits.applySliceMs;
  }

  async next(): Promise<void> {
    await new Promise<void>((resolve) => { this.#parts.scheduler.soon(resolve); });
    this.#begunMs = this.#parts.clock.monotonicMs();
  }
}
