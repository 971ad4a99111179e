/** A promise settled from outside; only the first time counts. */
import type { CorosyncError } from "./errors.js";

export class Waiter {
  readonly promise: Promise<void>;
  #settle!: (error: CorosyncError | undefined) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error));
    });
    // Whoever waits gets it; nobody waiting is no reason to end the process.
    this.promise.catch(() => undefined);
  }

  settle(error: CorosyncError | undefined): void {
    this.#settle(error);
  }
}
