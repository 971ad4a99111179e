/** What views.ts shows of a state: plain data for servers. Times are cluster time, milliseconds. */
import type { LockEvent } from "./events.js";
import type { LockMode } from "./modes.js";

export interface HolderView {
  readonly session: string;
  readonly owner: string | null;
  readonly request: string;
  readonly mode: LockMode | null;
  readonly permits: number | null;
  readonly token: number;
  /** When it was granted. */
  readonly since: number;
  readonly value: string | null;
}

export interface WaiterView {
  readonly session: string;
  readonly owner: string | null;
  readonly request: string;
  readonly mode: LockMode | null;
  readonly permits: number | null;
  /** When it came. */
  readonly since: number;
  /** When it gives up; null: never. */
  readonly deadline: number | null;
  /** Of a conversion: the request whose grant it converts. */
  readonly converting: string | null;
}

export type LockKind = "modes" | "semaphore";

export interface LockView {
  readonly lock: string;
  readonly kind: LockKind;
  /** Of a semaphore. */
  readonly limit: number | null;
  /** In the order of their tokens. */
  readonly holders: readonly HolderView[];
  /** In queue order. */
  readonly waiters: readonly WaiterView[];
  readonly valueBlock: { readonly data: string; readonly valid: boolean } | null;
  /** Nobody gets it before; null: there is no delay. */
  readonly delayUntil: number | null;
}

export interface LockSummary {
  readonly lock: string;
  readonly kind: LockKind;
  readonly limit: number | null;
  readonly holders: number;
  readonly waiters: number;
  /** Of the holders, the strongest; null of a semaphore, and where nobody holds it. */
  readonly mode: LockMode | null;
  /** Held together, of a semaphore. */
  readonly permits: number | null;
  readonly delayUntil: number | null;
}

export interface LockPage {
  readonly locks: readonly LockSummary[];
  /** There are more: go on with this as `after`; null: these were all. */
  readonly next: string | null;
}

export interface SessionView {
  readonly session: string;
  readonly name: string;
  readonly ttlMs: number | null;
  readonly lockDelayMs: number;
  /** Ends with the replica process that opened it. */
  readonly bound: boolean;
  readonly principal: string | null;
  readonly behavior: "release" | "delete";
  readonly openedAt: number;
  /** When it expires if nothing comes; null: never. */
  readonly deadline: number | null;
  /** Requests, waiting or granted. */
  readonly requests: number;
}

export interface SessionPage {
  readonly sessions: readonly SessionView[];
  readonly next: string | null;
}

/** One request of a session, as its owner gets it back after it has lost all else. */
export interface RequestView {
  readonly request: string;
  readonly status: "waiting" | "granted";
  readonly owner: string | null;
  readonly locks: readonly string[];
  /** Of a grant. */
  readonly token: number | null;
  readonly since: number;
}

export interface RequestPage {
  readonly requests: readonly RequestView[];
  readonly next: string | null;
}

export interface Party {
  readonly session: string;
  readonly owner: string | null;
  readonly request: string;
}

/** `from` waits for `to`: a holder in its way, or who stands directly before it in the queue. */
export interface WaitEdge {
  readonly from: Party;
  readonly to: Party;
  readonly lock: string;
}

export interface WaitForGraph {
  readonly edges: readonly WaitEdge[];
  /** There are more edges than are shown. */
  readonly truncated: boolean;
}

export interface EventsPage {
  readonly events: readonly LockEvent[];
  /** Some after the revision are not kept any more. */
  readonly trimmed: boolean;
  /** Revisions of the newest event, and of the oldest that is kept; 0 if there are none. */
  readonly newest: number;
  readonly oldest: number;
}
