/** Server-sent events that go on through another replica when one is gone. */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import type { ClientClock } from "./clock.js";
import type { Endpoints } from "./endpoints.js";
import { LockServiceError, UnavailableError } from "./errors.js";

const firstPauseMs = 50;
const longestPauseMs = 2000;

export interface StreamOptions {
  readonly endpoints: Endpoints;
  readonly clock: ClientClock;
  readonly path: string;
  /** Goes on after this event. */
  readonly lastEventId?: string | undefined;
  readonly signal: AbortSignal;
}

/** Ends when the signal is aborted. @throws LockServiceError for answers that trying again does not change. */
export async function* eventStream({ endpoints, clock, path, lastEventId, signal }: StreamOptions): AsyncGenerator<EventSourceMessage, void> {
  let last = lastEventId;
  let pauseMs = firstPauseMs;
  while (!signal.aborted) {
    try {
      const received: EventSourceMessage[] = [];
      const parser = createParser({ onEvent: (event) => received.push(event) });
      const decoder = new TextDecoder();
      for await (const bytes of await endpoints.stream(path, last === undefined ? {} : { "last-event-id": last }, signal)) {
        parser.feed(decoder.decode(bytes, { stream: true }));
        pauseMs = firstPauseMs;
        for (const event of received.splice(0)) {
          last = event.id ?? last;
          yield event;
        }
      }
      endpoints.moveOn();
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof LockServiceError && !(error instanceof UnavailableError)) throw error;
    }
    await new Promise<void>((resolve) => {
      clock.after(pauseMs * (0.5 + Math.random() / 2), resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}
