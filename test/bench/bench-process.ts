/** A benchmark's process on a node of a cluster: orders in, measurements out, a line of JSON each. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Cluster } from "../cluster/cluster.js";

export class BenchProcess {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor(cluster: Cluster, nodeId: number, command: string, args: readonly string[]) {
    this.#process = cluster.node(nodeId).spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    if (this.#process.stdout === null) throw new Error("a benchmark's process has a standard output");
    this.#reader = createInterface({ input: this.#process.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** The next line, parsed. @throws Error if the process ended instead. */
  async next<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`a benchmark's process ended early (code ${String(this.#process.exitCode)})`);
    return JSON.parse(value) as T;
  }

  order(order: unknown): void {
    this.#process.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
    this.#reader.close();
  }
}
