/**
 * Follows the replica's applied state: one loop, whoever waits. Listeners get each new state once, with the events since the last.
 * Whatever the loop may have missed (a snapshot took the place of entries, the reader fell behind), listeners get as "unknown".
 */
import { isLockstepError } from "@lockstep/framework";
import type { LockEvent } from "../machine/events.js";
import type { LockReplica, LockState } from "../machine/machine.js";
import { eventsAfter, revision } from "../machine/views.js";

export interface Change {
  readonly state: LockState;
  /** Revision that the events follow. */
  readonly after: number;
  /** In their order; "unknown" if they are not known any more: look at the state. */
  readonly events: readonly LockEvent[] | "unknown";
}

export type ChangeListener = (change: Change) => void;

/** Read at a time: more would make one turn of the event loop long. */
const eventsAtOnce = 1000;

export class Changes {
  readonly #replica: LockReplica;
  readonly #listeners = new Set<ChangeListener>();
  readonly #stop = new AbortController();
  #seen: LockState;
  #revision: number;

  constructor(replica: LockReplica) {
    this.#replica = replica;
    this.#seen = replica.state;
    this.#revision = revision(replica.state);
    void this.#follow();
  }

  /** Calls back after every change of the applied state, until the returned function is called. It must not throw. */
  listen(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  close(): void {
    this.#stop.abort();
    this.#listeners.clear();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const events = this.#replica.events({ signal });
        let next = events.next();
        // What was applied before the iterator began.
        this.#look();
        while ((await next).done !== true) {
          this.#look();
          next = events.next();
        }
        return;
      } catch (error) {
        // Any other is the replica's own end, which whoever holds it is told of.
        if (!isLockstepError(error, "EVENTS_TRIMMED")) return;
      }
    }
  }

  #look(): void {
    const { state } = this.#replica;
    if (state === this.#seen) return;
    this.#seen = state;
    const newest = revision(state);
    if (newest === this.#revision) {
      this.#tell({ state, after: newest, events: [] });
      return;
    }
    while (this.#revision < newest) {
      const after = this.#revision;
      const { events, trimmed } = eventsAfter(state, after, eventsAtOnce);
      const last = events.at(-1)?.revision;
      this.#revision = trimmed || last === undefined ? newest : last;
      this.#tell({ state, after, events: trimmed || last === undefined ? "unknown" : events });
    }
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}
