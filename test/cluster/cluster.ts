/**
 * Real Corosync nodes on one machine, each in namespaces of its own, with the faults of real networks. Needs root: see
 * corosyncAvailable(). A cluster ends with the process that started it, whatever ends that, unless it is made to stay.
 */
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { corosyncAvailable } from "./available.js";
import { corosyncConf } from "./corosync-conf.js";
import type { Settings } from "./corosync-conf.js";
import { eventually } from "./eventually.js";
import { Namespace } from "./namespace.js";
import { ClusterNetwork } from "./network.js";
import { ClusterNode } from "./node.js";
import type { NodeStatus } from "./node.js";
import { disown, own } from "./ownership.js";
import { ClusterError, processRef, processState } from "./processes.js";
import { abandonedClusters, loadState, newDirectory, noFaults, saveState } from "./state.js";
import type { ClusterState, NodeFaults, NodeState } from "./state.js";
import { takeDown } from "./take-down.js";

export interface ClusterOptions {
  /** 1 to 16; their ids are 1, 2, …. Default 3. */
  readonly nodes?: number;
  /** Added to, or put over, totem { } of corosync.conf. Default: Corosync's own, with a token of 1000 ms. */
  readonly totem?: Settings;
  /** Added to, or put over, quorum { }: `{ two_node: 1 }`. */
  readonly quorum?: Settings;
  /** Configures a quorum device, which is then to be started: see quorum-device.ts. Default false. */
  readonly device?: boolean;
  /** For the first ring of all nodes, which forms in about two seconds on an idle machine. Default: patienceMs. */
  readonly startTimeoutMs?: number;
  /** Keeps everything about the cluster here, and leaves it up when this process ends. Default: a new directory, and no. */
  readonly stayIn?: string;
}

const maxNodes = 16;

export class Cluster {
  readonly #state: ClusterState;
  readonly #network: ClusterNetwork;
  readonly #nodes: readonly ClusterNode[];

  private constructor(state: ClusterState) {
    this.#state = state;
    if (state.network === undefined) throw new ClusterError(`The cluster in ${state.directory} was never started to the end: take it down.`);
    this.#network = new ClusterNetwork(new Namespace(state.network));
    this.#nodes = state.nodes.map((node) => new ClusterNode(node, state.owner === undefined ? "itself" : "owner", () => { saveState(state); }));
  }

