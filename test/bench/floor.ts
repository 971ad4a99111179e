/** The floor: what the same thing costs in C on raw libcpg, and the same program through the binding. */
import { spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Cluster } from "../cluster/cluster.js";

const sources = fileURLToPath(new URL("../../../native/bench/", import.meta.url));

export type Program = "c" | "binding";

export interface PingTimes {
  /** Until the own message is delivered. */
  readonly ownP50Ms: number;
  /** Until another node's answer to it is delivered: the two messages that a commit needs at least. */
  readonly answerP50Ms: number;
}

export interface CommitFloor {
  /** Of a command. */
  readonly bytes: number;
  /** In a batch. */
  readonly commands: number;
  readonly senders: number;
  readonly seconds: number;
  /** Verified, written and flushed before they are answered. */
  readonly durable: boolean;
}

export interface CommitTimes {
  readonly commandsPerSecond: number;
  readonly p50Ms: number;
}

export class Floor implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "lockstep-bench-"));
  readonly #cluster: Cluster;
  readonly #commands: Readonly<Record<Program, readonly [string, ...string[]]>>;
  #runs = 0;

  /** @throws Error if there is no C compiler. */
  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    const binary = join(this.#directory, "floor");
    const { status } = spawnSync(process.env["CC"] ?? "cc", ["-O2", "-o", binary, join(sources, "floor.c"), "-ldl"], { stdio: "inherit" });
    if (status !== 0) throw new Error("native/bench/floor.c did not compile: is a C compiler installed (apt-get install gcc libc6-dev)?");
    this.#commands = { c: [binary], binding: [process.execPath, join(sources, "flood.mjs")] };
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** All nodes flood; messages per second that each of them gets. */
  async flood(program: Program, bytes: number, window: number, seconds: number): Promise<number> {
    const group = this.#group();
    const outputs = await Promise.all(this.#cluster.nodeIds.map((nodeId) => readLines(this.#start(nodeId, program, ["flood", group, String(bytes), String(window), String(seconds)]))));
    const rates = outputs.flat().map(({ messagesPerSecond }) => messagesPerSecond ?? 0);
    return rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  }

  async ping(program: Program, bytes: number, count: number): Promise<PingTimes> {
    const group = this.#group();
    const pong = this.#start(2, program, ["pong", group]);
    if (pong.stdout === null) throw new Error("pong has a standard output");
    await once(pong.stdout, "data");
    const [own, answer] = await readLines(this.#start(1, program, ["ping", group, String(bytes), String(count)]));
    pong.stdin?.end();
    await once(pong, "close");
    return { ownP50Ms: own?.p50Ms ?? Number.NaN, answerP50Ms: answer?.p50Ms ?? Number.NaN };
  }

  /** All nodes but the first `senders` only answer. Each sends batches of so many commands, one after the other. */
  async commit({ bytes, commands, senders, seconds, durable }: CommitFloor): Promise<CommitTimes> {
    const group = this.#group();
    const nodes = this.#cluster.nodeIds;
    const outputs = await Promise.all(nodes.map((nodeId) => {
      const file = durable ? `${this.#cluster.directory}/${group}-${nodeId}` : "-";
      return readLines(this.#start(nodeId, "c", ["commit", group, String(bytes), String(commands), String(seconds), String(nodes.length), String(senders), file]));
    }));
    const sent = outputs.flat().slice(0, senders);
    return { commandsPerSecond: sent.reduce((sum, line) => sum + (line.commandsPerSecond ?? 0), 0), p50Ms: sent[0]?.p50Ms ?? Number.NaN };
  }

  #group(): string {
    this.#runs++;
    return `floor-${process.pid}-${this.#runs}`;
  }

  #start(nodeId: number, program: Program, args: readonly string[]): ChildProcess {
    const [command, ...first] = this.#commands[program];
    return this.#cluster.node(nodeId).spawn(command, [...first, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  }
}

interface Line {
  readonly messagesPerSecond?: number;
  readonly commandsPerSecond?: number;
  readonly p50Ms?: number;
}

/** @throws Error if the program failed: of several, the others' figures would be taken for those of all. */
async function readLines(child: ChildProcess): Promise<Line[]> {
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${child.spawnargs.slice(-6).join(" ")} ended with ${String(code ?? child.signalCode)}`);
  return Buffer.concat(chunks).toString().split("\n").filter((text) => text.startsWith("{")).map((text) => JSON.parse(text) as Line);
}
