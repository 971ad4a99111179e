/** The baseline's messages on their way to Corosync, in their order, again after a pause while it is busy. */
import { isCorosyncError } from "@lockstep/corosync";
import type { Cpg } from "@lockstep/corosync";

const pauseMs = 3;

export class Outbox {
  readonly #cpg: Cpg;
  readonly #queue: Uint8Array[] = [];
  #waiting = false;

  constructor(cpg: Cpg) {
    this.#cpg = cpg;
  }

  send(message: unknown): void {
    this.#queue.push(Buffer.from(JSON.stringify(message)));
    this.#drain();
  }

  #drain(): void {
    while (!this.#waiting && this.#queue.length > 0) {
      if (!this.#multicast(this.#queue[0] as Uint8Array)) {
        this.#waiting = true;
        setTimeout(() => {
          this.#waiting = false;
          this.#drain();
        }, pauseMs);
        return;
      }
      this.#queue.shift();
    }
  }

  /** False: not taken. What cannot be sent any more is dropped with the daemon. */
  #multicast(message: Uint8Array): boolean {
    try {
      return this.#cpg.multicast(message) === "queued";
    } catch (error) {
      if (isCorosyncError(error)) return true;
      throw error;
    }
  }
}
