/**
 * The replicated state: every replica holds the same, and it changes only in the handlers of commands.
 *
 * All that grows is in Tables, so that a command costs by the locks it touches and not by how many there are. Inside, a session and
 * a lock go by a number: short keys that compare fast, and a name that is used again later is not mistaken for the earlier one.
 */
import { Table } from "@lockstep/framework";
import type { LockEvent } from "./events.js";
import type { Refusal, SessionEnd, Want } from "./inputs.js";
import { initialKeys, type KeysState } from "./keys.js";
import type { LockMode } from "./modes.js";

export interface SessionRow {
  readonly number: number;
  readonly name: string;
  readonly ttlMs: number | null;
  readonly lockDelayMs: number;
  /** The incarnation of the replica process that it ends with. */
  readonly boundTo: string | null;
  readonly principal: string | null;
  readonly behavior: "release" | "delete";
  readonly openedAt: number;
  /** Cluster time at which it is over if nothing comes; null: never. */
  readonly deadline: number | null;
  /** Where it stands in `expiries`, at or before its deadline: a renewal leaves it there, and who is looked at too early is put back. */
  readonly dueAt: number | null;
}

/** A request that waits, or has been granted, or was answered with a refusal that is kept for who asks again. */
export interface RequestRow {
  /** Its session's id. */
  readonly session: string;
  readonly owner: string | null;
  readonly wants: readonly Want[];
  /** Of a conversion: the request whose grant it converts. */
  readonly converts: string | null;
  /** Arrival, counted over all requests of the service: the younger, the higher. */
  readonly seq: number;
  readonly status: "waiting" | "granted" | "refused";
  /** Cluster time at which it began to wait, or was granted. */
  readonly since: number;
  /** Of one that waits: when it gives up. */
  readonly deadline: number | null;
  readonly value: string | null;
  /** Of the grant; 0 without one. */
  readonly token: number;
  /** Of a grant: the conversion that waits to take its place. */
  readonly conversion: string | null;
  readonly refusal: Refusal | null;
  /** Of the event that told of its present status; 0 if none did. */
  readonly revision: number;
}

/** Of one session, under 0 among its requests: how many there are. */
export interface Account {
  /** Waiting or granted. */
  readonly live: number;
  /** Answers so far: the number of the newest, and of the newest that is forgotten. */
  readonly answered: number;
  readonly forgotten: number;
}

/** One grant of one lock. */
export interface Holder {
  readonly session: number;
  readonly request: string;
  readonly mode: LockMode | null;
  readonly permits: number;
  readonly token: number;
  /** It was sent a blocking notice. */
  readonly told: boolean;
}

/** Of a lock with more holders than its row takes: how many, by mode (in the order of lockModes), and the permits they have. */
export interface Crowd {
  readonly size: number;
  readonly byMode: readonly number[];
  readonly permits: number;
}

export interface LockRow {
  readonly number: number;
  /** Of a semaphore: its permits. null: a lock with modes. */
  readonly limit: number | null;
  /** In the order of their tokens; empty if they are a crowd. */
  readonly holders: readonly Holder[];
  /** They are in `crowds`. */
  readonly crowd: Crowd | null;
  /** In `queue`: conversions and requests that others wait behind, and places of NL, which keep nobody waiting. */
  readonly waiting: number;
  readonly places: number;
  readonly valueBlock: { readonly data: string; readonly valid: boolean } | null;
  /** Nobody gets it before; 0: no delay. */
  readonly delayUntil: number;
  /** The number of the request at the front of the queue for which the holders in its way were told; 0: none. */
  readonly toldFor: number;
}

/** Parts of a lock's queue, in the order in which they are looked at. */
export const queuePart = { conversion: 0, request: 1, place: 2 } as const;
export type QueuePart = (typeof queuePart)[keyof typeof queuePart];

export type QueueKey = readonly [lock: number, part: number, seq: number];

