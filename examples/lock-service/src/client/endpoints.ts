/**
 * Calls of the service at one of several replicas. Who answers is kept; who does not, or cannot (503), gives way to the next. Every call of this
 * library may be repeated, at any replica: all carry ids.
 */
import { Pool } from "undici";
import type { ClientClock } from "./clock.js";
import { errorOfAnswer, LockServiceError, OutcomeUnknownError, UnavailableError } from "./errors.js";

export interface TlsSettings {
  /** PEM: whom to trust, if not the system's authorities. */
  readonly ca?: string | Buffer;
  /** PEM: the own certificate and key, if the service asks for one. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}

export interface EndpointOptions {
  readonly endpoints: readonly string[];
  readonly token?: string | undefined;
  readonly tls?: TlsSettings | undefined;
  /** To one replica, for one answer. */
  readonly attemptMs: number;
  /** For one call, over all replicas. */
  readonly patienceMs: number;
  readonly clock: ClientClock;
}

export interface Call {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  /** The call may hang for so long before it is answered. */
  readonly hangMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** By the clock: when to give up. Default: after patienceMs. */
  readonly until?: number;
  readonly attemptMs?: number;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  /** By the clock: when the attempt that was answered was sent. */
  readonly sentAt: number;
}

/** Between two rounds over all replicas. */
const firstPauseMs = 20;
const longestPauseMs = 1000;
/** To one replica: calls that hang, in the queues of locks, need one each. */
const connections = 1024;

export class Endpoints {
  readonly #options: EndpointOptions;
  readonly #pools: readonly Pool[];
  readonly #headers: Readonly<Record<string, string>>;
  #current = 0;

  /** @throws LockServiceError INVALID_ENDPOINT */
  constructor(options: EndpointOptions) {
    this.#options = options;
    if (options.endpoints.length === 0) throw new LockServiceError("INVALID_ENDPOINT", "Name at least one endpoint, such as http://127.0.0.1:7400");
    this.#pools = options.endpoints.map((endpoint) => new Pool(originOf(endpoint), { connections, ...(options.tls === undefined ? {} : { connect: options.tls }) }));
    this.#headers = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
  }

  /** Answers with the status 2xx. @throws LockServiceError of the others, or when nobody could answer; what the signal was aborted with. */
  async call(call: Call): Promise<Answer> {
    const { clock, patienceMs } = this.#options;
    const until = call.until ?? clock.now() + patienceMs + (call.hangMs ?? 0);
    let unknown = false;
    let last: unknown;
    for (let attempt = 0, pauseMs = firstPauseMs; ; attempt++) {
      call.signal?.throwIfAborted();
      const from = this.#current;
      const tried = await this.#attempt(call, from, until);
      if (tried.answer !== undefined) return tried.answer;
      unknown ||= tried.unknown;
      last = tried.error;
      this.#moveOn(from);
      if ((attempt + 1) % this.#pools.length === 0) {
        await this.#pause(pauseMs, call.signal);
        pauseMs = Math.min(longestPauseMs, pauseMs * 2);
      }
      if (clock.now() < until) continue;
      const message = `no replica could answer ${call.method} ${call.path}: ${last instanceof Error ? last.message : String(last)}`;
      throw unknown ? new OutcomeUnknownError("OUTCOME_UNKNOWN", message, { cause: last }) : new UnavailableError(last instanceof LockServiceError ? last.code : "UNREACHABLE", message, { cause: last });
    }
  }

  /** Opens a stream of server-sent events at the present replica. */
  async stream(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const from = this.#current;
    try {
      const { statusCode, body } = await this.#pool(from).request({
        method: "GET", path, headers: { ...this.#headers, ...headers, accept: "text/event-stream" }, signal, bodyTimeout: 0, headersTimeout: this.#options.attemptMs,
      });
      if (statusCode !== 200) {
        if (statusCode === 503) this.#moveOn(from);
        throw errorOfAnswer(statusCode, await readJson(body));
      }
      return body as AsyncIterable<Uint8Array>;
    } catch (error) {
      if (!(error instanceof LockServiceError)) this.#moveOn(from);
      throw error;
    }
  }

  /** A stream has broken: its replica may be gone. */
  moveOn(): void {
    this.#moveOn(this.#current);
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.destroy()));
  }

  #pool(index: number): Pool {
    return this.#pools[index] as Pool;
  }

  async #attempt(call: Call, index: number, until: number): Promise<{ readonly answer?: Answer; readonly unknown: boolean; readonly error?: unknown }> {
    const { clock, attemptMs } = this.#options;
    const sentAt = clock.now();
    const limitMs = Math.max(1, Math.min((call.attemptMs ?? attemptMs) + (call.hangMs ?? 0), until - sentAt));
    // One timer for connecting and for answering: an endpoint that takes connections and says nothing is like one that takes none.
    const stop = new AbortController();
    const abort = (): void => stop.abort();
    const cancelTimer = clock.after(limitMs, abort);
    call.signal?.addEventListener("abort", abort, { once: true });
    try {
      const { statusCode, body } = await this.#pool(index).request({
        method: call.method, path: call.path, signal: stop.signal, headersTimeout: 0, bodyTimeout: 0,
        headers: call.method === "GET" ? this.#headers : { ...this.#headers, "content-type": "application/json" },
        body: call.method === "GET" ? null : JSON.stringify(call.body ?? {}),
      });
      const content = await readJson(body);
      if (statusCode >= 200 && statusCode < 300) return { answer: { status: statusCode, body: content, sentAt }, unknown: false };
      const error = errorOfAnswer(statusCode, content);
      if (statusCode === 503) return { error, unknown: false };
      if (statusCode === 504) return { error, unknown: true };
      throw error;
    } catch (error) {
      call.signal?.throwIfAborted();
      if (error instanceof LockServiceError) throw error;
      return { error, unknown: !neverConnected(error) };
    } finally {
      cancelTimer();
      call.signal?.removeEventListener("abort", abort);
    }
  }

  #moveOn(from: number): void {
    if (this.#current === from) this.#current = (from + 1) % this.#pools.length;
  }

  #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    // Clients that lost the same replica do not come back in step.
    const { promise, resolve } = deferred();
    const cancel = this.#options.clock.after(ms * (0.5 + Math.random() / 2), resolve);
    signal?.addEventListener("abort", resolve, { once: true });
    return promise.finally(() => {
      cancel();
      signal?.removeEventListener("abort", resolve);
    });
  }
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((settle) => { resolve = settle; });
  return { promise, resolve };
}

function originOf(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || url.pathname !== "/" || url.search !== "") {
    throw new LockServiceError("INVALID_ENDPOINT", `${JSON.stringify(endpoint)} is no endpoint; one looks like http://127.0.0.1:7400 or https://locks.example:7400`);
  }
  return url.origin;
}

const connectionFailures = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT", "DEPTH_ZERO_SELF_SIGNED_CERT", "SELF_SIGNED_CERT_IN_CHAIN", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "ERR_TLS_CERT_ALTNAME_INVALID"]);

/** Nothing can have been sent. */
function neverConnected(error: unknown): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" && connectionFailures.has(error.code);
}

async function readJson(body: { text(): Promise<string> }): Promise<unknown> {
  const text = await body.text();
  try {
    return text === "" ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}
