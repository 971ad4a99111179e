/** Pure functions of a state, for servers. What is over is not shown, even while the work that follows from its end goes on. */
import type { RequestState } from "./inputs.js";
import type { LockState } from "./state.js";
import type { EventsPage, LockPage, LockView, RequestPage, SessionPage, SessionView, WaitForGraph } from "./view-types.js";

export type * from "./view-types.js";

export interface LockPageOptions {
  readonly prefix?: string;
  readonly after?: string;
  readonly limit: number;
}

export interface PageOptions {
  readonly after?: string;
  readonly limit: number;
}

/** SESSION_OVER of an ended or unknown session; undefined if the session lives and does not know the request (any more). */
export function requestState(_state: LockState, _session: string, _request: string): RequestState | undefined {
  throw new Error("not written yet");
}

export function lockView(_state: LockState, _name: string): LockView | undefined {
  throw new Error("not written yet");
}

/** By name. */
export function listLocks(_state: LockState, _options: LockPageOptions): LockPage {
  throw new Error("not written yet");
}

export function sessionView(_state: LockState, _session: string): SessionView | undefined {
  throw new Error("not written yet");
}

/** By id. */
export function listSessions(_state: LockState, _options: PageOptions): SessionPage {
  throw new Error("not written yet");
}

/** What a session holds and waits for, by request id. */
export function listRequests(_state: LockState, _session: string, _options: PageOptions): RequestPage {
  throw new Error("not written yet");
}

export function waitForGraph(_state: LockState, _options: { readonly prefix?: string } = {}): WaitForGraph {
  throw new Error("not written yet");
}

/** Whether the token is of a present grant of this lock. */
export function tokenIsCurrent(_state: LockState, _lock: string, _token: number): boolean {
  throw new Error("not written yet");
}

export function eventsAfter(_state: LockState, _revision: number, _limit: number): EventsPage {
  throw new Error("not written yet");
}

/** Of the newest event. */
export function revision(state: LockState): number {
  return state.revision;
}
