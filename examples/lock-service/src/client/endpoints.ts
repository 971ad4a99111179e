/**
 * Calls of the service at one of several replicas. Who answers is kept; who does not, or cannot (503), gives way to the next. Every call of this
 * library may be repeated, at any replica: all carry ids.
 */
import { setMaxListeners } from "node:events";
import { Pool } from "undici";
import { pause, type ClientClock } from "./clock.js";
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
  /** For one call: how long others are asked after the first could not answer. */
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
  /** By the clock: when to give up. Default: patienceMs after the first failure. */
  readonly until?: number;
  readonly attemptMs?: number;
  /** Not made again when it may have been done: doing it twice is not the same as once. */
  readonly once?: boolean;
  /** An attempt had no answer: it may be done later, even after another one was answered. */
  readonly unanswered?: () => void;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  /** By the clock: when the attempt that was answered was sent. */
  readonly sentAt: number;
  /** When the first one was. It may be that which was done. */
  readonly firstSentAt: number;
}

/** Server-sent events of one replica. */
export interface EventBytes {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** It has ended, or broken: the next one is better opened elsewhere. */
  readonly leave: () => void;
}

/** Between two rounds over all replicas. */
const firstPauseMs = 20;
const longestPauseMs = 1000;
/** To one replica, for what is answered at once. Calls that hang and streams take a connection each, and never one of these: renewals must get through. */
const promptConnections = 32;
/** Of a stream: the service sends something three times in it, if only a comment. */
const longestSilenceMs = 45_000;

interface Replica {
  readonly prompt: Pool;
  readonly hanging: Pool;
  /** Aborted, and made anew, when another replica is gone to: what hangs here would learn too late that nobody answers any more. */
  left: AbortController;
}

export class Endpoints {
  readonly #options: EndpointOptions;
  readonly #replicas: readonly Replica[];
  readonly #headers: Readonly<Record<string, string>>;
  #current = 0;
  #closed = false;

  /** @throws LockServiceError INVALID_ENDPOINT */
  constructor(options: EndpointOptions) {
    this.#options = options;
    if (options.endpoints.length === 0) throw new LockServiceError("INVALID_ENDPOINT", "Name at least one endpoint, such as http://127.0.0.1:7400");
    const pool = (endpoint: string, connections: number | null): Pool => new Pool(originOf(endpoint), { connections, ...(options.tls === undefined ? {} : { connect: options.tls }) });
    this.#replicas = options.endpoints.map((endpoint) => ({ prompt: pool(endpoint, promptConnections), hanging: pool(endpoint, null), left: controllerForMany() }));
    this.#headers = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
  }

  /** Answers with the status 2xx. @throws LockServiceError of the others, or when nobody could answer; what the signal was aborted with. */
  async call(call: Call): Promise<Answer> {
    const { clock, patienceMs } = this.#options;
    const firstSentAt = clock.now();
    let { until } = call;
    let unknown = false;
    let last: unknown;
    for (let attempt = 0, pauseMs = firstPauseMs; ; attempt++) {
      call.signal?.throwIfAborted();
      this.#throwIfClosed();
      const from = this.#current;
      const tried = await this.#attempt(call, from);
      if (tried.answer !== undefined) return { ...tried.answer, firstSentAt };
      unknown ||= tried.unknown;
      if (tried.unknown) call.unanswered?.();
      last = tried.error;
      until ??= clock.now() + patienceMs;
      this.#moveOn(from);
      const again = !(call.once === true && unknown);
      if (again && (attempt + 1) % this.#replicas.length === 0) {
        await pause(clock, pauseMs, call.signal);
        pauseMs = Math.min(longestPauseMs, pauseMs * 2);
      }
      if (again && clock.now() < until) continue;
      const message = `no replica could answer ${call.method} ${call.path}: ${last instanceof Error ? last.message : String(last)}`;
      throw unknown ? new OutcomeUnknownError("OUTCOME_UNKNOWN", message, { cause: last }) : new UnavailableError(last instanceof LockServiceError ? last.code : "UNREACHABLE", message, { cause: last });
    }
  }

  /** Opens a stream of server-sent events at the present replica. */
  async stream(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<EventBytes> {
    this.#throwIfClosed();
    const from = this.#current;
    const { hanging, left } = this.#replica(from);
    try {
      const { statusCode, body } = await hanging.request({
        method: "GET", path, headers: { ...this.#headers, ...headers, accept: "text/event-stream" }, signal: AbortSignal.any([signal, left.signal]),
        bodyTimeout: longestSilenceMs, headersTimeout: this.#options.attemptMs,
      });
      if (statusCode !== 200) {
        if (statusCode === 503) this.#moveOn(from);
        throw errorOfAnswer(statusCode, await readJson(body));
      }
      return { bytes: body as AsyncIterable<Uint8Array>, leave: () => this.#moveOn(from) };
    } catch (error) {
      if (!(error instanceof LockServiceError)) this.#moveOn(from);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#replicas.flatMap(({ prompt, hanging }) => [prompt.destroy(), hanging.destroy()]));
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new LockServiceError("CLOSED", "the client was closed");
  }

  #replica(index: number): Replica {
    return this.#replicas[index] as Replica;
  }

  async #attempt(call: Call, index: number): Promise<{ readonly answer?: Omit<Answer, "firstSentAt">; readonly unknown: boolean; readonly error?: unknown }> {
    const { clock, attemptMs } = this.#options;
    const { hangMs = 0, until = Number.POSITIVE_INFINITY } = call;
    const { prompt, hanging, left } = this.#replica(index);
    const sentAt = clock.now();
    const limitMs = Math.max(1, Math.min((call.attemptMs ?? attemptMs) + hangMs, until - sentAt));
    // One timer for connecting and for answering: an endpoint that takes connections and says nothing is like one that takes none.
    const stop = new AbortController();
    const abort = (): void => stop.abort();
    const cancelTimer = clock.after(limitMs, abort);
    const signals = [call.signal, hangMs > 0 ? left.signal : undefined];
    for (const signal of signals) signal?.addEventListener("abort", abort, { once: true });
    try {
      const { statusCode, body } = await (hangMs > 0 ? hanging : prompt).request({
        method: call.method, path: call.path, signal: stop.signal, headersTimeout: 0, bodyTimeout: 0,
        // undici closes a connection after a DELETE with a body, unless it is told not to.
        reset: false,
        headers: call.method === "GET" ? this.#headers : { ...this.#headers, "content-type": "application/json" },
        body: call.method === "GET" ? null : JSON.stringify(call.body ?? {}),
      });
      const content = await readJson(body);
      if (statusCode >= 200 && statusCode < 300) return { answer: { status: statusCode, body: content, sentAt }, unknown: false };
      const error = errorOfAnswer(statusCode, content);
      if (statusCode === 503) return { error, unknown: false };
      // 502: a proxy's.
      if (statusCode === 504 || statusCode === 502) return { error, unknown: true };
      throw error;
    } catch (error) {
      call.signal?.throwIfAborted();
      if (error instanceof LockServiceError) throw error;
      return { error, unknown: !neverConnected(error) };
    } finally {
      cancelTimer();
      for (const signal of signals) signal?.removeEventListener("abort", abort);
    }
  }

  #moveOn(from: number): void {
    if (this.#current !== from) return;
    this.#current = (from + 1) % this.#replicas.length;
    const replica = this.#replica(from);
    const { left } = replica;
    replica.left = controllerForMany();
    left.abort();
  }
}

/** Listeners without number, and so without a warning. */
function controllerForMany(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
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
