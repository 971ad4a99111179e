/** Changes of phase: what every part of the core may bring about. */
import type { LockstepError } from "../errors.js";
import type { Phase } from "./events.js";
import type { CoreState } from "./state.js";

export function setPhase(state: CoreState, phase: Phase, reason?: string): void {
  if (state.phase === phase && reason === undefined) return;
  state.phase = phase;
  state.effects.push({ type: "phase", phase, reason });
}

/** For good: this replica cannot go on. */
export function stop(state: CoreState, error: LockstepError): void {
  if (state.phase === "stopped") return;
  state.effects.push({ type: "suspended" }, { type: "stop", error });
  setPhase(state, "stopped", error.message);
}

/** Ends the view: its messages count no more, its transfers are void. */
export function suspend(state: CoreState, reason: string): void {
  if (state.phase === "stopped") return;
  state.promising = undefined;
  state.view = undefined;
  state.entering = false;
  state.joining = undefined;
  state.acks.clear();
  state.awaited = [];
  state.announced = { position: -1, ack: -1 };
  state.effects.push({ type: "suspended" });
  setPhase(state, state.phase === "joining" ? "joining" : "changing", reason);
}
