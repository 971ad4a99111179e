/**
 * Who is silent, and since when: counted across the exchanges of a ring. Each change of members begins the exchange anew;
 * were the wait for a silent member to begin anew with it, processes that come and go would keep the group from any view.
 */
import { addressKey, type CoreState } from "./state.js";
import type { MemberAddress } from "../transport/group-transport.js";

/** A State that a member owes. */
export interface Asked {
  /** Of the exchange; a newcomer's is not known before it has spoken. */
  readonly key: string;
  readonly atMs: number;
}

/** Exchanges that are remembered for one member. The oldest tells how long it has been silent. */
const maxAsked = 64;

/** From now on these are expected to speak in the present exchange. */
export function ask(state: CoreState, members: readonly MemberAddress[], key: string): void {
  for (const member of members) {
    const owed = state.owed.get(addressKey(member)) ?? [];
    owed.push({ key, atMs: state.nowMs });
    if (owed.length > maxAsked) owed.splice(1, 1);
    state.owed.set(addressKey(member), owed);
  }
}

/** A State came: what was asked before it will not come any more. One that answers an old exchange leaves the later ones open. */
export function answered(state: CoreState, member: MemberAddress, key: string): void {
  const owed = state.owed.get(addressKey(member));
  if (owed === undefined) return;
  const at = owed.findIndex((asked) => asked.key === key);
  owed.splice(0, at + 1);
  if (owed.length === 0) state.owed.delete(addressKey(member));
}

/** It has shown that it is awake, or is no member any more: whatever it owed counts no more. */
export function forgive(state: CoreState, member: MemberAddress): void {
  state.owed.delete(addressKey(member));
}

/** How long a member has owed a State, milliseconds; 0 if it owes none. */
export function silentForMs(state: CoreState, member: MemberAddress): number {
  const oldest = state.owed.get(addressKey(member))?.[0];
  return oldest === undefined ? 0 : state.nowMs - oldest.atMs;
}
