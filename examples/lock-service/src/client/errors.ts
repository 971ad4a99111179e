/** What goes wrong, by class and by code. Codes are the service's (GET /v1/openapi.json names them), and those that only a client has. */
import type { DeadlockLink } from "../machine/inputs.js";

/** Any answer of the service that is not what was asked for. */
export class LockServiceError extends Error {
  /** Stable, for programs. */
  readonly code: string;
  /** Of HTTP; undefined if there was no answer. */
  readonly status: number | undefined;
  /** By code; see the OpenAPI document. */
  readonly details: unknown;

  constructor(code: string, message: string, options: { readonly status?: number | undefined; readonly details?: unknown; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.status = options.status;
    this.details = options.details;
  }
}

/** HELD: not free, and the request was not to wait. */
export class LockHeldError extends LockServiceError {}
/** LOCK_DELAY: its last holder's session ended without a release, its lock delay has not, and the request was not to wait. */
export class LockDelayError extends LockServiceError {}
/** WAIT_TIMEOUT: waitMs has passed. */
export class WaitTimeoutError extends LockServiceError {}
/** SESSION_OVER: the session has ended, and all that it held was given back. */
export class SessionOverError extends LockServiceError {}
/** STALE_TOKEN: of no present grant; or lower than one that a guarded resource has seen. */
export class StaleTokenError extends LockServiceError {}
/** UNAUTHENTICATED or FORBIDDEN. */
export class PermissionDeniedError extends LockServiceError {}
/** NO_QUORUM, NOT_READY and the like, or nobody answered the connection: certainly not done. Tried at all endpoints, for the client's patience. */
export class UnavailableError extends LockServiceError {}
/** OUTCOME_UNKNOWN: it was sent, and nobody could say what became of it. */
export class OutcomeUnknownError extends LockServiceError {}
/** EVENTS_TRIMMED: some of the events asked for are not held any more, or the service has begun anew and has not come so far yet. Read the state, and go on from its revision. */
export class EventsTrimmedError extends LockServiceError {}

/** DEADLOCK: waiting would have closed a circle. */
export class DeadlockError extends LockServiceError {
  /** Each waits for the next, the last for the first. */
  get cycle(): readonly DeadlockLink[] {
    return (this.details as { readonly cycle?: readonly DeadlockLink[] } | undefined)?.cycle ?? [];
  }
}

/**
 * LOCK_LOST: the reason with which a grant's signal is aborted. The lease could not be renewed in time, the session has ended, or an operator
 * has taken the lock. Another may hold it now: nothing more may be done under this grant.
 */
export class LockLostError extends LockServiceError {
  constructor(why: string, cause?: unknown) {
    super("LOCK_LOST", `The lock is lost: ${why}`, { cause });
  }
}

type ErrorClass = new (code: string, message: string, options: { readonly status?: number | undefined; readonly details?: unknown; readonly cause?: unknown }) => LockServiceError;

const classes: Readonly<Record<string, ErrorClass>> = {
  HELD: LockHeldError,
  LOCK_DELAY: LockDelayError,
  WAIT_TIMEOUT: WaitTimeoutError,
  SESSION_OVER: SessionOverError,
  STALE_TOKEN: StaleTokenError,
  DEADLOCK: DeadlockError,
  UNAUTHENTICATED: PermissionDeniedError,
  FORBIDDEN: PermissionDeniedError,
  OUTCOME_UNKNOWN: OutcomeUnknownError,
  EVENTS_TRIMMED: EventsTrimmedError,
};

/** What an answer with an error status means. */
export function errorOfAnswer(status: number, body: unknown): LockServiceError {
  const { code, message, details } = errorIn(body) ?? { code: `HTTP_${status}`, message: `the service answered with status ${status}`, details: undefined };
  const known = classes[code] ?? (status === 503 ? UnavailableError : LockServiceError);
  return new known(code, message, { status, details });
}

function errorIn(body: unknown): { readonly code: string; readonly message: string; readonly details?: unknown } | undefined {
  if (typeof body !== "object" || body === null || !("error" in body)) return undefined;
  const { error } = body;
  if (typeof error !== "object" || error === null || !("code" in error) || typeof error.code !== "string") return undefined;
  return { code: error.code, message: "message" in error && typeof error.message === "string" ? error.message : error.code, details: "details" in error ? error.details : undefined };
}
