/**
 * When to try again after "busy". Corosync does not tell when there is room (cpg_flow_control_state_get is always "disabled"), so this
 * waits: 1 ms at first, and up to 5 ms while it stays busy, which a ring of 50 MB/s fills with a quarter of a megabyte.
 */
const firstMs = 1;
const mostMs = 5;

export class WritableTimer {
  #tell: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = firstMs;

  start(tell: () => void): void {
    this.#tell = tell;
  }

  /** After "busy". */
  schedule(): void {
    if (this.#tell === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#tell?.();
    }, this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, mostMs);
  }

  /** After "queued". */
  succeeded(): void {
    this.#pauseMs = firstMs;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#tell = undefined;
  }
}
