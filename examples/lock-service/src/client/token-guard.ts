/** The other half of fencing: a resource that refuses whoever comes with an older token than it has seen. */
import { StaleTokenError } from "./errors.js";

export class TokenGuard {
  #highest: number;

  /** @param highest What it had seen before; keep it with the data that it guards. */
  constructor(highest = 0) {
    this.#highest = highest;
  }

  /** To be stored in the same write as what it guards. */
  get highest(): number {
    return this.#highest;
  }

  /** @throws StaleTokenError if a higher token was seen: its holder may be at work. */
  admit(token: number): void {
    if (!Number.isSafeInteger(token) || token < this.#highest) {
      throw new StaleTokenError("STALE_TOKEN", `token ${token} is older than ${this.#highest}: the lock has gone to another since`, { details: { highest: this.#highest } });
    }
    this.#highest = token;
  }
}
