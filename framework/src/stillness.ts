/**
 * Whether anything comes from the group while somebody waits for it. Nothing does while Corosync forms a ring, and while its daemon on this node
 * stands still, which nobody tells: whoever asks meanwhile waits, and it is to be seen that it is so.
 */
export interface StillnessParts {
  readonly isAwaited: () => boolean;
  /** How long nothing may come, milliseconds. */
  readonly patienceMs: number;
  /** Nothing has come for so long. */
  readonly began: () => void;
  /** Something comes again. */
  readonly ended: () => void;
}

/** A tick that comes later than that: this process itself stood still, and what came meanwhile is still to be taken. */
const longestTickMs = 500;

export class Stillness {
  readonly #parts: StillnessParts;
  #tickedMs: number | undefined;
  /** For so long it is awaited, and nothing has come. */
  #waitedMs = 0;
  #still = false;

  constructor(parts: StillnessParts) {
    this.#parts = parts;
  }

  /** Something has come. */
  heard(): void {
    this.#waitedMs = 0;
    if (!this.#still) return;
    this.#still = false;
    this.#parts.ended();
  }

  tick(nowMs: number): void {
    const sinceMs = nowMs - (this.#tickedMs ?? nowMs);
    this.#tickedMs = nowMs;
    this.#waitedMs = this.#parts.isAwaited() ? this.#waitedMs + Math.min(sinceMs, longestTickMs) : 0;
    if (this.#still || this.#waitedMs <= this.#parts.patienceMs) return;
    this.#still = true;
    this.#parts.began();
  }
}
