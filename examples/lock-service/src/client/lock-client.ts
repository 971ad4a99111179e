/** What an application holds: locks, semaphores, elections, at a service of several replicas, in one session that is kept alive. */
import { randomUUID } from "node:crypto";
import { systemClientClock, type ClientClock } from "./clock.js";
import { Endpoints, type Call, type TlsSettings } from "./endpoints.js";
import { LockDelayError, LockHeldError, LockServiceError, StaleTokenError } from "./errors.js";
import type { LockEvent } from "../machine/events.js";
import { eventStream } from "./event-stream.js";
import { Grant, type ModeName } from "./grant.js";
import { Holdings } from "./holdings.js";
import { ownerOfCaller, runAs } from "./owner.js";
import { Session, type SessionOptions } from "./session.js";
import { decided, giveUp, settle } from "./settle.js";

export interface LockClientOptions {
  /** Of the replicas, such as http://127.0.0.1:7400; tried in this order, kept while it answers. */
  readonly endpoints: readonly string[];
  /** If the service asks for one. */
  readonly token?: string;
  readonly tls?: TlsSettings;
  /** For people: shown with its sessions. */
  readonly name?: string;
  /** How long others wait for the locks of a client that died; default 15 s, at least 1 s. */
  readonly ttlMs?: number;
  /** After a session that ended by itself, nobody gets its locks for so long; default 0. */
  readonly lockDelayMs?: number;
  /** The session also ends with the replica process that opened it; for clients on its host. Default false. */
  readonly bound?: boolean;
  /** For one answer of one replica; default 5 s. */
  readonly attemptMs?: number;
  /** How long other replicas are asked when one cannot answer, again and again, before a call fails; default 30 s. */
  readonly patienceMs?: number;
  readonly clock?: ClientClock;
}

export interface AcquireOptions {
  /** Default exclusive. */
  readonly mode?: ModeName;
  /** Makes each name a semaphore of so many permits. */
  readonly limit?: number;
  /** Of the semaphore; default 1. */
  readonly permits?: number;
  /** 0: not at all; null (default): for ever. */
  readonly waitMs?: number | null;
  /** Gives up waiting. */
  readonly signal?: AbortSignal;
  /** Shown with the holder. */
  readonly value?: string;
  /**
   * Whose request this is, for finding deadlocks. Default: of the withLock() or elect() around the call, else nobody else's. A task that acquires one lock after
   * the other outside these should name itself.
   */
  readonly owner?: string;
}

export interface EventsOptions {
  /** Events after this revision; default: after the present. */
  readonly after?: number;
  /** Only about locks whose names begin so. */
  readonly prefix?: string;
  readonly signal?: AbortSignal;
}

export interface ForceReleased {
  /** Grants that were taken. */
  readonly released: number;
  /** Whose they were. */
  readonly sessions: readonly string[];
  readonly revision: number;
}

export interface Leader {
  readonly session: string;
  readonly value: string | null;
  readonly token: number;
  readonly since: number;
}

export class LockClient {
  readonly #endpoints: Endpoints;
  readonly #clock: ClientClock;
  readonly #options: SessionOptions;
  readonly #closing = new AbortController();
  #session: Promise<Session> | undefined;
  /** Of the session that something was granted in last. */
  #holdings: Holdings | undefined;
  /** Requests whose answers are waited for. */
  readonly #asked = new Set<string>();

  /** Nothing is asked before it is needed. @throws LockServiceError INVALID_ENDPOINT */
  constructor({ endpoints, token, tls, name = "", ttlMs = 15_000, lockDelayMs = 0, bound = false, attemptMs = 5000, patienceMs = 30_000, clock = systemClientClock }: LockClientOptions) {
    this.#endpoints = new Endpoints({ endpoints, token, tls, attemptMs, patienceMs, clock });
    this.#clock = clock;
    this.#options = { name, ttlMs, lockDelayMs, bound };
  }

  /**
   * Runs `critical` while the lock (or all of several) is held, and gives it back afterwards, whatever happens. `signal` is aborted before another can have
   * it: stop then. Send `token` with every write.
   * @throws What `critical` throws; LockLostError if the lock was lost while it ran; LockServiceError if it was not granted.
   */
  async withLock<T>(names: string | readonly string[], options: AcquireOptions, critical: (grant: Grant) => T | Promise<T>): Promise<T> {
    const owner = options.owner ?? ownerOfCaller();
    const grant = await this.#acquire(names, options, owner);
    try {
      const result = await runAs(owner, () => critical(grant));
      grant.assertHeld();
      return result;
    } finally {
      await grant.release();
    }
  }

  /** Resolves when it is granted. Whoever asks so has to release it. @throws LockServiceError */
  acquire(names: string | readonly string[], options: AcquireOptions = {}): Promise<Grant> {
    return this.#acquire(names, options, options.owner ?? ownerOfCaller());
  }

  /** Undefined if it is not free now. */
  async tryLock(names: string | readonly string[], options: Omit<AcquireOptions, "waitMs"> = {}): Promise<Grant | undefined> {
    try {
      return await this.acquire(names, { ...options, waitMs: 0 });
    } catch (error) {
      if (error instanceof LockHeldError || error instanceof LockDelayError) return undefined;
      throw error;
    }
  }

