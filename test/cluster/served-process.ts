/** A process that serves calls over IPC, one object's methods: this end of serve-calls.ts. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Answer, Call, Calls } from "./serve-calls.js";

type Run<S, M extends Calls<S>> = Extract<S[M], (...args: never[]) => Promise<unknown>>;

export class ServedProcess<S> {
  readonly process: ChildProcess;
  readonly #name: string;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #calls = 0;

  /** @param process started with an "ipc" channel and `serialization: "advanced"`. @param name for error messages: "replica process 3". */
  constructor(process: ChildProcess, name: string) {
    this.process = process;
    this.#name = name;
    this.process.on("message", (message) => { this.#take(message as Answer); });
    this.process.once("exit", (code, signal) => { this.#ended(`${this.#name} ended: code ${String(code)}, signal ${String(signal)}`); });
  }

  call<M extends Calls<S>>(method: M, ...args: Parameters<Run<S, M>>): ReturnType<Run<S, M>> {
    this.#calls++;
    const id = this.#calls;
    const answer = new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.process.send({ id, method, args } satisfies Call, (error) => {
        if (error !== null) this.#take({ id, error: error.message });
      });
    });
    return answer as ReturnType<Run<S, M>>;
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exited = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await exited;
  }

  #take({ id, value, error }: Answer): void {
    const call = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(new Error(error));
  }

  #ended(how: string): void {
    for (const call of this.#waiting.values()) call.reject(new Error(how));
    this.#waiting.clear();
  }
}
