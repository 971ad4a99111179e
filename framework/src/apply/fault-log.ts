/** Says in the log that handlers failed: all replicas agree that nothing was changed, and of a timer's or the members' handler nobody hears it otherwise. */
import type { Logger } from "../logger.js";
import type { AppliedEntry } from "./types.js";

/** A handler that fails at each command must not fill the log. */
const pauseMs = 1_000;

export class FaultLog {
  readonly #logger: Logger;
  readonly #monotonicMs: () => number;
  #saidAtMs = -Infinity;
  /** Since then. */
  #unsaid = 0;

  constructor(logger: Logger, monotonicMs: () => number) {
    this.#logger = logger;
    this.#monotonicMs = monotonicMs;
  }

  applied({ position, fired, commands, membersChange }: AppliedEntry): void {
    for (const { call, outcome, repeated } of fired) if (!outcome.ok && !repeated) this.#note(position, call.name, outcome);
    if (membersChange !== undefined && !membersChange.outcome.ok) this.#note(position, "onMembersChanged", membersChange.outcome);
    for (const { call, outcome, repeated } of commands) if (!outcome.ok && !repeated) this.#note(position, call.name, outcome);
  }

  #note(position: number, handler: string, { code, message }: { readonly code: string; readonly message: string }): void {
    if (code !== "MACHINE_FAULT") return;
    const nowMs = this.#monotonicMs();
    if (nowMs - this.#saidAtMs < pauseMs) {
      this.#unsaid++;
      return;
    }
    this.#logger.error({ position, handler, error: message, ...(this.#unsaid === 0 ? {} : { othersSince: this.#unsaid }) }, "a handler failed; nothing was changed, on any replica");
    this.#saidAtMs = nowMs;
    this.#unsaid = 0;
  }
}