  /**
   * Stands for election and runs `lead` while it leads, again after every loss of the lead, until `lead` returns or throws while it leads: then it resigns.
   * The signal ends standing for election; `lead` has to look at it by itself.
   * @returns what `lead` returned. @throws What it threw; the signal's reason.
   */
  async elect<T>(name: string, { value = "", signal }: { readonly value?: string; readonly signal?: AbortSignal }, lead: (leadership: Grant) => T | Promise<T>): Promise<T> {
    const owner = ownerOfCaller();
    for (;;) {
      const leadership = await this.#acquire(name, { value, ...(signal === undefined ? {} : { signal }) }, owner);
      try {
        const result = await runAs(owner, () => lead(leadership));
        if (!leadership.lost) return result;
      } catch (error) {
        // What the loss of the lead made fail is no failure of its own.
        if (!leadership.lost) throw error;
      } finally {
        await leadership.release();
      }
    }
  }

  /** The leaders of an election: the present one first; null while there is none. Ends when the signal is aborted, or the client closed. */
  async *observe(name: string, { signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<Leader | null, void> {
    let told: string | undefined;
    for await (const { event, data } of this.#stream(`/v1/elections/${encodeURIComponent(name)}/observe`, signal)) {
      // A stream that was taken up elsewhere begins with what is known already.
      if (event !== "leader" || data === told) continue;
      told = data;
      yield JSON.parse(data) as Leader | null;
    }
  }

  /**
   * What happens to locks, through whichever replica. Ends when the signal is aborted, or the client closed.
   * @throws EventsTrimmedError if events were missed that the service does not keep any more, or that it lost as it began anew: look at the state, and begin anew.
   */
  async *events({ after, prefix, signal }: EventsOptions = {}): AsyncGenerator<LockEvent, void> {
    const query = new URLSearchParams({ ...(after === undefined ? {} : { after: String(after) }), ...(prefix === undefined ? {} : { prefix }) });
    for await (const { event, data } of this.#stream(`/v1/events?${query.toString()}`, signal)) {
      // After these two the stream ends, and is opened elsewhere; there, what is trimmed is an error.
      if (event !== "trimmed" && event !== "error") yield JSON.parse(data) as LockEvent;
    }
  }

  /** Whether a token is that of a present grant of the lock, as of now. */
  async check(name: string, token: number): Promise<boolean> {
    try {
      await this.get(`/v1/locks/${encodeURIComponent(name)}/check?token=${token}`);
      return true;
    } catch (error) {
      if (error instanceof StaleTokenError) return false;
      throw error;
    }
  }

  /** Anything else that the service shows, under its path: /v1/locks, say. */
  async get(path: string): Promise<unknown> {
    return (await this.#endpoints.call({ method: "GET", path })).body;
  }

  /**
   * Takes a lock from its holders. Needs the right to.
   * @throws OutcomeUnknownError if it may have been done: it is not done twice, which would take the lock from the next holder too.
   */
  async forceRelease(name: string, reason: string, session?: string): Promise<ForceReleased> {
    const body = session === undefined ? { reason } : { reason, session };
    return (await this.#endpoints.call({ method: "POST", path: `/v1/locks/${encodeURIComponent(name)}/force-release`, body, once: true })).body as ForceReleased;
  }

  /** Ends the session: everything that is held is released. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new LockServiceError("CLOSED", "the client was closed"));
    const session = await this.#session?.catch(() => undefined);
    await session?.close();
    await this.#endpoints.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #acquire(names: string | readonly string[], options: AcquireOptions, owner: string): Promise<Grant> {
    const { mode, limit, permits, waitMs = null, signal, value } = options;
    const wants = (typeof names === "string" ? [names] : names).map((lock) => (limit === undefined ? { lock, mode: mode ?? "EX" } : { lock, limit, permits: permits ?? 1 }));
    const until = waitMs === null ? undefined : this.#clock.now() + waitMs;
    for (;;) {
      const session = await this.#live(signal);
      const request = randomUUID();
      const leftMs = until === undefined ? null : Math.max(0, Math.round(until - this.#clock.now()));
      const body = { locks: wants, waitMs: leftMs, owner, ...(value === undefined ? {} : { value }) };
      this.#asked.add(request);
      try {
        const call: Call = { method: "PUT", path: session.pathOf(request), body, signal, unanswered: () => this.#mayComeLate(session) };
        const state = await settle(this.#endpoints, session, call);
        const grant = new Grant({ request, state, endpoints: this.#endpoints, holdings: this.#holdingsOf(session) });
        if (grant.held) return grant;
      } catch (error) {
        // If the session was lost while the request waited, its place is lost with it.
        if (session.alive || signal?.aborted === true) {
          if (!decided(error, signal)) {
            this.#mayComeLate(session);
            void giveUp(session, request);
          }
          throw error;
        }
      } finally {
        this.#asked.delete(request);
      }
    }
  }

  /** An attempt that was not answered may be done when the request is over: its grant is heard of by who listens. */
  #mayComeLate(session: Session): void {
    if (session.alive) this.#holdingsOf(session);
  }

  #holdingsOf(session: Session): Holdings {
    if (this.#holdings?.session !== session) this.#holdings = new Holdings(session, this.#endpoints, this.#clock, this.#asked);
    return this.#holdings;
  }

  #stream(path: string, signal: AbortSignal | undefined): ReturnType<typeof eventStream> {
    const either = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    return eventStream({ endpoints: this.#endpoints, clock: this.#clock, path, signal: either });
  }

  async #live(signal: AbortSignal | undefined): Promise<Session> {
    for (;;) {
      this.#closing.signal.throwIfAborted();
      signal?.throwIfAborted();
      const opening = (this.#session ??= Session.open(this.#endpoints, this.#clock, this.#options, this.#closing.signal));
      const session = await opening.catch((error: unknown) => {
        if (this.#session === opening) this.#session = undefined;
        throw error;
      });
      if (session.alive) return session;
      if (this.#session === opening) this.#session = undefined;
    }
  }
}
