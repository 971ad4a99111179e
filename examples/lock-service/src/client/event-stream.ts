/** Server-sent events that go on through another replica when one is gone. */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { pause, type ClientClock } from "./clock.js";
import type { Endpoints, EventBytes } from "./endpoints.js";
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
    let stream: EventBytes | undefined;
    try {
      stream = await endpoints.stream(path, last === undefined ? {} : { "last-event-id": last }, signal);
      for await (const { id, event } of told(stream.bytes)) {
        last = id ?? last;
        if (event === undefined) continue;
        pauseMs = firstPauseMs;
        yield event;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof LockServiceError && !(error instanceof UnavailableError)) throw error;
    }
    stream?.leave();
    await pause(clock, pauseMs, signal);
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}

interface Told {
  /** To go on after. */
  readonly id: string | undefined;
  /** Undefined: there was nothing to tell up to this id. */
  readonly event?: EventSourceMessage;
}

async function* told(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Told, void> {
  const received: Told[] = [];
  const parser = createParser({
    onEvent: (event) => received.push({ id: event.id, event }),
    // An id without data is dropped by the parser.
    onComment: (comment) => {
      const revision = /^revision (\d+)$/.exec(comment)?.[1];
      if (revision !== undefined) received.push({ id: revision });
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of bytes) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* received.splice(0);
  }
}
