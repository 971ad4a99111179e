/** The whole public API. */
export { LockstepError, errorRegistry, isLockstepError } from "./errors.js";
export type { ErrorCode, Outcome } from "./errors.js";
export type * from "./transport/group-transport.js";
export type * from "./replica-api.js";
