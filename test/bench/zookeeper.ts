/** Three ZooKeeper servers on the nodes of a cluster, as Debian has them, and the recipe for locks on them: an ephemeral sequential node for each who asks. */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import zookeeper, { type Client } from "node-zookeeper-client";
import type { Cluster } from "../cluster/cluster.js";
import { nodeAddress } from "../cluster/corosync-conf.js";
import type { Locks, Release } from "./lock-clients.js";
import { Servers } from "./servers.js";

export const zookeeperPort = 2181;
const jar = "/usr/share/java/zookeeper.jar";
const sessionTimeoutMs = 30_000;

/** undefined: it is here; else what to do. */
export function zookeeperMissing(): string | undefined {
  return existsSync(jar) && spawnSync("java", ["-version"]).status === 0 ? undefined : "ZooKeeper or Java is not installed. On Debian: apt-get install zookeeper default-jre-headless";
}

/** Time-outs as in the sample that comes with it; everything else is the default. */
export function startZookeeper(cluster: Cluster): Servers {
  return Servers.start(cluster, "zookeeper", "java", (nodeId, directory) => {
    writeFileSync(`${directory}/myid`, String(nodeId));
    const members = cluster.nodeIds.map((id) => `server.${id}=${nodeAddress(id)}:2888:3888`);
    writeFileSync(`${directory}/zoo.cfg`, [
      "tickTime=2000", "initLimit=10", "syncLimit=5", `dataDir=${directory}`, `clientPort=${zookeeperPort}`, `clientPortAddress=${nodeAddress(nodeId)}`,
      "admin.enableServer=false", "4lw.commands.whitelist=srvr", ...members, "",
    ].join("\n"));
    return ["-Xmx1000m", "-cp", jar, "org.apache.zookeeper.server.quorum.QuorumPeerMain", `${directory}/zoo.cfg`];
  });
}

/** One session at one server. */
export class ZookeeperLocks implements Locks {
  readonly #client: Client;
  readonly #known = new Map<string, Promise<void>>();

  private constructor(client: Client) {
    this.#client = client;
  }

  /** @throws Error if the server does not serve yet. */
  static async open(host: string, port: number): Promise<ZookeeperLocks> {
    if ((await zookeeperMode(host, port)) === undefined) throw new Error("ZooKeeper has no quorum yet");
    const client = zookeeper.createClient(`${host}:${port}`, { sessionTimeout: sessionTimeoutMs });
    await new Promise<void>((resolve) => {
      client.once("connected", resolve);
      client.connect();
    });
    return new ZookeeperLocks(client);
  }

  async acquire(name: string): Promise<Release> {
    const parent = `/locks/${name}`;
    await this.#ensure(parent);
    // A session's calls are done in order: the second need not wait for the first.
    const created = new Promise<string>((resolve, reject) => {
      this.#client.create(`${parent}/lock-`, Buffer.alloc(0), zookeeper.CreateMode.EPHEMERAL_SEQUENTIAL, (error, path) => { if (error === null) resolve(path); else reject(error); });
    });
    let [own, children] = await Promise.all([created, this.#children(parent)]);
    for (;;) {
      const before = children.map((child) => `${parent}/${child}`).filter((path) => path < own).sort().at(-1);
      if (before === undefined) return () => this.#remove(own);
      await this.#gone(before);
      children = await this.#children(parent);
    }
  }

  close(): void {
    this.#client.close();
  }

  /** Locks are there before they are measured. */
  #ensure(path: string): Promise<void> {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const made = new Promise<void>((resolve, reject) => { this.#client.mkdirp(path, (error) => { if (error === null) resolve(); else reject(error); }); });
    this.#known.set(path, made);
    return made;
  }

  #children(path: string): Promise<string[]> {
    return new Promise((resolve, reject) => { this.#client.getChildren(path, (error, children) => { if (error === null) resolve(children); else reject(error); }); });
  }

  /** By reading, and not by asking whether it exists: that would leave a watch behind where it does not. */
  #gone(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.getData(path, () => { resolve(); }, (error) => {
        if (error?.getCode() === zookeeper.Exception.NO_NODE) resolve();
        else if (error !== null) reject(error);
      });
    });
  }

  #remove(path: string): Promise<void> {
    return new Promise((resolve, reject) => { this.#client.remove(path, (error) => { if (error === null) resolve(); else reject(error); }); });
  }
}

/** What the server is, by its command `srvr`: "leader", "follower"; undefined while it is neither. */
export function zookeeperMode(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect({ host, port }, () => socket.write("srvr"));
    socket.on("data", (chunk) => { text += chunk.toString(); }).on("error", reject).on("close", () => { resolve(/^Mode: (\w+)$/m.exec(text)?.[1]); });
  });
}
