/**
 * The network between the nodes: one bridge in a namespace of its own, one cable to each node, and everything that can be
 * wrong with them. The faults of a node are stated whole and put in force whole, so that they never pile up.
 */
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { nodeAddress, switchAddress } from "./corosync-conf.js";
import { Namespace } from "./namespace.js";
import type { NodeFaults } from "./state.js";

export class ClusterNetwork {
  readonly #switch: Namespace;

  constructor(namespace: Namespace) {
    this.#switch = namespace;
  }

  async createSwitch(): Promise<void> {
    await this.#ip(["link add br0 type bridge", `addr add ${switchAddress}/24 dev br0`, "link set br0 up"]);
  }

  async connect(nodeId: number, node: Namespace): Promise<void> {
    await this.#ip([
      `link add ${port(nodeId)} type veth peer name eth0 netns ${String(node.holder.pid)}`,
      `link set ${port(nodeId)} master br0`,
      `link set ${port(nodeId)} up`,
    ]);
    await node.run("ip", ["-batch", "-"], { input: `addr add ${nodeAddress(nodeId)}/24 dev eth0\nlink set eth0 up\n` });
  }

  async apply(nodeId: number, node: Namespace, faults: NodeFaults): Promise<void> {
    await this.#ip([`link set ${port(nodeId)} ${faults.linkDown ? "down" : "up"}`]);
    await node.run("iptables-restore", [], { input: filter(faults) });
  }

  spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    return this.#switch.spawn("owner", command, args, options);
  }

  async #ip(commands: readonly string[]): Promise<void> {
    await this.#switch.run("ip", ["-batch", "-"], { input: `${commands.join("\n")}\n` });
  }
}

function port(nodeId: number): string {
  return `port${String(nodeId)}`;
}

function filter(faults: NodeFaults): string {
  const rules = faults.deafTo.map((nodeId) => `-A INPUT -s ${nodeAddress(nodeId)} -j DROP`);
  if (faults.lossPercent > 0) rules.push(`-A INPUT -i eth0 -m statistic --mode random --probability ${String(faults.lossPercent / 100)} -j DROP`);
  return ["*filter", ":INPUT ACCEPT", ...rules, "COMMIT", ""].join("\n");
}
