/**
 * A process inside a daemon's network namespace that runs functions of a test. A function travels as its text: it can use what it is
 * given (the package, a place to keep things between calls, its arguments) and Node's globals, nothing else of the test file.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type * as corosync from "../../lib/index.js";
import type { Daemon } from "./daemon.js";

/** What a function of a test gets. */
export interface ClientTools {
  readonly corosync: typeof corosync;
  /** Lives as long as the client. */
  readonly kept: Record<string, unknown>;
  /** Waits for a condition, with a limit. */
  readonly until: (condition: () => boolean | Promise<boolean>) => Promise<void>;
  /** Opens a handle that writes down its events; see recorder.mjs. */
  readonly record: (options?: Partial<corosync.CpgOptions>) => Promise<Recording>;
  readonly gc: () => void;
  readonly fs: typeof import("node:fs");
  readonly childProcess: typeof import("node:child_process");
  readonly runInNewContext: typeof import("node:vm").runInNewContext;
  readonly workers: typeof import("node:worker_threads");
  /** Where the package can be imported from, in a worker. */
  readonly packageUrl: string;
}

export interface Recording {
  readonly cpg: corosync.Cpg;
  readonly events: RecordedEvent[];
  /** Texts of all messages so far. */
  readonly texts: () => string[];
}

export type RecordedEvent =
  | { readonly kind: "message"; readonly text: string; readonly nodeId: number; readonly pid: number }
  | ({ readonly kind: "change" } & corosync.CpgConfigurationChange)
  | { readonly kind: "ring"; readonly ring: corosync.CpgRingId; readonly nodes: readonly number[] }
  | { readonly kind: "ended"; readonly code: string };

interface Answer {
  readonly ok: boolean;
  readonly value: unknown;
}

export class Client {
  readonly child: ChildProcess;
  readonly #answers: ((answer: Answer) => void)[] = [];

  constructor(daemon: Daemon, nodeOptions: readonly string[] = [], environment: NodeJS.ProcessEnv = {}) {
    const script = fileURLToPath(new URL("client-main.mjs", import.meta.url));
    const [command, ...args] = [...daemon.enter, "setpriv", "--pdeathsig", "KILL", process.execPath, "--expose-gc", ...nodeOptions, script];
    this.child = spawn(command ?? "", args, { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced", env: { ...process.env, ...environment } });
    this.child.on("message", (answer) => this.#answers.shift()?.(answer as Answer));
    this.child.on("exit", (code, signal) => {
      for (const answer of this.#answers.splice(0)) answer({ ok: false, value: `the client ended with ${signal ?? code}` });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Runs `body` in the client; its result, or its error as { code, message } text, comes back by structured clone. */
  async run<T, A = undefined>(body: (tools: ClientTools, argument: A) => T | Promise<T>, argument?: A): Promise<T> {
    const answer = await new Promise<Answer>((resolve) => {
      this.#answers.push(resolve);
      this.child.send({ source: body.toString(), argument });
    });
    if (!answer.ok) throw new Error(String(answer.value));
    return answer.value as T;
  }

  /** How it ended, when it does. */
  async exited(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, "exit");
    return { code: this.child.exitCode, signal: this.child.signalCode };
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited();
  }
}
