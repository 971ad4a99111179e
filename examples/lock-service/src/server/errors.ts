/**
 * The one registry of the service's error codes: HTTP status, when, and whether the call may have done something. Codes never change
 * their meaning. An answer that is an error has the body {error: {code, message, details?}}.
 */
import { isLockstepError, rejectionOf, type LockstepError } from "@lockstep/framework";
import type { Refusal } from "../machine/inputs.js";

interface ErrorSpec {
  readonly status: number;
  readonly when: string;
}

export const serviceErrors = {
  // What was asked for cannot be: the same again is answered alike.
  INVALID_REQUEST: { status: 400, when: "The path, query or body is not as documented; the message says where." },
  UNAUTHENTICATED: { status: 401, when: "The service asks for a token, and there was none, or none that it knows." },
  FORBIDDEN: { status: 403, when: "The token does not allow this, or the session was opened with another." },
  NO_SUCH_ROUTE: { status: 404, when: "There is nothing at this path, or not by this method." },
  NO_SUCH_REQUEST: { status: 404, when: "The session has no request of this id, or has forgotten its answer." },
  NO_LEADER: { status: 404, when: "Nobody leads: the lock of the election is free." },
  BODY_TOO_LARGE: { status: 413, when: "The body, or the command made of it, exceeds the limit." },
  URL_TOO_LONG: { status: 414, when: "A part of the path exceeds the limit." },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, when: "The body is not application/json." },
  REQUEST_MISMATCH: { status: 422, when: "The request id was used in this session for something else." },
  KIND_MISMATCH: { status: 422, when: "The lock is in use as a semaphore, or as none, or with another limit. Details: what it is." },
  NOT_WRITABLE: { status: 422, when: "The value block may not be written in the mode that is held, or the request has several locks." },
  NOT_CONVERTIBLE: { status: 422, when: "There is no grant of one lock by mode to convert." },
  LIMIT_REACHED: { status: 429, when: "A limit of the service is reached. Details: which, and how much it is." },
  HEADERS_TOO_LARGE: { status: 431, when: "The request line and headers exceed the limit." },

  // How a request for locks ended.
  WAIT_TIMEOUT: { status: 408, when: "waitMs passed before the locks could be granted. The request is out of the queue." },
  HELD: { status: 409, when: "Not free, and the request was not to wait. Details: which lock, and the sessions in the way." },
  CANCELLED: { status: 409, when: "The request was cancelled while it waited. Its id is used up." },
  RELEASED: { status: 409, when: "The grant of this request was given back, or taken by an operator (details: why). Its id is used up." },
  SESSION_OVER: { status: 410, when: "The session has ended, or there never was one of this id. Details: why, if it is known still." },
  STALE_TOKEN: { status: 412, when: "The token is not that of a present grant of this lock." },
  LOCK_DELAY: { status: 423, when: "The last holder's session ended, its lock delay has not, and the request was not to wait." },
  DEADLOCK: { status: 508, when: "Waiting would close a circle of waiters. Details: the circle." },

  EVENTS_TRIMMED: { status: 410, when: "Events from that revision on are not held any more, or there is no such revision yet. Details: the oldest that is held." },

  // About this replica, at this moment: another one may do it.
  NO_QUORUM: { status: 503, when: "This replica is cut off from the majority. Certainly not done." },
  NOT_READY: { status: 503, when: "This replica is starting or catching up. Certainly not done." },
  OVERLOADED: { status: 503, when: "Too much waits to be sent. Certainly not done." },
  STOPPING: { status: 503, when: "This replica is being stopped. Certainly not done." },
  NOT_SENT: { status: 503, when: "The command could not be sent in time. Certainly not done." },
  NOT_CONFIRMED: { status: 503, when: "A read could not be confirmed with the group in time." },
  OUTCOME_UNKNOWN: { status: 504, when: "The command was sent, and contact was lost before the answer. The same request again, under its id, tells." },

  INTERNAL: { status: 500, when: "A fault of the service; nothing was changed." },
} as const satisfies Readonly<Record<string, ErrorSpec>>;

export type ServiceErrorCode = keyof typeof serviceErrors;

