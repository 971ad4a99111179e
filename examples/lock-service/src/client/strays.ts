/**
 * Grants that this client does not ask for any more. A request can come once more when it is over, late, from a replica or a proxy that stood still; the service
 * remembers only the newest of a session's requests that are over, and grants one that it has forgotten anew. Nobody would ever give that back: this does.
 */
import type { ClientClock } from "./clock.js";
import type { Session } from "./session.js";
import { giveUp } from "./settle.js";

/** For the news that it was given back, which follows that of the grant. To give back what was given back already does no harm. */
const newsMs = 1000;

export class Strays {
  readonly #session: Session;
  readonly #clock: ClientClock;
  readonly #isWanted: (request: string) => boolean;
  /** How to stop waiting for the end of each. */
  readonly #waiting = new Map<string, () => void>();

  /** @param isWanted Whether a request is held here, or asked for. */
  constructor(session: Session, clock: ClientClock, isWanted: (request: string) => boolean) {
    this.#session = session;
    this.#clock = clock;
    this.#isWanted = isWanted;
  }

  /** A request of the session was granted. */
  granted(request: string): void {
    if (this.#isWanted(request) || this.#waiting.has(request)) return;
    this.#waiting.set(request, this.#clock.after(newsMs, () => {
      this.#waiting.delete(request);
      if (!this.#isWanted(request)) void giveUp(this.#session, request);
    }));
  }

  /** It has ended by itself. */
  ended(request: string): void {
    this.#waiting.get(request)?.();
    this.#waiting.delete(request);
  }
}
