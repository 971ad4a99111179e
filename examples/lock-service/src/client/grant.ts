/** What a client holds: locks, granted together under one token, for as long as its signal is not aborted. */
import { randomUUID } from "node:crypto";
import type { GrantedLock } from "../machine/inputs.js";
import type { LockMode } from "../machine/modes.js";
import type { Answer, Call, Endpoints } from "./endpoints.js";
import { LockLostError, LockServiceError, SessionOverError } from "./errors.js";
import type { Session } from "./session.js";

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

/** How one waits for a request in the client: until it is granted or refused. */
export type Settle = (session: Session, request: string, call: Call) => Promise<GrantedState>;

export class Grant implements AsyncDisposable {
  readonly session: Session;
  readonly #endpoints: Endpoints;
  readonly #settle: Settle;
  readonly #lost = new AbortController();
  readonly #converted: (before: string, after: string) => void;
  readonly #ended: (grant: Grant) => void;
  readonly #sessionLost = (): void => this.#lose(this.session.signal.reason as LockLostError);
  #request: string;
  #state: GrantedState;
  #released: Promise<void> | undefined;
  /** Somebody waits for what is held. */
  onBlocking: ((notice: BlockingNotice) => void) | undefined;

  constructor(parts: { readonly session: Session; readonly request: string; readonly state: GrantedState; readonly endpoints: Endpoints; readonly settle: Settle; readonly converted: (before: string, after: string) => void; readonly ended: (grant: Grant) => void }) {
    this.session = parts.session;
    this.#request = parts.request;
    this.#state = parts.state;
    this.#endpoints = parts.endpoints;
    this.#settle = parts.settle;
    this.#converted = parts.converted;
    this.#ended = parts.ended;
    if (this.session.signal.aborted) this.#sessionLost();
    else this.session.signal.addEventListener("abort", this.#sessionLost, { once: true });
  }

  /** Fencing token: send it with every write. A conversion changes it. */
  get token(): number {
    return this.#state.token;
  }

  /** What is held, with value blocks as they were when it was granted. */
  get locks(): readonly GrantedLock[] {
    return this.#state.locks;
  }

  get request(): string {
    return this.#request;
  }

  /** Aborted, with a LockLostError, before another can hold what this grant does; also when it is released. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Looks at the clock: right even before the timers of a process that was stopped have run. */
  get held(): boolean {
    return !this.#lost.signal.aborted && this.session.alive && !this.#lost.signal.aborted;
  }

  /** @throws LockLostError if it is not held any more. */
  assertHeld(): void {
    if (!this.held) throw this.#lost.signal.reason ?? new LockLostError("it was released");
  }

  /**
   * Gives it back. Resolves when that is known, or when the lease is over and it is the service's again anyway. Idempotent.
   * @param valueBlock Written first, if one lock is held in PW or EX; base64.
   */
  release({ valueBlock }: { readonly valueBlock?: string } = {}): Promise<void> {
    this.#released ??= this.#release(valueBlock);
    return this.#released;
  }

  /** Changes the mode without letting go. @throws LockServiceError if that is refused: then it is held as before. */
  async convert(mode: ModeName, { waitMs = null, valueBlock, signal }: ConvertOptions = {}): Promise<void> {
    this.assertHeld();
    const request = randomUUID();
    const body = { request, mode, waitMs, ...(valueBlock === undefined ? {} : { valueBlock }) };
    this.#state = await this.#settle(this.session, request, { method: "POST", path: `${this.#path}/convert`, body, signal });
    this.#converted(this.#request, request);
    this.#request = request;
    this.assertHeld();
  }

  /** Changes the value that is shown with the holder. */
  async setValue(value: string): Promise<void> {
    this.assertHeld();
    await this.#call({ method: "POST", path: `${this.#path}/value`, body: { value } });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** For the client: the service has taken it back. */
  taken(why: string): void {
    this.#lose(new LockLostError(why));
  }

  get #path(): string {
    return `${this.session.path}/requests/${encodeURIComponent(this.#request)}`;
  }

  async #release(valueBlock: string | undefined): Promise<void> {
    if (!this.held) return this.#detach();
    const call: Call = { method: "DELETE", path: this.#path, body: valueBlock === undefined ? {} : { valueBlock }, until: this.session.leaseEnd };
    this.#lose(new LockLostError("it was released"));
    try {
      await this.#call(call);
    } catch (error) {
      // Over, or not to be reached while the lease lasted: it is not this client's any more.
      if (!(error instanceof LockServiceError) || (error.code === "NOT_WRITABLE")) throw error;
    }
  }

  async #call(call: Call): Promise<Answer> {
    try {
      return await this.#endpoints.call(call);
    } catch (error) {
      if (error instanceof SessionOverError) this.session.over(error);
      throw error;
    }
  }

  #lose(error: LockLostError): void {
    this.#detach();
    if (!this.#lost.signal.aborted) this.#lost.abort(error);
  }

  #detach(): void {
    this.session.signal.removeEventListener("abort", this.#sessionLost);
    this.#ended(this);
  }
}