/** Of 503: when to ask this replica again, if no other one can be asked. */
export const retryAfterSeconds = 1;

export class ServiceError extends Error {
  readonly code: ServiceErrorCode;
  readonly details: unknown;

  constructor(code: ServiceErrorCode, message: string, details?: unknown) {
    super(message);
    this.name = "ServiceError";
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return serviceErrors[this.code].status;
  }

  get body(): { readonly error: { readonly code: ServiceErrorCode; readonly message: string; readonly details?: unknown } } {
    const { code, message, details } = this;
    return { error: details === undefined ? { code, message } : { code, message, details } };
  }
}

/** What a failed submission or read means to the client. Anything unexpected is INTERNAL. */
export function serviceErrorOf(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  if (!isLockstepError(error)) return new ServiceError("INTERNAL", error instanceof Error ? error.message : String(error));
  if (error.code === "REJECTED") return ofRejection(error);
  const code = ofFramework[error.code];
  if (code !== undefined) return new ServiceError(code, error.message);
  return new ServiceError(error.outcome === "unknown" ? "OUTCOME_UNKNOWN" : "INTERNAL", `${error.message} (${error.code})`);
}

const ofFramework: Readonly<Partial<Record<LockstepError["code"], ServiceErrorCode>>> = {
  NOT_PRIMARY: "NO_QUORUM",
  NOT_READY: "NOT_READY",
  QUEUE_FULL: "OVERLOADED",
  STOPPED: "STOPPING",
  TIMED_OUT: "NOT_SENT",
  STALE_READ: "NOT_CONFIRMED",
  UNKNOWN_OUTCOME: "OUTCOME_UNKNOWN",
  INVALID_INPUT: "INVALID_REQUEST",
  COMMAND_TOO_LARGE: "BODY_TOO_LARGE",
  REQUEST_ID_REUSED: "REQUEST_MISMATCH",
};

/** The machine's own codes are all in the registry, under the same names. */
function ofRejection(error: LockstepError): ServiceError {
  const { code = "", details } = rejectionOf(error) ?? {};
  if (!Object.hasOwn(serviceErrors, code)) return new ServiceError("INTERNAL", `the command was rejected: ${code}`, details);
  const known = code as ServiceErrorCode;
  return new ServiceError(known, known === "LIMIT_REACHED" ? `${serviceErrors[known].when} Here: ${JSON.stringify(details)}` : serviceErrors[known].when, details);
}

/** A request for locks that was not granted. */
export function refusalError(refusal: Refusal): ServiceError {
  return new ServiceError(refusal.code, refusalMessage(refusal), detailsOf(refusal));
}

/** The answer that it is, without the cost of an Error: refusals are what a busy lock answers most. */
export function refusalAnswer(refusal: Refusal): { readonly status: number; readonly body: ServiceError["body"] } {
  const { code } = refusal;
  const details = detailsOf(refusal);
  return { status: serviceErrors[code].status, body: { error: { code, message: refusalMessage(refusal), ...(details === undefined ? {} : { details }) } } };
}

function detailsOf(refusal: Refusal): Readonly<Record<string, unknown>> | undefined {
  const entries = Object.entries(refusal).filter(([name]) => name !== "code");
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function refusalMessage(refusal: Refusal): string {
  switch (refusal.code) {
    case "HELD": return `${refusal.lock} is not free, and the request was not to wait`;
    case "LOCK_DELAY": return `${refusal.lock} is granted to nobody for another ${Math.ceil(refusal.leftMs)} ms: its last holder's session ended without releasing it`;
    case "WAIT_TIMEOUT": return `not granted within ${Math.round(refusal.waitedMs)} ms`;
    case "DEADLOCK": return `waiting would close a circle: ${refusal.cycle.map(({ lock, request }) => `${request} for ${lock}`).join(", ")}`;
    case "SESSION_OVER": return refusal.reason === null ? `there is no session ${refusal.session}` : `session ${refusal.session} has ended: ${refusal.reason}`;
    case "CANCELLED": return "the request was cancelled";
    case "RELEASED": return refusal.reason === null ? "the grant was given back" : `the grant was taken back: ${refusal.reason}`;
    default: return refusal satisfies never;
  }
}
