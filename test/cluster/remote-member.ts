/** A conformance member that is a process of its own on a node of a cluster; serve-member.ts is what runs there. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { LockstepError } from "@lockstep/framework";
import type { ErrorCode, MemberAddress } from "@lockstep/framework";
import type { Burst, ConformanceMember, MemberEvent } from "@lockstep/framework/conformance";

export type MemberMethod = Exclude<keyof ConformanceMember, "dispose">;

export interface MemberCall {
  readonly id: number;
  readonly method: MemberMethod;
  readonly args: readonly unknown[];
}

export interface MemberAnswer {
  readonly id: number;
  readonly value?: unknown;
  /** A LockstepError's code, if it was one. */
  readonly error?: { readonly code: ErrorCode | undefined; readonly message: string };
}

export class RemoteMember implements ConformanceMember {
  readonly process: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #calls = 0;

  /** @param process started with an "ipc" channel and `serialization: "advanced"`. */
  constructor(process: ChildProcess) {
    this.process = process;
    process.on("message", (answer) => { this.#take(answer as MemberAnswer); });
    process.once("exit", (code, signal) => { this.#processEnded(`exit code ${String(code)}, signal ${String(signal)}`); });
    process.once("error", (error) => { this.#processEnded(error.message); });
  }

  async maxMessageBytes(): Promise<number> {
    return this.#call("maxMessageBytes");
  }

  async configuredNodes(): Promise<readonly number[]> {
    return this.#call("configuredNodes");
  }

  async join(group: string): Promise<MemberAddress> {
    return this.#call("join", group);
  }

  async multicast(text: string, bytes: number): Promise<"queued" | "busy"> {
    return this.#call("multicast", text, bytes);
  }

  async send(burst: Burst): Promise<void> {
    return this.#call("send", burst);
  }

  async sendUntilBusy(burst: Burst): Promise<number> {
    return this.#call("sendUntilBusy", burst);
  }

  async startLoad(label: string, bytes: number): Promise<void> {
    return this.#call("startLoad", label, bytes);
  }

  async stopLoad(): Promise<void> {
    return this.#call("stopLoad");
  }

  async answerPings(): Promise<void> {
    return this.#call("answerPings");
  }

  async leave(): Promise<void> {
    return this.#call("leave");
  }

  async close(): Promise<void> {
    // A process that was killed holds nothing any more.
    if (this.#isAlive) await this.#call("close");
  }

  async events(from: number): Promise<readonly MemberEvent[]> {
    return this.#call("events", from);
  }

  async violations(): Promise<readonly string[]> {
    return this.#call("violations");
  }

  async dispose(): Promise<void> {
    await this.kill("SIGKILL");
  }

  /** Resolves when the process is gone. */
  async kill(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    if (!this.#isAlive) return;
    const exited = once(this.process, "exit");
    this.process.kill(signal);
    await exited;
  }

  get #isAlive(): boolean {
    return this.process.pid !== undefined && this.process.exitCode === null && this.process.signalCode === null;
  }

  async #call<T>(method: MemberMethod, ...args: unknown[]): Promise<T> {
    this.#calls += 1;
    const id = this.#calls;
    const answer = new Promise<unknown>((resolve, reject) => { this.#waiting.set(id, { resolve, reject }); });
    this.process.send({ id, method, args } satisfies MemberCall, (error) => {
      if (error !== null) this.#take({ id, error: { code: undefined, message: `the member's process does not listen: ${error.message}` } });
    });
    return await answer as T;
  }

  #take({ id, value, error }: MemberAnswer): void {
    const call = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(error.code === undefined ? new Error(error.message) : new LockstepError(error.code, error.message));
  }

  #processEnded(how: string): void {
    for (const [id, call] of this.#waiting) {
      this.#waiting.delete(id);
      call.reject(new Error(`the member's process ended: ${how}`));
    }
  }
}
