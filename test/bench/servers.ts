/** Three servers of a kind on the nodes of a cluster, each with a directory of its own on the same file system: etcd, the key-value server, or another. */
import type { ChildProcess } from "node:child_process";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Cluster } from "../cluster/cluster.js";
import { nodeAddress } from "../cluster/corosync-conf.js";

const kvProgram = fileURLToPath(new URL("../../../examples/kv-store/dist/main.js", import.meta.url));

export const kvPort = 7379;
export const etcdPort = 2379;
const etcdPeerPort = 2380;

/** undefined: etcd is here; else what to do. */
export function etcdMissing(): string | undefined {
  return spawnSync("etcd", ["--version"]).status === 0 ? undefined : "etcd is not installed. On Debian: apt-get install etcd-server";
}

export class Servers {
  readonly #children: ChildProcess[] = [];
  readonly #cluster: Cluster;

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  static etcd(cluster: Cluster): Servers {
    const servers = new Servers(cluster);
    const members = cluster.nodeIds.map((nodeId) => `node${nodeId}=http://${nodeAddress(nodeId)}:${etcdPeerPort}`).join(",");
    for (const nodeId of cluster.nodeIds) {
      const [client, peer] = [`http://${nodeAddress(nodeId)}:${etcdPort}`, `http://${nodeAddress(nodeId)}:${etcdPeerPort}`];
      servers.#start(nodeId, "etcd", (directory) => [
        "--name", `node${nodeId}`, "--data-dir", directory, "--initial-cluster", members, "--initial-cluster-state", "new",
        "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
      ], "etcd");
    }
    return servers;
  }

  static kv(cluster: Cluster): Servers {
    const servers = new Servers(cluster);
    for (const nodeId of cluster.nodeIds) {
      servers.#start(nodeId, process.execPath, (directory) => [
        kvProgram, "--transport", "corosync", "--group", `bench-kv-${process.pid}`, "--host", nodeAddress(nodeId), "--port", String(kvPort), "--data", directory,
      ], "kv");
    }
    return servers;
  }

  /** Of any other program, one on each node. */
  static start(cluster: Cluster, name: string, command: string, args: (nodeId: number, directory: string) => readonly string[]): Servers {
    const servers = new Servers(cluster);
    for (const nodeId of cluster.nodeIds) servers.#start(nodeId, command, (directory) => args(nodeId, directory), name);
    return servers;
  }

  /** Of their processes, in the order of the nodes. */
  get pids(): readonly number[] {
    return this.#children.map(({ pid }) => pid ?? 0);
  }

  #start(nodeId: number, command: string, args: (directory: string) => readonly string[], name: string): void {
    const place = `${this.#cluster.directory}/bench-${name}-${nodeId}`;
    mkdirSync(place, { mode: 0o700 });
    const log = openSync(`${place}.log`, "a");
    this.#children.push(this.#cluster.node(nodeId).spawn(command, args(place), { stdio: ["ignore", log, log] }));
    closeSync(log);
  }

  /** What they wrote last, for a failure's message. */
  lastWords(name: string): string {
    return this.#cluster.nodeIds.map((nodeId) => readFileSync(`${this.#cluster.directory}/bench-${name}-${nodeId}.log`, "utf8").trimEnd().split("\n").slice(-5).join("\n")).join("\n");
  }

  /** Their files go with the cluster's directory. */
  async end(): Promise<void> {
    await Promise.all(this.#children.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }));
  }
}
