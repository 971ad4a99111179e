/** Who waits for a replica to be ready, and what they are told. */
import { checkCallOptions } from "./call-options.js";
import { LockstepError } from "./errors.js";
import type { ReplicaRole } from "./replica-api.js";
import type { Scheduler } from "./scheduler.js";
import { checkSignal } from "./signals.js";

export interface ReadinessParts {
  readonly scheduler: Scheduler;
  /** Active, with the state that its view began with. */
  readonly isReady: () => boolean;
  readonly role: () => { readonly role: ReplicaRole; readonly reason: string | undefined };
}

export interface ReadyOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

const optionNames: Readonly<Record<keyof ReadyOptions, true>> = { signal: true, timeoutMs: true };

export class Readiness {
  readonly #parts: ReadinessParts;
  /** Each looks whether its wait is over. */
  readonly #waiting = new Set<() => void>();

  constructor(parts: ReadinessParts) {
    this.#parts = parts;
  }

  /** The role has changed, or an entry was applied. */
  changed(): void {
    for (const look of this.#waiting) look();
  }

  /** @throws LockstepError NOT_READY (time, signal), STOPPED, INVALID_INPUT (a time or a signal that is none, other options). */
  async wait(options: ReadyOptions): Promise<void> {
    checkCallOptions(options, optionNames, "ready()");
    const { signal, timeoutMs = Infinity } = options;
    checkSignal(signal);
    if (timeoutMs !== Infinity && !(Number.isFinite(timeoutMs) && timeoutMs > 0)) {
      throw new LockstepError("INVALID_INPUT", `timeoutMs must be a positive number of milliseconds, or Infinity, not ${String(timeoutMs)}`);
    }
    const { scheduler, isReady, role: now } = this.#parts;
    return new Promise((resolve, reject) => {
      const finish = (error?: Error): void => {
        cancelTimer?.();
        signal?.removeEventListener("abort", aborted);
        this.#waiting.delete(look);
        if (error === undefined) resolve();
        else reject(error);
      };
      const look = (): void => {
        const { role, reason } = now();
        if (isReady()) finish();
        else if (role === "stopped") finish(new LockstepError("STOPPED", `the replica was stopped${reason === undefined ? "" : `: ${reason}`}`));
      };
      const aborted = (): void => finish(new LockstepError("NOT_READY", "the signal was aborted before the replica was ready", { cause: signal?.reason }));
      const tooLate = (): void => {
        const { role, reason } = now();
        finish(new LockstepError("NOT_READY", `not ready after ${timeoutMs} ms: ${role}${reason === undefined ? "" : `, ${reason}`}`));
      };
      const cancelTimer = timeoutMs === Infinity ? undefined : scheduler.after(timeoutMs, tooLate);
      this.#waiting.add(look);
      signal?.addEventListener("abort", aborted, { once: true });
      if (signal?.aborted === true) aborted();
      else look();
    });
  }
}
