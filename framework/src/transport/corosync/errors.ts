/** Corosync's errors in the framework's words. The advice is in Corosync's message and stays. */
import { isCorosyncError } from "@lockstep/corosync";
import { LockstepError } from "../../errors.js";

/** For join() and configuredNodes(): a CorosyncError as LockstepError, anything else as it is. */
export function toLockstepError(error: unknown): unknown {
  if (!isCorosyncError(error)) return error;
  switch (error.code) {
    case "EXIST":
      return new LockstepError("SLOT_TAKEN", `This process is already in the group. ${error.message}`, { cause: error });
    case "BAD_HANDLE":
      return new LockstepError("TRANSPORT_CLOSED", "The transport was closed before it had joined. Make a new one with corosync().", { cause: error });
    case "NAME_TOO_LONG":
    case "INVALID_PARAM":
      return new LockstepError("CONFIGURATION_INVALID", error.message, { cause: error });
    default:
      return new LockstepError("COROSYNC_UNAVAILABLE", error.message, { cause: error });
  }
}

/** For a member that has lost its group. */
export function lostGroup(cause: Error): LockstepError {
  return new LockstepError("TRANSPORT_CLOSED", `This member is out of its group. ${cause.message}`, { cause });
}
