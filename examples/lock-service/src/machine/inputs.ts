/**
 * What the machine's commands take and give. Durations are milliseconds, deadlines milliseconds of cluster time (which does not pass
 * while there is no quorum). Everything is plain data; checking what comes from outside is the server's.
 */
import type { LockMode } from "./modes.js";

/** What one request wants of one lock. A lock is what it is first used as, until nobody holds or awaits it: modes or permits. */
export type Want =
  | { readonly lock: string; readonly mode: LockMode }
  /** Of a counting semaphore of `limit` permits. All who use it at a time must name the same limit. */
  | { readonly lock: string; readonly permits: number; readonly limit: number };

export interface OpenSessionInput {
  /** For people. */
  readonly name: string;
  /** Time without a renewal after which it expires; null: never. */
  readonly ttlMs: number | null;
  /** After an end that was not its own doing, nobody gets what it held for so long. */
  readonly lockDelayMs: number;
  /** Ends with the replica process that took this command. */
  readonly bound: boolean;
  /** Who opened it, as authentication knows them; null without authentication. Only they, and administrators, may use it. */
  readonly principal: string | null;
  /** What becomes of keys (keys.ts) that it has locked: unlocked, or deleted. */
  readonly behavior: "release" | "delete";
}

export interface OpenSessionResult {
  readonly session: string;
  /** Cluster time at which it expires if nothing comes; null: never. */
  readonly deadline: number | null;
  readonly revision: number;
}

/** Renewals of many sessions go together: one command for all that came meanwhile. */
export interface RenewSessionsInput {
  readonly sessions: readonly string[];
}

/** In the order of the input: true if the session lives and has its whole TTL again, from this command on. */
export type RenewSessionsResult = readonly boolean[];

/** A deliberate end: what it holds is released, in the order it was granted, without lock delay unless `delayed`. */
export interface CloseSessionInput {
  readonly session: string;
  /** With its lock delay all the same: Consul's session/destroy. */
  readonly delayed?: boolean;
}

export interface AcquireInput {
  readonly session: string;
  /** Chosen by the client, unique in its session: the same one again, through any replica, is the same request. */
  readonly request: string;
  /** Within the session: whose request it is, for deadlocks ("a task holds this and waits for that"). Default: all of a session is one. */
  readonly owner?: string;
  /** Granted all together or not at all. Names are different. 1 to `maxWants`. */
  readonly wants: readonly Want[];
  /** How long to wait in the queue: 0 not at all; null for ever. */
  readonly waitMs: number | null;
  /** Shown with the holder: a leader's address, say. */
  readonly value?: string;
}

export interface ConvertInput {
  readonly session: string;
  /** A new id: a conversion is a request of its own. When it is granted, it takes the place of the grant that it converts. */
  readonly request: string;
  /** The grant to convert: the id it was asked for with. Of one lock, by mode. */
  readonly grant: string;
  readonly mode: LockMode;
  readonly waitMs: number | null;
  /** Written if the grant may write it (PW, EX) before it is converted; base64. */
  readonly valueBlock?: string;
}

export interface ReleaseInput {
  readonly session: string;
  /** Of the grant: the id it was asked for with. */
  readonly request: string;
  /** As in a conversion, for requests of one lock. */
  readonly valueBlock?: string;
}

/** Takes a request out of its queues, or a grant back: whatever it has become meanwhile. */
export interface CancelInput {
  readonly session: string;
  readonly request: string;
}

/** Changes the value that is shown with a holder. */
export interface ProclaimInput {
  readonly session: string;
  readonly request: string;
  readonly value: string;
}

/** By an operator: takes a lock from one holder, or from all, and records why. */
export interface ForceReleaseInput {
  readonly lock: string;
  /** Only this session's grants. */
  readonly session?: string;
  readonly reason: string;
  readonly by: string;
}

/** One lock of a grant, as its holder gets it. */
export interface GrantedLock {
  readonly lock: string;
  readonly mode: LockMode | null;
  readonly permits: number | null;
  /** The value block, if the lock has one. Not valid: its last writer died holding it. */
  readonly valueBlock: { readonly data: string; readonly valid: boolean } | null;
}

export type Refusal =
  /** Not granted at once, and was not to wait. `holders`: sessions in the way. */
  | { readonly code: "HELD"; readonly lock: string; readonly holders: readonly string[] }
  /** Of those not to wait: nobody gets it before `untilMs` (cluster time). */
  | { readonly code: "LOCK_DELAY"; readonly lock: string; readonly untilMs: number; readonly leftMs: number }
  /** waitMs is over. */
  | { readonly code: "WAIT_TIMEOUT"; readonly waitedMs: number }
  /** Granting it would need what it keeps others from. Each waits for the next, the last for the first. */
  | { readonly code: "DEADLOCK"; readonly cycle: readonly DeadlockLink[] }
  /** The session has ended, or there was none. */
  | { readonly code: "SESSION_OVER"; readonly session: string; readonly reason: SessionEnd | null }
  | { readonly code: "CANCELLED" }
  /** The grant was given back, or taken by an operator. */
  | { readonly code: "RELEASED"; readonly reason: string | null };

export interface DeadlockLink {
  readonly session: string;
  readonly owner: string | null;
  readonly request: string;
  readonly lock: string;
}

export type SessionEnd = "closed" | "expired" | "replica-lost" | "forced";

export type RequestState =
  | { readonly status: "granted"; readonly token: number; readonly locks: readonly GrantedLock[]; readonly revision: number }
  /** `ahead`: requests before it in the longest of its queues. `deadline`: cluster time at which it gives up; null: never. */
  | { readonly status: "waiting"; readonly ahead: number; readonly deadline: number | null; readonly revision: number }
  | { readonly status: "refused"; readonly refusal: Refusal };

/** Codes with which the machine refuses a command as such (framework: REJECTED). A request that cannot be granted is no such refusal. */
export type LockRejection =
  | "SESSION_OVER"
  | "NO_SUCH_REQUEST"
  /** The request id was used in this session for something else. */
  | "REQUEST_MISMATCH"
  /** The lock is a semaphore, or is not, or of another limit. Details: what it is. */
  | "KIND_MISMATCH"
  /** The value block may not be written in this mode, or the request has more than one lock. */
  | "NOT_WRITABLE"
  | "NOT_CONVERTIBLE"
  /** Details: which limit. */
  | "LIMIT_REACHED";

/** Limits of the replicated state: equal on every replica, as they decide what a command does. */
export const machineLimits = {
  sessions: 200_000,
  /** Requests of one session, waiting or granted. */
  requestsPerSession: 200_000,
  /** Waiting for one lock. */
  queueLength: 100_000,
  /** Locks that somebody holds, awaits, or that have a value block or delay. */
  locks: 1_000_000,
  /** Locks of one request. */
  wants: 64,
  valueBytes: 4096,
  valueBlockBytes: 1024,
  /** Answered requests that a session remembers, for retries: the newest. */
  answersPerSession: 128,
  /** The newest events of the service that are kept. */
  events: 10_000,
} as const;
