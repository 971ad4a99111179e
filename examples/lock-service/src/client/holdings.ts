/**
 * What a session holds, and what happens to it from outside: the session ends, an operator takes a lock, somebody waits for one, a request that is over is granted
 * once more. All but the first are heard through a stream of events; where some were missed, the service is asked what the session holds still.
 */
import type { LockEvent } from "../machine/events.js";
import type { RequestPage } from "../machine/view-types.js";
import type { ClientClock } from "./clock.js";
import type { Endpoints } from "./endpoints.js";
import { EventsTrimmedError, LockLostError } from "./errors.js";
import { eventStream } from "./event-stream.js";
import type { Grant } from "./grant.js";
import type { Session } from "./session.js";
import { Strays } from "./strays.js";

const taken = "an operator has taken it";

export class Holdings {
  readonly session: Session;
  readonly #endpoints: Endpoints;
  readonly #clock: ClientClock;
  readonly #grants = new Map<string, Grant>();
  /** Requests that are unknown here, because the answer that they were granted comes after the news that they were taken. */
  readonly #takenEarly = new Set<string>();
  readonly #strays: Strays;

  /** @param asked Requests whose answers the client waits for. */
  constructor(session: Session, endpoints: Endpoints, clock: ClientClock, asked: ReadonlySet<string>) {
    this.session = session;
    this.#endpoints = endpoints;
    this.#clock = clock;
    this.#strays = new Strays(session, clock, (request) => this.#grants.has(request) || asked.has(request));
    session.signal.addEventListener("abort", () => {
      for (const grant of this.#grants.values()) grant.lose(session.signal.reason as LockLostError);
    }, { once: true });
    // Without news, a lock that was taken is noticed by what is asked next, or by its token.
    void this.#listen().catch(() => undefined);
  }

  add(request: string, grant: Grant): void {
    if (this.session.signal.aborted) grant.lose(this.session.signal.reason as LockLostError);
    else if (this.#takenEarly.delete(request)) grant.lose(new LockLostError(taken));
    else this.#grants.set(request, grant);
  }

  remove(request: string): void {
    this.#grants.delete(request);
  }

  async #listen(): Promise<void> {
    for (let after = this.session.revision; this.session.alive;) {
      try {
        await this.#listenAfter(after);
      } catch (error) {
        if (!(error instanceof EventsTrimmedError)) throw error;
        after = await this.#look();
      }
    }
  }

  async #listenAfter(after: number): Promise<void> {
    const path = `/v1/events?session=${encodeURIComponent(this.session.id)}&after=${after}`;
    for await (const { event, data } of eventStream({ endpoints: this.#endpoints, clock: this.#clock, path, signal: this.session.signal })) {
      // After these two the stream ends, and is opened elsewhere; there, what is trimmed is an error.
      if (event !== "trimmed" && event !== "error") this.#heard(JSON.parse(data) as LockEvent);
    }
  }

  /** Events were missed: what is held here and not there was taken, and the other way round is a stray. Resolves to the revision from which on there are news again. */
  async #look(): Promise<number> {
    const { revision } = (await this.#get(`/v1/events?session=${encodeURIComponent(this.session.id)}`)) as { readonly revision: number };
    const before = new Map(Array.from(new Set(this.#grants.values()), (grant) => [grant, grant.requests]));
    const there = await this.#granted();
    for (const [grant, requests] of before) if (![...requests, ...grant.requests].some((request) => there.has(request))) grant.lose(new LockLostError(taken));
    for (const request of there) this.#strays.granted(request);
    return revision;
  }

  async #granted(): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for (let after: string | null = "", page: RequestPage; after !== null; after = page.next) {
      page = (await this.#get(`${this.session.path}/requests${after === "" ? "" : `?after=${encodeURIComponent(after)}`}`)) as RequestPage;
      for (const { request, status } of page.requests) if (status === "granted") found.add(request);
    }
    return found;
  }

  async #get(path: string): Promise<unknown> {
    return (await this.#endpoints.call({ method: "GET", path, signal: this.session.signal })).body;
  }

  #heard(event: LockEvent): void {
    if (event.type === "granted") this.#strays.granted(event.request);
    else if (event.type === "released") this.#strays.ended(event.request);
    if (event.type === "released" && event.reason === "forced") {
      const grant = this.#grants.get(event.request);
      if (grant === undefined) this.#takenEarly.add(event.request);
      else grant.lose(new LockLostError(taken));
    } else if (event.type === "blocking") {
      this.#grants.get(event.request)?.onBlocking?.({ lock: event.lock, wanted: event.wanted });
    }
  }
}
