/** What a client holds: locks, granted together under one token, for as long as its signal is not aborted. */
import { randomUUID } from "node:crypto";
import type { GrantedLock } from "../machine/inputs.js";
import type { LockMode } from "../machine/modes.js";
import type { Call, Endpoints } from "./endpoints.js";
import { LockLostError, LockServiceError, SessionOverError } from "./errors.js";
import type { Holdings } from "./holdings.js";
import type { Session } from "./session.js";
import { decided, giveUp, settle } from "./settle.js";
import { watchful } from "./watchful-signal.js";

/** A mode, or one of its usual names: shared is PR, exclusive is EX. */
export type ModeName = LockMode | "shared" | "exclusive";

export interface BlockingNotice {
  /** The lock that somebody waits for. */
  readonly lock: string;
  /** The mode that is wanted; null: a semaphore's permits. */
  readonly wanted: LockMode | null;
}

export interface ConvertOptions {
  /** 0: not at all; null (default): for ever. */
  readonly waitMs?: number | null;
  /** Written before the conversion, if PW or EX is held; base64. */
  readonly valueBlock?: string;
  readonly signal?: AbortSignal;
}

export interface GrantedState {
  readonly token: number;
  readonly locks: readonly GrantedLock[];
}

export class Grant implements AsyncDisposable {
  readonly session: Session;
  readonly #endpoints: Endpoints;
  readonly #holdings: Holdings;
  readonly #ended = new AbortController();
  readonly #signal = watchful(this.#ended.signal, () => void this.session.alive);
  #request: string;
  /** While it is converted, that of the conversion. */
  #conversion: string | undefined;
  #state: GrantedState;
  #released: Promise<void> | undefined;
  #givenBack = false;
  /** Somebody waits for what is held. */
  onBlocking: ((notice: BlockingNotice) => void) | undefined;

  constructor({ request, state, endpoints, holdings }: { readonly request: string; readonly state: GrantedState; readonly endpoints: Endpoints; readonly holdings: Holdings }) {
    this.session = holdings.session;
    this.#request = request;
    this.#state = state;
    this.#endpoints = endpoints;
    this.#holdings = holdings;
    holdings.add(request, this);
  }

  /** Fencing token: send it with every write. A conversion changes it. */
  get token(): number {
    return this.#state.token;
  }

  /** What is held, with value blocks as they were when it was granted. */
  get locks(): readonly GrantedLock[] {
    return this.#state.locks;
  }

  /** Its request, and that of a conversion that is under way. */
  get requests(): readonly string[] {
    return this.#conversion === undefined ? [this.#request] : [this.#request, this.#conversion];
  }

  /**
   * Aborted, with a LockLostError, before another can hold what this grant does; also when it is released. Whoever looks at it makes it look at the clock: it is
   * right even before the timers of a process that was stopped have run.
   */
  get signal(): AbortSignal {
    return this.#signal;
  }

  get held(): boolean {
    return !this.#signal.aborted;
  }

  /** It ended, and not by release(). */
  get lost(): boolean {
    return this.#signal.aborted && !this.#givenBack;
  }

  /** @throws LockLostError if it is not held any more. */
  assertHeld(): void {
    this.#signal.throwIfAborted();
  }

  /**
   * Gives it back. Resolves when that is known, or when the lease is over and it is the service's again anyway. Idempotent.
   * @param valueBlock Written first, if one lock is held in PW or EX; base64.
   * @throws LockServiceError NOT_WRITABLE if the value block could not be written; it is given back all the same.
   */
  release({ valueBlock }: { readonly valueBlock?: string } = {}): Promise<void> {
    this.#released ??= this.#release(valueBlock);
    return this.#released;
  }

  /**
   * Changes the mode without letting go; the token with it. @throws LockServiceError if that is refused, what the signal was aborted with: then it is held as
   * before, unless it is lost (`held` tells).
   */
  async convert(mode: ModeName, { waitMs = null, valueBlock, signal }: ConvertOptions = {}): Promise<void> {
    this.assertHeld();
    if (this.#conversion !== undefined) throw new LockServiceError("NOT_CONVERTIBLE", "the grant is being converted already");
    const request = randomUUID();
    const body = { request, mode, waitMs, ...(valueBlock === undefined ? {} : { valueBlock }) };
    this.#conversion = request;
    this.#holdings.add(request, this);
    try {
      this.#state = await settle(this.#endpoints, this.session, { method: "POST", path: `${this.#path}/convert`, body, signal });
      this.#holdings.remove(this.#request);
      this.#request = request;
    } catch (error) {
      this.#holdings.remove(request);
      // What is given up may have been granted, and then it was all that there was to hold.
      if (this.held && !decided(error, signal) && await giveUp(this.session, request) !== false) this.lose(new LockLostError("a conversion was given up that had been granted", error));
      throw error;
    } finally {
      this.#conversion = undefined;
    }
    this.assertHeld();
  }

  /** Changes the value that is shown with the holder. */
  async setValue(value: string): Promise<void> {
    this.assertHeld();
    try {
      await this.#endpoints.call({ method: "POST", path: `${this.#path}/value`, body: { value } });
    } catch (error) {
      if (error instanceof SessionOverError) this.session.over(error);
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** For the client: it is not held any more. */
  lose(error: LockLostError): void {
    for (const request of this.requests) this.#holdings.remove(request);
    this.#ended.abort(error);
  }

  get #path(): string {
    return this.session.pathOf(this.#request);
  }

  async #release(valueBlock: string | undefined): Promise<void> {
    if (!this.held) return;
    const call: Call = { method: "DELETE", path: this.#path };
    this.#givenBack = true;
    this.lose(new LockLostError("it was released"));
    try {
      await this.session.insist(valueBlock === undefined ? call : { ...call, body: { valueBlock } });
    } catch (error) {
      // Over, or not to be reached while the lease lasted: it is not this client's any more.
      if (!(error instanceof LockServiceError) || error.code !== "NOT_WRITABLE") return;
      await this.session.insist(call).catch(() => undefined);
      throw error;
    }
  }
}
