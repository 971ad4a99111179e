/** How a handler refuses a command: no change, and the same answer on every replica. */
import { LockstepError } from "../errors.js";

/** What the submitter finds in the `details` of a LockstepError with code REJECTED. */
export interface Rejection {
  /** The machine's own code, as given to reject(). */
  readonly code: string;
  /** Plain data, as given to reject(). */
  readonly details?: unknown;
}

/**
 * Made to be thrown: `throw reject("lock-held", { by: owner })`.
 * @param code The application's own, for programs to tell refusals apart.
 * @param details Plain data for the submitter.
 */
export function reject(code: string, details?: unknown): LockstepError {
  const rejection: Rejection = details === undefined ? { code } : { code, details };
  return withoutStack(() => new LockstepError("REJECTED", `The command was rejected: ${code}`, { details: rejection }));
}

/** Nobody sees it, and to make it costs more than the rest of the command, on every replica. */
function withoutStack<T>(make: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** The machine's own code and details of a rejection; undefined for any other error. */
export function rejectionOf(error: unknown): Rejection | undefined {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "REJECTED" || !("details" in error)) return undefined;
  const details = error.details;
  return typeof details === "object" && details !== null && "code" in details && typeof details.code === "string" ? (details as Rejection) : undefined;
}
