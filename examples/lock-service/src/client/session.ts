/**
 * One session of the service, kept alive: renewed three times in its TTL, through whichever replica answers. It ends when the service says so,
 * or when its lease does, which is before the service can know.
 */
import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { ClientClock } from "./clock.js";
import type { Answer, Call, Endpoints } from "./endpoints.js";
import { LockLostError, LockServiceError, OutcomeUnknownError, SessionOverError, UnavailableError } from "./errors.js";
import { Lease } from "./lease.js";

export interface SessionOptions {
  readonly name: string;
  readonly ttlMs: number;
  readonly lockDelayMs: number;
  readonly bound: boolean;
}

/** What the service answers. */
interface Opened {
  readonly session: string;
  readonly ttlMs: number;
  readonly revision: number;
}

/** Of the TTL. */
const renewalsInTtl = 3;

export class Session {
  readonly id: string;
  readonly ttlMs: number;
  /** Of the service, when it was opened: events after it may concern the session. */
  readonly revision: number;
  readonly #endpoints: Endpoints;
  readonly #clock: ClientClock;
  readonly #lost = new AbortController();
  readonly #lease: Lease;
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  private constructor({ session, ttlMs, revision }: Opened, sentAt: number, endpoints: Endpoints, clock: ClientClock) {
    this.id = session;
    this.ttlMs = ttlMs;
    this.revision = revision;
    this.#endpoints = endpoints;
    this.#clock = clock;
    this.#lease = new Lease(clock, sentAt, ttlMs, () => this.#lose(new LockLostError("its session could not be renewed in time")));
    // Of all that waits in it.
    setMaxListeners(0, this.#lost.signal);
    this.#renewLater(sentAt);
  }

  /** @throws LockServiceError */
  static async open(endpoints: Endpoints, clock: ClientClock, options: SessionOptions, signal?: AbortSignal): Promise<Session> {
    for (;;) {
      // If a first answer was lost, the session is that of the first attempt, and has lived since.
      const { body, firstSentAt } = await endpoints.call({ method: "POST", path: "/v1/sessions", body: { ...options, requestId: randomUUID() }, signal });
      const opened = new Session(body as Opened, firstSentAt, endpoints, clock);
      // So it may be over: nothing was asked for in it.
      if (opened.alive) return opened;
    }
  }

  /** Looks at the clock. Once false, it stays so. */
  get alive(): boolean {
    return !this.#closed && !this.#lost.signal.aborted && this.#lease.alive;
  }

  /** Aborted, with a LockLostError, when it is not certain any more that the session lives. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** By the client's clock: until when it lives without another renewal. */
  get leaseEnd(): number {
    return this.#lease.end;
  }

  /** The service has said, to some other call, that it is over. */
  over(error: SessionOverError): void {
    this.#lose(new LockLostError(error.message, error));
  }

  /** Ends it deliberately; what it still holds is released. Waits for the service no longer than the lease. */
  async close(): Promise<void> {
    if (!this.alive) return;
    const until = this.#lease.end;
    this.#closed = true;
    this.#cancelTimer?.();
    this.#lease.stop();
    this.#lost.abort(new LockLostError("its client was closed"));
    await this.#endpoints.call({ method: "DELETE", path: this.path, until }).catch((error: unknown) => {
      // Over already, or it expires by itself.
      if (!(error instanceof LockServiceError)) throw error;
    });
  }

  /** Of its resource. */
  get path(): string {
    return `/v1/sessions/${encodeURIComponent(this.id)}`;
  }

  pathOf(request: string): string {
    return `${this.path}/requests/${encodeURIComponent(request)}`;
  }

  /** Makes a call again until it is known what became of it, or the session may be over: then the service has taken back what it held. @throws LockServiceError */
  async insist(call: Call): Promise<Answer> {
    for (;;) {
      try {
        return await this.#endpoints.call({ ...call, until: this.#lease.end });
      } catch (error) {
        if (error instanceof SessionOverError) this.over(error);
        if (!this.alive || !(error instanceof UnavailableError || error instanceof OutcomeUnknownError)) throw error;
      }
    }
  }

  #renewLater(sentAt: number): void {
    const at = sentAt + this.ttlMs / renewalsInTtl;
    this.#cancelTimer = this.#clock.after(at - this.#clock.now(), () => void this.#renew());
  }

  async #renew(): Promise<void> {
    if (!this.alive) return;
    try {
      const { sentAt } = await this.#endpoints.call({ method: "POST", path: `${this.path}/renew`, until: this.#lease.end, attemptMs: this.ttlMs / (2 * renewalsInTtl), signal: this.#lost.signal });
      if (this.#closed) return;
      this.#lease.renewed(sentAt, this.ttlMs);
      if (this.alive) this.#renewLater(sentAt);
    } catch (error) {
      if (!this.alive) return;
      if (error instanceof SessionOverError) this.over(error);
      // Who could not answer was asked until the lease ended. Anything else will not be answered otherwise the next time.
      else if (error instanceof UnavailableError || error instanceof OutcomeUnknownError) this.#renewLater(this.#clock.now() - this.ttlMs / renewalsInTtl);
      else this.#lose(new LockLostError("its session cannot be renewed", error));
    }
  }

  #lose(error: LockLostError): void {
    if (this.#lost.signal.aborted) return;
    this.#cancelTimer?.();
    this.#lease.stop();
    this.#lost.abort(error);
  }
}
