/**
 * With a durable log nobody takes a ballot before enough slots have written down that they promise it. Otherwise a stable
 * ring could decide one ballot twice: once before, and once after those crashed who knew of it.
 *
 * Promises are delivered in the group's order, so all take the ballot at the same point of it.
 */
import { compareBallots, equalBallots } from "./ballot.js";
import type { Decision } from "./decide.js";
import type { PromiseMessage } from "./messages.js";
import type { CoreState } from "./state.js";

/** A decided view that waits for promises. */
export interface Promising {
  readonly decision: Extract<Decision, { kind: "primary" }>;
  /** Slots that have promised the ballot. */
  readonly promised: Set<number>;
  /** The own promise is out. */
  sent: boolean;
}

/** Says that the promise is written down, as soon as it is. */
export function sendPromise(state: CoreState): void {
  const { promising, disk } = state;
  if (promising === undefined || promising.sent || disk === undefined) return;
  const { ballot } = promising.decision;
  if (compareBallots(disk.flushed.head.promised, ballot) < 0) return;
  promising.sent = true;
  state.effects.push({ type: "multicast", message: { type: "promise", ballot } });
}

/** True when with this one there are enough. */
export function countPromise({ promising, config }: CoreState, slot: number, { ballot }: PromiseMessage): boolean {
  if (promising === undefined || !equalBallots(promising.decision.ballot, ballot)) return false;
  const { members, remembering } = promising.decision;
  if (!members.some((member) => member.slot === slot)) return false;
  promising.promised.add(slot);
  return config.policy.promised({ slots: config.slots, remembering, promised: promising.promised });
}
