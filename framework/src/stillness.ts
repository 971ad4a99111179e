/**
 * Whether anything comes from the group while somebody waits for it. Nothing does while Corosync forms a ring, and while its daemon on this node
 * stands still, which nobody tells: whoever asks meanwhile waits, and it is to be seen that it is so.
 */
export class Stillness {
  readonly #isAwaited: () => boolean;
  readonly #patienceMs: number;
  /** Since then it is awaited, and nothing has come. */
  #sinceMs: number | undefined;
  #still = false;

  constructor(isAwaited: () => boolean, patienceMs: number) {
    this.#isAwaited = isAwaited;
    this.#patienceMs = patienceMs;
  }

  /** Something has come. True if that ends a stillness that was told of. */
  ended(): boolean {
    const told = this.#still;
    this.#still = false;
    this.#sinceMs = undefined;
    return told;
  }

  /** True once, when nothing has come for too long. */
  begins(nowMs: number): boolean {
    this.#sinceMs = this.#isAwaited() ? this.#sinceMs ?? nowMs : undefined;
    if (this.#still || this.#sinceMs === undefined || nowMs - this.#sinceMs <= this.#patienceMs) return false;
    this.#still = true;
    return true;
  }
}
