/**
 * Corosync's quorum device on a test cluster: the arbiter (corosync-qnetd) at the switch, as on a host of its own, and beside each daemon
 * the program that asks it (corosync-qdevice). Of a cluster that was started with `device: true`.
 */
import type { ChildProcess } from "node:child_process";
import { findTool } from "./available.js";
import type { Cluster } from "./cluster.js";
import { switchAddress } from "./corosync-conf.js";
import { eventually } from "./eventually.js";

const programs = ["corosync-qnetd", "corosync-qdevice"] as const;

/** Undefined if a device can run here, else why not. */
export function quorumDeviceAvailable(): string | undefined {
  const missing = programs.filter((program) => findTool(program) === undefined);
  return missing.length === 0 ? undefined : `Not installed: ${missing.join(", ")}. On Debian or Ubuntu: apt-get install ${missing.join(" ")}`;
}

export class QuorumDevice {
  readonly #cluster: Cluster;
  readonly #asking = new Map<number, ChildProcess>();
  #arbiter: ChildProcess | undefined;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Starts what does not run, which is all at first; resolves when its vote counts on every node. */
  async start(): Promise<void> {
    if (!runs(this.#arbiter)) this.#arbiter = this.#cluster.spawnAtSwitch("corosync-qnetd", ["-f", "-s", "off", "-l", switchAddress], { stdio: "ignore" });
    await this.#untilVotes(true, (nodeId) => { this.#ask(nodeId); });
  }

  /** What asks ends with its node's daemon, a moment later: so it is looked after until its vote counts. */
  #ask(nodeId: number): void {
    if (!runs(this.#asking.get(nodeId))) this.#asking.set(nodeId, this.#cluster.node(nodeId).spawn("corosync-qdevice", ["-f"], { stdio: "ignore" }));
  }

  /** The arbiter's host dies. Resolves when nobody counts its vote any more. */
  async killArbiter(): Promise<void> {
    this.#arbiter?.kill("SIGKILL");
    await this.#untilVotes(false, () => undefined);
  }

  async #untilVotes(given: boolean, meanwhile: (nodeId: number) => void): Promise<void> {
    for (const nodeId of this.#cluster.nodeIds) {
      const look = async (): Promise<string> => {
        meanwhile(nodeId);
        return this.#cluster.node(nodeId).namespace.run("corosync-quorumtool", ["-s"], { anyExitCode: true });
      };
      await eventually(async () => votes(await look()) === given, { what: `the device's vote to be ${given ? "given to" : "missed by"} node ${String(nodeId)}`, details: look });
    }
  }
}

function runs(child: ChildProcess | undefined): boolean {
  return child !== undefined && child.exitCode === null && child.signalCode === null;
}

/** Of what corosync-quorumtool prints, the device's line: "0 1 Qdevice" with its vote. */
function votes(status: string): boolean {
  return /^\s*0\s+1\s+Qdevice/m.test(status);
}
