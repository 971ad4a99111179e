/** Ctrl-C and the like while a command waits: it leaves the queue, and does not stand there until its session expires. */
import { constants } from "node:os";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export class Interruption {
  readonly #controller = new AbortController();
  readonly #handlers = signals.map((name) => ({ name, handler: () => this.#interrupt(name) }));
  #exitCode: number | undefined;
  #reason: Error | undefined;

  constructor() {
    this.begin();
  }

  begin(): void {
    for (const { name, handler } of this.#handlers) process.on(name, handler);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** 128 + the signal's number, as shells have it, if that is what the error is about. */
  exitCodeOf(error: unknown): number | undefined {
    return error !== undefined && error === this.#reason ? this.#exitCode : undefined;
  }

  /** Signals are somebody else's. */
  end(): void {
    for (const { name, handler } of this.#handlers) process.removeListener(name, handler);
  }

  #interrupt(name: (typeof signals)[number]): void {
    // Asked twice: no more waiting.
    if (this.#exitCode !== undefined) process.exit(this.#exitCode);
    this.#exitCode = 128 + constants.signals[name];
    this.#reason = new Error(`interrupted by ${name}`);
    this.#controller.abort(this.#reason);
  }
}
