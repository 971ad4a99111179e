/**
 * The one registry of errors: code, what it means, whether the command may have taken effect.
 * A code never changes its meaning; docs/errors.md and a test are generated from and checked against this table.
 */

/** What is known of the command's effect when the error is returned. */
export type Outcome =
  /** Refused by the machine or never sent: the state did not change and will not because of it. */
  | "none"
  /** Sent, and contact was lost before the answer: it may have taken effect once, or may still. */
  | "unknown"
  /** Not about a command. */
  | "n/a";

interface ErrorSpec {
  readonly outcome: Outcome;
  readonly when: string;
}

export const errorRegistry = {
  REJECTED: { outcome: "none", when: "The machine's handler called reject(): same answer on every replica, state unchanged." },
  MACHINE_FAULT: { outcome: "none", when: "The machine's handler threw something other than reject(): state unchanged on every replica." },
  UNKNOWN_COMMAND: { outcome: "none", when: "The log holds a command that this machine does not declare." },
  REQUEST_ID_REUSED: { outcome: "none", when: "The request id was answered before, for another command." },
  INVALID_INPUT: { outcome: "none", when: "The input failed the command's schema, or cannot be encoded." },
  COMMAND_TOO_LARGE: { outcome: "none", when: "The encoded command exceeds limits.commandBytes, or all of limits.queueBytes." },
  QUEUE_FULL: { outcome: "none", when: "limits.queueBytes or limits.pendingSubmissions is reached; try again later." },
  NOT_PRIMARY: { outcome: "none", when: "This replica is not in a primary view: it has no quorum." },
  NOT_READY: { outcome: "none", when: "This replica is still joining or synchronising." },
  STOPPED: { outcome: "none", when: "The replica was stopped before the command was sent." },
  TIMED_OUT: { outcome: "none", when: "timeoutMs passed, or the signal aborted, before the command was sent." },
  UNKNOWN_OUTCOME: { outcome: "unknown", when: "The command was sent, and contact or patience was lost before the answer. Retry with the same request id to learn it." },
  STALE_READ: { outcome: "n/a", when: "A linearizable read was not confirmed before timeoutMs passed or the signal was aborted." },
  EVENTS_TRIMMED: { outcome: "n/a", when: "events({ from }) asks for a position that is no longer held." },
  SLOT_TAKEN: { outcome: "n/a", when: "Another process of this node is a replica of this group, and was so before or knows more." },
  STORE_DAMAGED: { outcome: "n/a", when: "What is on disk is not what was written. Nothing was changed; the message says what is wrong and the way out." },
  STORE_FOREIGN: { outcome: "n/a", when: "What is on disk belongs to another group, node or machine, or to another version of the machine, or was written by a newer version of Lockstep." },
  STORE_LOCKED: { outcome: "n/a", when: "Another process uses the directory." },
  STORE_FAILED: { outcome: "n/a", when: "The disk takes nothing: it is full, or fails. Nothing was done; it is tried again." },
  STORE_UNAVAILABLE: { outcome: "n/a", when: "The database that durable replicas need does not load on this system; the message says why. Replicas in memory do without." },
  BACKUP_FAILED: { outcome: "n/a", when: "A backup could not be written or read: no room, no permission, no such file. Nothing is left of one that was being written." },
  BACKUP_DAMAGED: { outcome: "n/a", when: "A backup is not whole: cut short, or changed since it was written." },
  BACKUP_FOREIGN: { outcome: "n/a", when: "The file is no backup, or one of a newer version." },
  OPERATION_REFUSED: { outcome: "n/a", when: "What an operator asked for would overwrite or mix up data, or does not fit what is there. Nothing was changed; the message says what to do." },
  MACHINE_MISMATCH: { outcome: "n/a", when: "The group runs another machine or version, or is configured with other slots." },
  DIVERGED: { outcome: "n/a", when: "This replica's history contradicts the group's. It has stopped rather than guess." },
  INVARIANT_VIOLATED: { outcome: "n/a", when: "An assertion of the protocol failed. The replica has stopped." },
  TRANSPORT_CLOSED: { outcome: "n/a", when: "The transport is not joined, or has lost the group." },
  MESSAGE_TOO_LARGE: { outcome: "n/a", when: "The message exceeds the transport's maxMessageBytes." },
  MALFORMED_MESSAGE: { outcome: "n/a", when: "Bytes from the group are not a message of this protocol version." },
  CONFIGURATION_INVALID: { outcome: "n/a", when: "An option or a definition is wrong; the message says which and how to mend it." },
  COROSYNC_UNAVAILABLE: { outcome: "n/a", when: "Corosync is not installed, not running or not accessible; the message says which." },
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof errorRegistry;

/** Recognises errors across copies of this package: a symbol in the global registry, not the class. */
const marker = Symbol.for("lockstep.error");

export class LockstepError extends Error {
  readonly code: ErrorCode;
  /** What is known of the command's effect. */
  readonly outcome: Outcome;
  /** The machine's own details of a rejection, if it gave any. */
  readonly details: unknown;

  constructor(code: ErrorCode, message: string, options: { details?: unknown; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "LockstepError";
    this.code = code;
    this.outcome = errorRegistry[code].outcome;
    this.details = options.details;
    Object.defineProperty(this, marker, { value: true });
  }
}

export function isLockstepError(value: unknown, code?: ErrorCode): value is LockstepError {
  return value instanceof Error && marker in value && (code === undefined || ("code" in value && value.code === code));
}

/** Asserts one of the protocol's invariants. Stays on in production. */
export function invariant(holds: boolean, message: string): asserts holds {
  if (!holds) throw new LockstepError("INVARIANT_VIOLATED", message);
}
