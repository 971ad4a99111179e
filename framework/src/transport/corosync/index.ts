/** Groups on Corosync: what of it is public. */
import type { GroupTransport } from "../group-transport.js";
import { completeOptions, type CorosyncOptions } from "./options.js";
import { CorosyncTransport } from "./transport.js";

export type { CorosyncOptions } from "./options.js";

/**
 * A transport over the Corosync daemon of this machine. Costs nothing, and fails nowhere but for wrong options, until it is used:
 * then its calls reject with COROSYNC_UNAVAILABLE, and what to do, where Corosync is not installed, not running or not accessible.
 * @throws LockstepError CONFIGURATION_INVALID
 */
export function corosync(options: CorosyncOptions = {}): GroupTransport {
  return new CorosyncTransport(completeOptions(options));
}
