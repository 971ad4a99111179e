/**
 * Own messages on their way: multicast and not delivered here yet. Corosync's own queue is short, but it empties while this process'
 * event loop is busy sending, and everything comes back here.
 */

/** What a message weighs besides its bytes: a view, a delivery, a place in a queue. */
const bookkeepingBytes = 128;

export class SendWindow {
  readonly #limitBytes: number;
  #underWayBytes = 0;
  #wasFull = false;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Whether a message of this size has room. One that is alone always has: larger than the window it would wait for ever. */
  admits(bytes: number): boolean {
    const fits = this.#underWayBytes === 0 || this.#underWayBytes + bytes + bookkeepingBytes <= this.#limitBytes;
    if (!fits) this.#wasFull = true;
    return fits;
  }

  sent(bytes: number): void {
    this.#underWayBytes += bytes + bookkeepingBytes;
  }

  delivered(bytes: number): void {
    this.#underWayBytes = Math.max(0, this.#underWayBytes - bytes - bookkeepingBytes);
  }

  /** True once after admits() has said no, as soon as half of the window is free: fewer, larger runs. */
  reopened(): boolean {
    if (!this.#wasFull || this.#underWayBytes > this.#limitBytes / 2) return false;
    this.#wasFull = false;
    return true;
  }

  /** Forgets what is under way: it may never come back (the end of a ring can lose messages), and must not close the window for ever. */
  reset(): void {
    this.#underWayBytes = 0;
  }
}
