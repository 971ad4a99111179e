/** Keys of Consul's interface, in the state: none of its commands is there yet. */
import { Table, type Context, type Draft } from "@lockstep/framework";
import type { LockState } from "./state.js";

export interface KeysState {
  readonly rows: Table<string, string>;
}

export const initialKeys = (): KeysState => ({ rows: new Table<string, string>() });

/** A session that has ended, as the keys that it has locked need to know it. */
export interface EndedSession {
  readonly session: string;
  readonly behavior: "release" | "delete";
  /** Nobody gets what it held before; 0: no delay. */
  readonly delayUntil: number;
}

/** What becomes of keys that a session has locked, when it has ended. */
export function releaseKeys(_draft: Draft<LockState>, _ended: EndedSession, _context: Context): void {}
