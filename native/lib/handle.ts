/** What all handles do alike: retrying what Corosync asks to retry, turning statuses into errors, closing within a bound. */
import { setTimeout as sleep } from "node:timers/promises";
import { checkOptions, checkSignal, limit } from "./arguments.js";
import { CorosyncError, corosyncErrors, isCorosyncError } from "./errors.js";
import type { Answer, NativeHandle } from "./native.js";

/** CS_OK */
export const statusOk = 1;
export const statusTryAgain = corosyncErrors.TRY_AGAIN.number;
const statusBadHandle = corosyncErrors.BAD_HANDLE.number;

/** When calls have returned after their connection was cut: libqb looks after it every two seconds. Those that have not never do. */
const returnMs = 3000;

export interface HandleOptions {
  /**
   * How long a call is repeated while the daemon answers TRY_AGAIN, in milliseconds. Default 30 000: forming a ring takes up to
   * consensus + join timeouts, a few seconds with the usual token timeouts, and may have to start over.
   */
  readonly tryAgainMs?: number;
  /**
   * How long close() waits for the daemon to take note before it cuts the connection, in milliseconds. Default 2000. A daemon that
   * works answers in less than one, except while its ring is being formed.
   */
  readonly closeMs?: number;
  /**
   * Ends an open() that has not come to its end, at once: it rejects with ABORTED, and `cause` is the signal's reason. What was under way
   * is closed behind it, and does not keep the process alive for longer than `closeMs`, whatever the daemon does. Without effect once open.
   */
  readonly signal?: AbortSignal;
}

export abstract class Handle {
  protected abstract readonly native: NativeHandle;
  protected readonly closeMs: number;
  /** The call that opens. */
  #initialize: string;
  #tryAgainMs: number;
  #signal: AbortSignal | undefined;
  #closing: Promise<void> | undefined;
  /** Why the library ended this handle, if it did. */
  #ended: CorosyncError | undefined;
  /** Ends the wait for each call that has not returned. */
  #underWay = new Set<() => void>();

  /** `names`: of the options besides HandleOptions. @throws CorosyncError INVALID_PARAM */
  protected constructor(initialize: string, options: HandleOptions, names: readonly string[] = []) {
    checkOptions(initialize, options, [...names, "tryAgainMs", "closeMs", "signal"]);
    this.#initialize = initialize;
    this.#tryAgainMs = limit(initialize, "tryAgainMs", options.tryAgainMs ?? 30_000, 0, 86_400_000);
    this.#signal = options.signal === undefined ? undefined : checkSignal(initialize, options.signal);
    this.closeMs = limit(initialize, "closeMs", options.closeMs ?? 2000, 1, 3_600_000);
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Releases everything. Resolves when the library has let go: at once, or after `closeMs` and up to three seconds more if the daemon
   * does not answer; what still connects to such a daemon is let go of when it does, and a call that waits for the rest of a list of
   * groups or members of such a daemon, never. May be called at any time and any number of times, also from inside a listener, which is
   * not called again.
   */
  close(): Promise<void> {
    this.#closing ??= this.#finalize();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Lets the process end although this handle is open (ref() undoes it). */
  unref(): this {
    this.native.setRef(false);
    return this;
  }

  ref(): this {
    this.native.setRef(true);
    return this;
  }

  async #finalize(): Promise<void> {
    let enough: NodeJS.Timeout | undefined;
    const gaveUp = new Promise<void>((resolve) => {
      const cut = (): void => {
        if (this.native.cut()) enough = setTimeout(cut, returnMs);
        else resolve(this.#forsake());
      };
      enough = setTimeout(cut, this.closeMs);
    });
    try {
      await Promise.race([this.native.close(), gaveUp]);
    } finally {
      clearTimeout(enough);
    }
  }

  /** Nothing makes the calls under way return any more: whoever waits for them is told why. */
  #forsake(): void {
    for (const end of this.#underWay) end();
  }

  #unlessForsaken<T>(call: string, answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = (): void => reject(this.#whyClosed(call));
      this.#underWay.add(end);
      answer.finally(() => this.#underWay.delete(end)).then(resolve, reject);
    });
  }

  #whyClosed(call: string): CorosyncError {
    return this.#ended === undefined ? new CorosyncError("BAD_HANDLE", call) : new CorosyncError(this.#ended.code, call, undefined, { cause: this.#ended });
  }

  /** The library has ended this handle. */
  protected endedBy(error: CorosyncError): void {
    this.#ended = error;
    void this.close();
  }

  /** @throws CorosyncError BAD_HANDLE, or what ended this handle */
  protected assertOpen(call: string): void {
    if (this.#ended !== undefined || this.#closing !== undefined) throw this.#whyClosed(call);
  }

  /** Calls until the answer is not TRY_AGAIN, and returns its value. */
  protected async request<T>(call: string, once: () => Promise<Answer<T>>): Promise<T> {
    const until = performance.now() + this.#tryAgainMs;
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 50)) {
      this.assertOpen(call);
      const [status, value] = await this.#unlessForsaken(call, once());
      if (status === statusOk) return value;
      if (status === statusBadHandle || this.closed) this.assertOpen(call);
      if (status !== statusTryAgain || performance.now() >= until) throw CorosyncError.fromStatus(status, call);
      await sleep(pauseMs);
    }
  }

  /** Opens, and closes again if that fails. @throws CorosyncError ABORTED, … */
  protected async openWith<T>(once: () => Promise<Answer<T>>): Promise<T> {
    const call = this.#initialize;
    const signal = this.#signal;
    this.#signal = undefined;
    try {
      if (signal === undefined) return await this.request(call, once);
      return await unlessAborted(signal, call, () => this.request(call, once));
    } catch (error) {
      const closing = this.close();
      // Whoever gave up does not wait for a daemon that may not answer. Repeating ends with the handle.
      if (!isCorosyncError(error, "ABORTED")) await closing;
      throw error;
    }
  }
}

function unlessAborted<T>(signal: AbortSignal, call: string, start: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new CorosyncError("ABORTED", call, undefined, { cause: signal.reason }));
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort);
    start().finally(() => signal.removeEventListener("abort", abort)).then(resolve, reject);
  });
}
