/**
 * When to try again after "busy". Corosync does not tell when there is room (cpg_flow_control_state_get is always "disabled"), so this
 * waits: 1 ms at first, and up to 5 ms while it stays busy, which a ring of 50 MB/s fills with a quarter of a megabyte.
 */
const firstMs = 1;
const mostMs = 5;

/** The own messages under way are counted as lost if none has come back for so long: longer than any ring takes to form. */
export const lostAfterMs = 10_000;

export class WritableTimer {
  #tell: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = firstMs;

  start(tell: () => void): void {
    this.#tell = tell;
  }

  /** After "busy" from the daemon. */
  scheduleSoon(): void {
    if (this.#timer !== undefined) return;
    this.#schedule(this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, mostMs);
  }

  /** After "busy" for own messages under way: their return is what makes room, this is for when it never comes. */
  scheduleLate(whenLost: () => void): void {
    this.#schedule(lostAfterMs, whenLost);
  }

  /** Tells now, in place of a waiting timer. */
  now(): void {
    this.#clear();
    this.#tell?.();
  }

  /** After "queued". */
  succeeded(): void {
    this.#pauseMs = firstMs;
  }

  stop(): void {
    this.#clear();
    this.#tell = undefined;
  }

  #schedule(pauseMs: number, before?: () => void): void {
    if (this.#tell === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      before?.();
      this.#tell?.();
    }, pauseMs);
  }

  #clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
