/** A process that wants a lock (lock-process.mjs), and what it says. */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { eventually } from "../support/eventually.js";

export interface Said {
  readonly event: "session" | "waiting" | "delayed" | "acquired" | "released" | "renewed" | "lost";
  /** By the machine's monotonic clock, which all processes share. */
  readonly atMs: number;
  readonly session?: string;
  readonly holder?: string;
  readonly lockIndex?: number;
  /** Of a renewal: when it was asked for. */
  readonly sentMs?: number;
}

export const nowMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

export interface LockProcess {
  readonly key: string;
  readonly ttl: string;
  readonly lockDelay: string;
  readonly ports: readonly number[];
}

export class LockClient {
  readonly said: Said[] = [];
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  #errors = "";

  constructor({ key, ttl, lockDelay, ports }: LockProcess) {
    const child = spawn(process.execPath, [join(import.meta.dirname, "lock-process.mjs"), key, ttl, lockDelay, ...ports.map(String)], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    this.ended = new Promise((resolve) => { child.once("close", resolve); });
    child.stderr.on("data", (chunk: Buffer) => { this.#errors += chunk.toString(); });
    createInterface({ input: child.stdout }).on("line", (line) => { this.said.push(JSON.parse(line) as Said); });
  }

  /** The first of these, now or soon. */
  async until(event: Said["event"]): Promise<Said> {
    return eventually(`the process says ${event}`, () => {
      const found = this.said.find((each) => each.event === event);
      if (found === undefined && this.#child.exitCode !== null) throw new Error(`it ended with ${this.#child.exitCode}: ${this.#errors}`);
      return found;
    });
  }

  kill(signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(signal);
  }
}
