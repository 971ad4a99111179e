/** What has happened, from a revision on: as a stream, or page by page. */
import type { LockEvent } from "../../machine/events.js";
import type { LockState } from "../../machine/machine.js";
import { eventsAfter, revision } from "../../machine/views.js";
import { Type } from "typebox";
import { demand, type App } from "../app.js";
import type { Change } from "../changes.js";
import { ServiceError } from "../errors.js";
import { viewOf, type EventView } from "../event-filter.js";
import { EventStreams, message, type Piece, type StreamSource } from "../event-streams.js";
import { closed, Consistency, errorAnswers, listOf, Event, LockPrefix, PageLimit, readCodes, ReadPollMs, Revision, SessionId } from "../schemas.js";
import type { Service } from "../service.js";
import { mayUse } from "../session-use.js";

/** Events of one write to a stream. */
const eventsOfPiece = 100;

export function eventRoutes(app: App, service: Service, streams: EventStreams): void {
  app.get("/v1/events", {
    schema: {
      operationId: "events", tags: ["events"], summary: "What has happened",
      description: "With `Accept: text/event-stream`: a stream of server-sent events (id: revision), which understands Last-Event-ID. Otherwise: the next ones, as JSON. " +
        "Needs the right to read the prefix, or to use the session.",
      querystring: closed({
        after: Type.Optional(Type.Integer({ minimum: 0, description: "Events after this revision. Default: after the present." })),
        session: Type.Optional(SessionId), prefix: Type.Optional(LockPrefix), limit: Type.Optional(PageLimit), pollMs: Type.Optional(ReadPollMs), consistency: Type.Optional(Consistency),
      }),
      response: {
        200: { description: "Events in their order.", content: {
          "application/json": { schema: closed({ events: listOf(Event), revision: Revision }, "The next ones; go on after `revision`.") },
          "text/event-stream": { schema: Type.String({ description: "event: its type; id: its revision; data: the event. A comment with an id, now and then: nothing was to be told up to it. When some are not held any more: event: trimmed, and the end." }) },
        } },
        ...errorAnswers("EVENTS_TRIMMED", "SESSION_OVER", "LIMIT_REACHED", ...readCodes),
      },
    },
  }, async (call, reply) => {
    const { session, prefix, pollMs = 0, limit = service.limits.pageRows, consistency = "linearizable" } = call.query;
    if (session === undefined) demand(call.principal.may("read", prefix ?? ""), call, `read locks that begin with ${JSON.stringify(prefix ?? "")}`);
    else await mayUse(service, call, session);
    const state = await service.read(consistency);
    // A stream that is taken up again says so by its header; its address is what it was at first.
    const after = lastEventId(call.headers["last-event-id"]) ?? call.query.after ?? revision(state);
    const view = viewOf({ session, prefix }, call.principal);
    refuseTrimmed(state, after);
    // An applied state may be older than what another replica has told.
    if (consistency === "linearizable") refuseUnknown(state, after);
    if (call.headers.accept?.includes("text/event-stream") === true) {
      streams.open(reply, new EventSource(after, view));
      return reply;
    }
    const reader = new Reader(after, view);
    const found = await service.calls.until((state) => reader.read(state, limit), pollMs, reply.raw);
    return { events: found ?? [], revision: reader.revision };
  });
}

function lastEventId(header: string | string[] | undefined): number | undefined {
  return typeof header === "string" && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}

function refuseTrimmed(state: LockState, after: number): void {
  const { trimmed, oldest } = eventsAfter(state, after, 1);
  if (trimmed) throw new ServiceError("EVENTS_TRIMMED", `events after revision ${after} are not all held any more: read the state, and go on from its revision`, { oldest });
}

/** Whoever goes on after what has not happened would hear nothing until as much has. */
function refuseUnknown(state: LockState, after: number): void {
  if (after <= revision(state)) return;
  const { oldest } = eventsAfter(state, after, 1);
  throw new ServiceError("EVENTS_TRIMMED", `there is no revision ${after}: the service has begun anew since, or was restored from a backup. Read the state, and go on from its revision`, { oldest });
}

/** Reads on through the events that are not for its caller, without looking at any twice. */
class Reader {
  readonly #view: EventView;
  revision: number;

  constructor(after: number, view: EventView) {
    this.revision = after;
    this.#view = view;
  }

  /** The next ones; undefined if there are none yet. */
  read(state: LockState, limit: number): readonly LockEvent[] | undefined {
    const found: LockEvent[] = [];
    for (;;) {
      const { events, trimmed } = eventsAfter(state, this.revision, limit);
      if (trimmed) refuseTrimmed(state, this.revision);
      for (const event of events) {
        const seen = this.#view(event);
        if (seen !== undefined) found.push(seen);
        this.revision = event.revision;
        if (found.length === limit) return found;
      }
      if (events.length < limit) return found.length === 0 ? undefined : found;
    }
  }
}

class EventSource implements StreamSource {
  readonly #view: EventView;
  revision: number;

  constructor(after: number, view: EventView) {
    this.revision = after;
    this.#view = view;
  }

  read(state: LockState, change: Change | undefined): Piece {
    const live = change !== undefined && change.after === this.revision && change.events !== "unknown" ? change.events : undefined;
    const { events, trimmed, oldest } = live === undefined ? eventsAfter(state, this.revision, eventsOfPiece) : { events: live, trimmed: false, oldest: 0 };
    if (trimmed) return { text: message("trimmed", this.revision, { oldest }), next: "end" };
    let text = "";
    for (const event of events) {
      const seen = this.#view(event);
      if (seen !== undefined) text += message(seen.type, seen.revision, seen);
      this.revision = event.revision;
    }
    return { text, next: live === undefined && events.length === eventsOfPiece ? "more" : "wait" };
  }
}