export interface Waiter {
  readonly session: number;
  readonly request: string;
  readonly owner: string | null;
  readonly mode: LockMode | null;
  readonly permits: number;
  /** It stands in other queues as well. */
  readonly several: boolean;
}

export const dueKind = { wait: 0, delay: 1 } as const;
/** What is due: the end of a wait (session number and request), or of a lock delay (lock number and name). */
export type DueKey = readonly [at: number, kind: number, number: number, name: string];

/** A part of what a session that has ended leaves behind: its requests, in the order in which they are to be given back. */
export interface Legacy {
  readonly number: number;
  readonly requests: readonly string[];
}

export interface LockState {
  /** Of the newest event. */
  readonly revision: number;
  /** Counters that never go back: requests, grants, sessions and locks so far. */
  readonly seq: number;
  readonly token: number;
  readonly sessionCount: number;
  readonly lockCount: number;
  /** Requests that wait or are granted. */
  readonly liveRequests: number;

  readonly sessions: Table<string, SessionRow>;
  /** By session, together: its account under 0, the order of its answers under 1, 2, …, its requests under their ids. */
  readonly requests: Table<readonly [session: number, request: number | string], Account | RequestRow | string>;
  /** Requests that wait, by session: for the search for deadlocks. */
  readonly waiting: Table<readonly [session: number, seq: number], string>;
  readonly locks: Table<string, LockRow>;
  readonly crowds: Table<readonly [lock: number, token: number], Holder>;
  readonly queue: Table<QueueKey, Waiter>;
  /** Sessions bound to a replica process, by its incarnation. */
  readonly bound: Table<readonly [incarnation: string, session: number], string>;

  /** When sessions are to be looked at. */
  readonly expiries: Table<readonly [at: number, session: number], string>;
  readonly deadlines: Table<DueKey, true>;
  /** Cluster time up to which deadlines have taken effect, even where the work that follows from them goes on in later entries. */
  readonly expiredUpTo: number;
  /** Incarnations of the replica processes that are in the group. */
  readonly replicas: readonly string[];
  /** Those that have left it, and whose sessions are not all ended yet: these are over all the same. */
  readonly lostReplicas: readonly string[];
  /** Of sessions that have ended: what is still to be given back. */
  readonly legacies: Table<number, Legacy>;
  readonly legacyCount: number;
  /** There is work that follows from something that is over already. */
  readonly backlog: boolean;
  /** The timer that waits for the first deadline, and when it fires; null: there is none. */
  readonly timerId: string | null;
  readonly timerAt: number;

  /** Why sessions ended: the newest of them, by their ids, and in the order of their ends. */
  readonly ended: Table<string, SessionEnd>;
  readonly endedOrder: Table<number, string>;
  readonly endedCount: number;
  readonly events: Table<number, LockEvent>;
  readonly keys: KeysState;
}

export const initialState = (): LockState => ({
  revision: 0,
  seq: 0,
  token: 0,
  sessionCount: 0,
  lockCount: 0,
  liveRequests: 0,
  sessions: new Table<string, SessionRow>(),
  requests: new Table<readonly [number, number | string], Account | RequestRow | string>(),
  waiting: new Table<readonly [number, number], string>(),
  locks: new Table<string, LockRow>(),
  crowds: new Table<readonly [number, number], Holder>(),
  queue: new Table<QueueKey, Waiter>(),
  bound: new Table<readonly [string, number], string>(),
  expiries: new Table<readonly [number, number], string>(),
  deadlines: new Table<DueKey, true>(),
  expiredUpTo: 0,
  replicas: [],
  lostReplicas: [],
  legacies: new Table<number, Legacy>(),
  legacyCount: 0,
  backlog: false,
  timerId: null,
  timerAt: 0,
  ended: new Table<string, SessionEnd>(),
  endedOrder: new Table<number, string>(),
  endedCount: 0,
  events: new Table<number, LockEvent>(),
  keys: initialKeys(),
});
