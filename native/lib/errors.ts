/** The one error type of this package: Corosync's errors by name and number, ours beside them, each with what to do about it. */

interface ErrorSpec {
  /** cs_error_t (corotypes.h), or negative for errors of this binding. */
  readonly number: number;
  readonly meaning: string;
  readonly advice: string;
}

const reportIt = "This should not happen; please report it with the versions of Corosync and of this package.";

/** Every error there is. A name never changes its meaning. */
export const corosyncErrors = {
  LIBRARY: { number: 2, meaning: "the daemon cannot be reached, or has gone", advice: "Start corosync on this node (systemctl start corosync) and look into its log. Close this handle and open a new one: whatever was known of the group is void." },
  VERSION: { number: 3, meaning: "the library and the daemon do not understand each other", advice: "Install the client libraries of the Corosync release that is running, and restart it after an upgrade." },
  INIT: { number: 4, meaning: "the daemon is not ready", advice: "Try again in a moment." },
  TIMEOUT: { number: 5, meaning: "the daemon took too long", advice: "Try again; if it persists, look at the daemon's log and load." },
  TRY_AGAIN: { number: 6, meaning: "the daemon cannot take this now: its queues are full, or its ring is being formed", advice: "Repeat the call after a pause of some milliseconds, in the same order." },
  INVALID_PARAM: { number: 7, meaning: "an argument is wrong", advice: "See the message; nothing was done." },
  NO_MEMORY: { number: 8, meaning: "out of memory", advice: "Free memory, in this process or in the daemon." },
  BAD_HANDLE: { number: 9, meaning: "this handle is closed", advice: "Open a new one." },
  BUSY: { number: 10, meaning: "it is in use, or a service that was asked refused", advice: "Try again in a moment. A shutdown: a service on this node said no, or nothing within cfg.shutdown_timeout." },
  ACCESS: { number: 11, meaning: "this user may not talk to the daemon", advice: "Run as root, or allow the user: a file in /etc/corosync/uidgid.d with uidgid { uid: NAME }, then corosync-cfgtool -R." },
  NOT_EXIST: { number: 12, meaning: "there is no such thing", advice: "Check the name. For a group: it has no member." },
  NAME_TOO_LONG: { number: 13, meaning: "the name is too long", advice: "Use at most 127 bytes of UTF-8 for a group, 255 for a cmap key." },
  EXIST: { number: 14, meaning: "it exists already", advice: "One process joins a group once: worker threads share their process' id, and so do two containers' first processes on one node. Join from one place. A handle that has left cannot join again: open a new one. A shutdown: another one is being asked for. Tracking: it was started before." },
  NO_SPACE: { number: 15, meaning: "there is no room", advice: "Free memory or /dev/shm." },
  INTERRUPT: { number: 16, meaning: "the call was interrupted by a configuration change", advice: "Repeat the call." },
  NAME_NOT_FOUND: { number: 17, meaning: "the name was not found", advice: "Check the name." },
  NO_RESOURCES: { number: 18, meaning: "out of threads, descriptors or shared memory", advice: "Raise the limits of this process (ulimit -n, -u) or free /dev/shm." },
  NOT_SUPPORTED: { number: 19, meaning: "this Corosync does not support it", advice: "Do without it, or use another release." },
  BAD_OPERATION: { number: 20, meaning: "the operation is not allowed here", advice: "See the message." },
  FAILED_OPERATION: { number: 21, meaning: "the operation failed", advice: "Look into the daemon's log." },
  MESSAGE_ERROR: { number: 22, meaning: "the message is damaged", advice: reportIt },
  QUEUE_FULL: { number: 23, meaning: "a queue is full", advice: "Try again after a pause." },
  QUEUE_NOT_AVAILABLE: { number: 24, meaning: "a queue is not available", advice: "Try again after a pause." },
  BAD_FLAGS: { number: 25, meaning: "unknown flags", advice: reportIt },
  TOO_BIG: { number: 26, meaning: "the message is too big", advice: "Send at most maxAtomicMessageBytes at once; split larger ones." },
  NO_SECTIONS: { number: 27, meaning: "nothing more to iterate over", advice: reportIt },
  CONTEXT_NOT_FOUND: { number: 28, meaning: "the context was not found", advice: reportIt },
  TOO_MANY_GROUPS: { number: 30, meaning: "too many groups", advice: "Leave groups that are not needed." },
  SECURITY: { number: 100, meaning: "refused for security reasons", advice: "Check the daemon's configuration of users and keys." },
  EVICTED: { number: -1, meaning: "this process took messages too slowly: heldLimitBytes was reached, so it was taken out of the group", advice: "Open a new handle and join again. Keep the event loop free, or raise heldLimitBytes." },
  NOT_INSTALLED: { number: -2, meaning: "Corosync's client libraries are not installed", advice: "Install them and the daemon: apt-get install corosync (Debian, Ubuntu), dnf install corosync corosynclib (Fedora, RHEL)." },
  NOT_BUILT: { number: -3, meaning: "the native addon is not built for this machine", advice: "Corosync needs Linux. There, install g++, make and python3, and run npm run build in Lockstep's directory." },
  TOO_OLD: { number: -4, meaning: "this Corosync can lose or damage messages at membership changes", advice: "Upgrade Corosync to 3.1.6 or later on every node, and restart it." },
  ABORTED: { number: -5, meaning: "the signal given to open() was aborted before it had opened", advice: "Open another when you want one." },
  TOO_MANY_MEMBERS: { number: -6, meaning: "the group has more than 128 members, whose list libcpg has no room for", advice: "Let fewer processes join one group: libcpg would overwrite this process' memory." },
} as const satisfies Record<string, ErrorSpec>;

export type CorosyncErrorName = keyof typeof corosyncErrors;

const namesByNumber = new Map<number, CorosyncErrorName>();
for (const name of Object.keys(corosyncErrors) as CorosyncErrorName[]) namesByNumber.set(corosyncErrors[name].number, name);

/** Recognises errors across copies of this package. */
const marker = Symbol.for("lockstep.corosync.error");

export class CorosyncError extends Error {
  override readonly name = "CorosyncError";
  /** Corosync's name without CS_ERR_, or one of ours. */
  readonly code: CorosyncErrorName;
  /** cs_error_t; negative for errors of this binding. */
  readonly number: number;
  /** The call that failed. */
  readonly call: string;

  constructor(code: CorosyncErrorName, call: string, detail?: string, options: { cause?: unknown } = {}) {
    const spec = corosyncErrors[code];
    const more = detail === undefined ? "" : ` (${detail})`;
    super(`${call}: ${spec.meaning}${more} [${code} ${spec.number}]. ${spec.advice}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.number = spec.number;
    this.call = call;
    Object.defineProperty(this, marker, { value: true });
  }

  /** The error for a status of the library. */
  static fromStatus(status: number, call: string, detail?: string): CorosyncError {
    const code = namesByNumber.get(status);
    return code === undefined ? new CorosyncError("LIBRARY", call, `unknown status ${status}`) : new CorosyncError(code, call, detail);
  }
}

export function isCorosyncError(value: unknown, code?: CorosyncErrorName): value is CorosyncError {
  return value instanceof Error && marker in value && (code === undefined || (value as Error & { code?: unknown }).code === code);
}
