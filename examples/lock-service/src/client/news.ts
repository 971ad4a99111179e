/**
 * What happens from outside to what a session holds: an operator takes a lock, somebody waits for one. It is heard through a stream of events; where some were
 * missed, the service is asked what the session holds still.
 */
import type { LockEvent } from "../machine/events.js";
import type { RequestPage } from "../machine/view-types.js";
import type { ClientClock } from "./clock.js";
import type { Endpoints } from "./endpoints.js";
import { EventsTrimmedError } from "./errors.js";
import { eventStream } from "./event-stream.js";
import type { Grant, GrantsByRequest } from "./grant.js";
import type { Session } from "./session.js";

const taken = "an operator has taken it";

export class News {
  readonly session: Session;
  /** Those who are told. */
  readonly grants: GrantsByRequest = new Map();
  readonly #endpoints: Endpoints;
  readonly #clock: ClientClock;
  /** Requests that are unknown here, because the answer that they were granted comes after the news that they were taken. */
  readonly #takenEarly = new Set<string>();

  constructor(session: Session, endpoints: Endpoints, clock: ClientClock) {
    this.session = session;
    this.#endpoints = endpoints;
    this.#clock = clock;
    // Without news, a lock that was taken is noticed by what is asked next, or by its token.
    void this.#listen().catch(() => undefined);
  }

  /** Nothing that was heard before may be lost on it. */
  arrived(request: string, grant: Grant): void {
    if (this.#takenEarly.delete(request)) grant.taken(taken);
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

  /** Events were missed: what is held here and not there was taken. Resolves to the revision from which on there are news again. */
  async #look(): Promise<number> {
    const { revision } = (await this.#get(`/v1/events?session=${encodeURIComponent(this.session.id)}`)) as { readonly revision: number };
    const before = new Map(Array.from(new Set(this.grants.values()), (grant) => [grant, grant.requests]));
    const there = await this.#granted();
    for (const [grant, requests] of before) if (![...requests, ...grant.requests].some((request) => there.has(request))) grant.taken(taken);
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
    if (event.type === "released" && event.reason === "forced") {
      const grant = this.grants.get(event.request);
      if (grant === undefined) this.#takenEarly.add(event.request);
      else grant.taken(taken);
    } else if (event.type === "blocking") {
      this.grants.get(event.request)?.onBlocking?.({ lock: event.lock, wanted: event.wanted });
    }
  }
}
