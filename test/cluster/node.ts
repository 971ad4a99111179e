/** One node of a cluster: its Corosync daemon, and programs that run beside it. Its links are in network.ts. */
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { logFile } from "./corosync-conf.js";
import { eventually } from "./eventually.js";
import { Namespace } from "./namespace.js";
import type { Lifetime } from "./namespace.js";
import { ClusterError, processRef, processState, signal } from "./processes.js";
import type { NodeState } from "./state.js";

export interface NodeStatus {
  readonly nodeId: number;
  readonly daemon: "running" | "paused" | "down";
  /** As Corosync prints it, lowest node and sequence in hexadecimal: "1.1a". Undefined while it does not answer. */
  readonly ring: string | undefined;
  /** Ascending node ids; empty while it does not answer. */
  readonly members: readonly number[];
  readonly quorate: boolean;
}

/** A daemon that has not answered by then is synchronising or overloaded: ask again. */
const answerTimeoutMs = 2_000;

export class ClusterNode {
  readonly nodeId: number;
  readonly namespace: Namespace;
  readonly #state: NodeState;
  readonly #lifetime: Lifetime;
  readonly #save: () => void;

  constructor(state: NodeState, lifetime: Lifetime, save: () => void) {
    this.nodeId = state.nodeId;
    this.namespace = new Namespace(state.holder);
    this.#state = state;
    this.#lifetime = lifetime;
    this.#save = save;
  }

  get logFile(): string {
    return logFile(this.#state.directory);
  }

  get daemonPid(): number | undefined {
    return this.#daemonState() === "down" ? undefined : this.#state.daemon?.pid;
  }

  /**
   * Runs a program on this node: its network, and its daemon. The child's pid is the program's; it is killed when this
   * process ends and when the cluster stops. Files are shared with the machine, but for /run and /dev/shm.
   */
  spawn(command: string, args: readonly string[] = [], options: SpawnOptions = {}): ChildProcess {
    return this.namespace.spawn("owner", command, args, options);
  }

  /** Starts the daemon. Does not wait for a ring: Cluster.waitForRing() does. @throws ClusterError if it is running. */
  startDaemon(): void {
    if (this.#daemonState() !== "down") throw new ClusterError(`Corosync is already running on node ${String(this.nodeId)}.`);
    const output = openSync(this.#outputFile, "a");
    const child = this.namespace.spawn(this.#lifetime, "corosync", ["-f", "-c", `${this.#state.directory}/corosync.conf`], { stdio: ["ignore", output, output], detached: true });
    closeSync(output);
    child.unref();
    this.#state.daemon = processRef(child.pid);
    this.#save();
  }

  /** As a power cut: SIGKILL. Resolves when it is gone. */
  async killDaemon(): Promise<void> {
    signal(this.#running(), "SIGKILL");
    await eventually(() => this.#daemonState() === "down", { what: `Corosync on node ${String(this.nodeId)} to be gone`, intervalMs: 5 });
  }

  /** Freezes the daemon (SIGSTOP): to the others it is gone after the token timeout. */
  async pauseDaemon(): Promise<void> {
    signal(this.#running(), "SIGSTOP");
    await eventually(() => this.#daemonState() === "paused", { what: `Corosync on node ${String(this.nodeId)} to stand still`, intervalMs: 5 });
  }

  resumeDaemon(): void {
    signal(this.#running(), "SIGCONT");
  }

  async status(): Promise<NodeStatus> {
    const daemon = this.#daemonState();
    const silent: NodeStatus = { nodeId: this.nodeId, daemon, ring: undefined, members: [], quorate: false };
    if (daemon !== "running") return silent;
    try {
      // The exit code says whether it is quorate.
      return { ...silent, ...parseQuorumTool(await this.namespace.run("corosync-quorumtool", ["-s"], { timeoutMs: answerTimeoutMs, anyExitCode: true })) };
    } catch {
      return silent;
    }
  }

  /** The last lines of what the daemon wrote, for a failure's message. */
  logTail(lines: number): string {
    const read = (path: string): string[] => {
      try {
        return readFileSync(path, "utf8").trimEnd().split("\n");
      } catch {
        return [];
      }
    };
    return [...read(this.#outputFile), ...read(this.logFile)].slice(-lines).join("\n");
  }

  get #outputFile(): string {
    return `${this.#state.directory}/corosync.out`;
  }

  #daemonState(): NodeStatus["daemon"] {
    const state = this.#state.daemon === undefined ? "gone" : processState(this.#state.daemon);
    return state === "gone" ? "down" : state === "stopped" ? "paused" : "running";
  }

  #running(): NonNullable<NodeState["daemon"]> {
    if (this.#state.daemon === undefined || this.#daemonState() === "down") {
      throw new ClusterError(`Corosync is not running on node ${String(this.nodeId)}: start it first.`);
    }
    return this.#state.daemon;
  }
}

/** What `corosync-quorumtool -s` prints. A quorum device is in it like a member with the id 0. */
export function parseQuorumTool(text: string): { ring: string | undefined; members: number[]; quorate: boolean } {
  const field = (name: string): string | undefined => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(text)?.[1];
  const [, membership = ""] = text.split(/^Membership information$/m);
  const members = [...membership.matchAll(/^\s*([1-9]\d*)\s+\d+\s/gm)].map((match) => Number(match[1])).sort((a, b) => a - b);
  return { ring: field("Ring ID"), members, quorate: field("Quorate") === "Yes" };
}
