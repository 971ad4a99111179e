/** From a store back into the state that its log begins with. What follows that is the core's business. */
import type { Applier } from "../apply/types.js";
import { LockstepError, isLockstepError } from "../errors.js";
import type { Recovered } from "./store.js";

/** @throws LockstepError STORE_DAMAGED, STORE_FOREIGN if the snapshot is not of this machine. */
export function restoreState(applier: Applier<unknown>, { snapshot, base }: Recovered): void {
  if (snapshot === undefined) return;
  const sink = applier.receive();
  try {
    for (const slice of snapshot) sink.write(slice);
    applier.restore(sink.finish());
  } catch (error) {
    if (!isLockstepError(error, "MALFORMED_MESSAGE")) throw error;
    throw new LockstepError("STORE_FOREIGN", `the stored state of position ${base.position} cannot be read by this machine: ${error.message}. Start the version that wrote it, or move the directory away: the replica then takes the state from the others`, { cause: error });
  }
}
