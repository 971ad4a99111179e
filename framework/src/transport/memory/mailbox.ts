/**
 * What one member has still to be told, in order. Events are only put here while the group is ordered or changed; they
 * reach the listener from dispatch() alone, which only the network's turn calls: never re-entrant, never inside multicast().
 */
import type { ConfigurationChange, Delivery, GroupListener, RingId, VoteInfo } from "../group-transport.js";

export type MailboxEvent =
  | { readonly kind: "messages"; readonly messages: readonly Delivery[] }
  | { readonly kind: "change"; readonly change: ConfigurationChange }
  | { readonly kind: "ring"; readonly id: RingId; readonly nodes: readonly number[] }
  | { readonly kind: "quorum"; readonly quorate: boolean; readonly id: RingId; readonly votes: VoteInfo }
  | { readonly kind: "writable" }
  | { readonly kind: "closed"; readonly error?: Error };

export class Mailbox {
  /** While true, events wait: the member's process is frozen. */
  paused: boolean;
  readonly #listener: GroupListener;
  #waiting: MailboxEvent[] = [];
  #dispatching: MailboxEvent[] = [];

  constructor(listener: GroupListener, paused: boolean) {
    this.#listener = listener;
    this.paused = paused;
  }

  put(event: MailboxEvent): void {
    this.#waiting.push(event);
  }

  /** Forgets what was not told yet; `event` is the last one. */
  close(event: MailboxEvent): void {
    this.#dispatching.length = 0;
    this.#waiting = [event];
  }

  dispatch(): void {
    if (this.paused || this.#waiting.length === 0) return;
    const events = this.#waiting;
    this.#waiting = [];
    this.#dispatching = events;
    let told = 0;
    // A listener may pause or close its own member: look again before each event.
    while (told < events.length && !this.paused) this.#tell(events[told++] as MailboxEvent);
    if (told < events.length) this.#waiting = [...events.slice(told), ...this.#waiting];
    this.#dispatching = [];
  }

  #tell(event: MailboxEvent): void {
    try {
      callListener(this.#listener, event);
    } catch (error) {
      // A listener's mistake is its owner's, as an uncaught exception; the other members are served all the same.
      queueMicrotask(() => { throw error; });
    }
  }
}

function callListener(listener: GroupListener, event: MailboxEvent): void {
  switch (event.kind) {
    case "messages": return listener.deliver(event.messages);
    case "change": return listener.configurationChanged(event.change);
    case "ring": return listener.ringChanged(event.id, event.nodes);
    case "quorum": return listener.quorumChanged(event.quorate, event.id, event.votes);
    case "writable": return listener.writable();
    case "closed": return event.error === undefined ? listener.closed() : listener.closed(event.error);
  }
}