  /** Resolves when all nodes are in one ring and quorate. @throws ClusterError */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const count = options.nodes ?? 3;
    if (!Number.isInteger(count) || count < 1 || count > maxNodes) throw new ClusterError(`A test cluster has 1 to ${String(maxNodes)} nodes, not ${String(count)}.`);
    const reason = corosyncAvailable();
    if (reason !== undefined) throw new ClusterError(reason);
    for (const abandoned of abandonedClusters()) takeDown(abandoned, false);
    const directory = options.stayIn ?? newDirectory();
    const state: ClusterState = { directory, owner: options.stayIn === undefined ? processRef(process.pid) : undefined, network: undefined, nodes: [] };
    saveState(state);
    own(state);
    try {
      const cluster = await Cluster.#build(state, count, options);
      if (state.owner === undefined) disown(state);
      return cluster;
    } catch (error) {
      disown(state);
      takeDown(state, true);
      throw new ClusterError(`The cluster did not start; its logs are in ${directory}. ${(error as Error).message}`, { cause: error });
    }
  }

  static async #build(state: ClusterState, count: number, options: ClusterOptions): Promise<Cluster> {
    const lifetime = state.owner === undefined ? "itself" : "owner";
    const hub = await Namespace.create(lifetime);
    state.network = hub.holder;
    saveState(state);
    const network = new ClusterNetwork(hub);
    await network.createSwitch();
    const nodeIds = Array.from({ length: count }, (_, index) => index + 1);
    for (const nodeId of nodeIds) {
      const namespace = await Namespace.create(lifetime);
      const directory = `${state.directory}/node${String(nodeId)}`;
      state.nodes.push({ nodeId, directory, holder: namespace.holder, daemon: undefined, faults: noFaults() });
      saveState(state);
      await network.connect(nodeId, namespace);
      mkdirSync(`${directory}/state`, { recursive: true });
      writeFileSync(`${directory}/corosync.conf`, corosyncConf({ nodeIds, totem: { token: 1000, ...options.totem }, quorum: options.quorum ?? {}, device: options.device ?? false, directory }));
    }
    const cluster = new Cluster(state);
    for (const node of cluster.#nodes) node.startDaemon();
    await cluster.waitForRing(nodeIds, options.startTimeoutMs === undefined ? {} : { timeoutMs: options.startTimeoutMs });
    return cluster;
  }

  /** A cluster that was made to stay. @throws ClusterError if there is none in this directory. */
  static attach(directory: string): Cluster {
    const state = loadState(directory);
    if (state === undefined) throw new ClusterError(`There is no cluster in ${directory}.`);
    const dead = state.nodes.find((node) => processState(node.holder) === "gone");
    if (dead !== undefined) throw new ClusterError(`Node ${String(dead.nodeId)} of the cluster in ${directory} is gone (was the machine restarted?): take it down and start again.`);
    return new Cluster(state);
  }

  get directory(): string {
    return this.#state.directory;
  }

  get nodeIds(): readonly number[] {
    return this.#nodes.map((node) => node.nodeId);
  }

  /** @throws ClusterError if there is no such node. */
  node(nodeId: number): ClusterNode {
    const node = this.#nodes.find((candidate) => candidate.nodeId === nodeId);
    if (node === undefined) throw new ClusterError(`There is no node ${String(nodeId)}; the nodes are ${this.nodeIds.join(", ")}.`);
    return node;
  }

  /** Runs a program beside the nodes, at the switch: no fault of a node's network is between it and the other nodes. Else as ClusterNode.spawn(). */
  spawnAtSwitch(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return this.#network.spawn(command, args, options);
  }

  async status(): Promise<NodeStatus[]> {
    return Promise.all(this.#nodes.map(async (node) => node.status()));
  }

  faults(nodeId: number): Readonly<NodeFaults> {
    return this.#stateOf(nodeId).faults;
  }

  /** Pulls the node's cable. */
  async cut(nodeId: number): Promise<void> {
    await this.setFaults(nodeId, { linkDown: true });
  }

  /** One node no longer gets the packets of another; the other way stays open. */
  async block(way: { readonly from: number; readonly to: number }): Promise<void> {
    this.node(way.from);
    await this.setFaults(way.to, { deafTo: [...new Set([...this.faults(way.to).deafTo, way.from])] });
  }

  /** Splits the network into sides that do not hear each other; a node in no side is left as it is. */
  async separate(sides: readonly (readonly number[])[]): Promise<void> {
    const all = sides.flat();
    if (new Set(all).size !== all.length) throw new ClusterError(`separate() wants each node on one side at most, not ${JSON.stringify(sides)}.`);
    for (const nodeId of all) this.node(nodeId);
    await Promise.all(sides.flatMap((side) => {
      const others = all.filter((nodeId) => !side.includes(nodeId));
      return side.map(async (nodeId) => this.setFaults(nodeId, { deafTo: others }));
    }));
  }

  /** Loses this share of the packets that come to the node: 2 is harsh, 10 takes the ring down. */
  async loss(nodeId: number, percent: number): Promise<void> {
    if (!(percent >= 0 && percent <= 100)) throw new ClusterError(`Loss is 0 to 100 percent, not ${String(percent)}.`);
    await this.setFaults(nodeId, { lossPercent: percent });
  }

  /** Ends all faults of the network at a node, or at all nodes. Daemons are left as they are. */
  async heal(nodeId?: number): Promise<void> {
    const ids = nodeId === undefined ? this.nodeIds : [this.node(nodeId).nodeId];
    await Promise.all(ids.map(async (id) => this.setFaults(id, noFaults())));
  }

  /** Waits until these nodes are in one ring with nobody else. Returns the ring's id. @throws ClusterError at once if one of them is down. */
  async waitForRing(nodeIds: readonly number[], options: { readonly timeoutMs?: number } = {}): Promise<string> {
    const nodes = nodeIds.map((nodeId) => this.node(nodeId));
    const wanted = [...nodeIds].sort((a, b) => a - b).join(" ");
    let seen: NodeStatus[] = [];
    const result = await eventually<string | NodeStatus>(async () => {
      seen = await Promise.all(nodes.map(async (node) => node.status()));
      const ring = seen[0]?.ring;
      const inOneRing = seen.every((status) => status.ring === ring && status.members.join(" ") === wanted);
      return inOneRing ? ring : seen.find((status) => status.daemon === "down");
    }, {
      ...options,
      what: `nodes ${wanted} to form one ring`,
      details: () => nodes.map((node, index) => `${JSON.stringify(seen[index])}\n${node.logTail(5)}`).join("\n"),
    });
    if (typeof result === "string") return result;
    throw new ClusterError(`Corosync does not run on node ${String(result.nodeId)}, which nodes ${wanted} wait for. Its last words:\n${this.node(result.nodeId).logTail(10)}`);
  }

  /** Undoes every fault, daemons included; resolves when all nodes are in one ring. */
  async mend(): Promise<void> {
    await this.heal();
    for (const { nodeId, daemon } of await this.status()) {
      if (daemon === "paused") this.node(nodeId).resumeDaemon();
      if (daemon === "down") this.node(nodeId).startDaemon();
    }
    await this.waitForRing(this.nodeIds);
  }

  /** Takes everything down. Idempotent. Logs stay only if asked for: their place is `directory`. */
  async stop(options: { readonly keepLogs?: boolean } = {}): Promise<void> {
    disown(this.#state);
    takeDown(this.#state, options.keepLogs ?? false);
  }

  /** States what is wrong with a node's network; what is not mentioned stays as it is. */
  async setFaults(nodeId: number, faults: Partial<NodeFaults>): Promise<void> {
    const node = this.node(nodeId);
    const state = this.#stateOf(nodeId);
    state.faults = { ...state.faults, ...faults };
    saveState(this.#state);
    await this.#network.apply(nodeId, node.namespace, state.faults);
  }

  #stateOf(nodeId: number): NodeState {
    this.node(nodeId);
    return this.#state.nodes.find((node) => node.nodeId === nodeId) as NodeState;
  }
}
