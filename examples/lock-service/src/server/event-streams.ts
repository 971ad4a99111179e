/**
 * Server-sent events. A stream has a source that reads on from the replicated state, and nothing of its own: while its reader takes
 * nothing, nothing is read for it, so that a slow one costs no memory. One that takes nothing for a whole keep-alive interval is cut off;
 * one that falls behind what the state still holds is told so by its source.
 */
import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";
import type { LockState } from "../machine/machine.js";
import type { Change } from "./changes.js";
import { ServiceError } from "./errors.js";
import type { Service } from "./service.js";

/** What one stream tells. */
export interface StreamSource {
  /** The next piece at this state, which `change` has brought if it is given. */
  read(state: LockState, change: Change | undefined): Piece;
  /** For Last-Event-ID: how far it has read. */
  readonly revision: number;
}

export interface Piece {
  /** Messages; empty if there is nothing to tell. */
  readonly text: string;
  readonly next: "more" | "wait" | "end";
}

/** One message. `data` is JSON, and so without line ends. */
export function message(event: string, id: number, data: unknown): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

export class EventStreams {
  readonly #service: Service;
  readonly #streams = new Set<Stream>();

  constructor(service: Service) {
    this.#service = service;
    service.changes.listen((change) => {
      for (const stream of this.#streams) stream.pump(change);
    });
    service.availability.listen((refusal) => {
      for (const stream of this.#streams) stream.end(message("error", stream.revision, refusal.body));
    });
  }

  /** Takes the response over. @throws ServiceError LIMIT_REACHED, or why this replica is of no use. */
  open(reply: FastifyReply, source: StreamSource): void {
    const { limits, availability } = this.#service;
    if (availability.refusal !== undefined) throw availability.refusal;
    if (this.#streams.size >= limits.streams) throw new ServiceError("LIMIT_REACHED", `this replica has ${limits.streams} streams open`, { limit: "streams", most: limits.streams });
    reply.hijack();
    const response = reply.raw;
    const stream = new Stream(response, source, () => this.#service.state, limits.streamKeepAliveMs);
    this.#streams.add(stream);
    response.once("close", () => {
      this.#streams.delete(stream);
      stream.stop();
    });
    stream.begin();
  }
}

class Stream {
  readonly #response: ServerResponse;
  readonly #source: StreamSource;
  readonly #state: () => LockState;
  readonly #keepAlive: NodeJS.Timeout;
  /** The reader has not taken what was written. */
  #stalled = false;
  /** It had not when the last keep-alive was due either. */
  #stalledBefore = false;

  constructor(response: ServerResponse, source: StreamSource, state: () => LockState, keepAliveMs: number) {
    this.#response = response;
    this.#source = source;
    this.#state = state;
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store", "x-accel-buffering": "no" });
    response.flushHeaders();
    response.on("drain", () => {
      this.#stalled = false;
      this.#stalledBefore = false;
      this.pump(undefined);
    });
    this.#keepAlive = setInterval(() => this.#tick(), keepAliveMs);
  }

  get revision(): number {
    return this.#source.revision;
  }

  /** Whoever is cut off before anything has happened can resume from here: the next one would begin at its own present. */
  begin(): void {
    this.pump(undefined);
    if (!this.#stalled && !this.#response.writableEnded) this.#mark();
  }

  /** Sends what there is, as long as the reader takes it. */
  pump(change: Change | undefined): void {
    while (!this.#stalled && !this.#response.writableEnded) {
      const { text, next } = this.#source.read(change?.state ?? this.#state(), change);
      if (next === "end") return this.end(text);
      if (text !== "" && !this.#response.write(text)) this.#stalled = true;
      if (next === "wait") return;
    }
  }

  end(text: string): void {
    this.stop();
    // It may have ended, and its connection not yet.
    if (!this.#response.writableEnded) this.#response.end(text);
  }

  stop(): void {
    clearInterval(this.#keepAlive);
  }

  #tick(): void {
    if (this.#stalled && this.#stalledBefore) this.#response.destroy();
    else if (this.#stalled) this.#stalledBefore = true;
    else this.#mark();
  }

  /** The id lets a reader to whom nothing was told for long resume from here; the comment is for those whose parsers drop an id without data. */
  #mark(): void {
    const { revision } = this.#source;
    this.#stalled = !this.#response.write(`: revision ${revision}\nid: ${revision}\n\n`);
  }
}
