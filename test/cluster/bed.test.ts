/** The test bed itself: real nodes, real faults, and nothing left behind. */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it } from "vitest";
import { Cluster } from "./cluster.js";
import { eventually } from "./eventually.js";
import { parseQuorumTool } from "./node.js";
import { networkNamespace } from "./processes.js";
import { quickTotem } from "./corosync-conf.js";
import { useCluster } from "./use-cluster.js";

const options = { totem: quickTotem };
/** The processes whose environment has this, and that are more than what is left of one that has ended. */
function withEnvironment(assignment: string): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(assignment);
    } catch {
      return false;
    }
  });
}

const dist = (file: string): string => fileURLToPath(new URL(`../dist/cluster/${file}`, import.meta.url));

describe("a cluster", () => {
  const cluster = useCluster(options);
  const ringOf = async (nodeId: number): Promise<string> => (await cluster().node(nodeId).status()).members.join(" ");
  const seen = async (nodeId: number, members: string): Promise<void> => {
    await eventually(async () => await ringOf(nodeId) === members, { what: `node ${String(nodeId)} to see ${members}` });
  };

  it("starts with all nodes in one quorate ring", async () => {
    // Again and again: one that is busy may not answer at once.
    await expect.poll(async () => (await cluster().status()).map(({ daemon, members, quorate }) => ({ daemon, members, quorate })))
      .toEqual([1, 2, 3].map(() => ({ daemon: "running", members: [1, 2, 3], quorate: true })));
    await expect.poll(async () => new Set((await cluster().status()).map(({ ring }) => ring)).size).toBe(1);
  });

  it("runs programs on a node, with its daemon, its network and the caller's directory; the child is the program", async () => {
    const program = "echo $$; pwd; corosync-quorumtool -s | grep 'Node ID'; ip -brief address show eth0";
    const child = cluster().node(2).spawn("sh", ["-c", program], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout?.on("data", (data) => { output += String(data); });
    const [code] = await once(child, "close") as [number];
    expect(code).toBe(0);
    expect(output).toMatch(new RegExp(`^${String(child.pid)}\n${process.cwd()}\nNode ID: +2\neth0.* 10\\.77\\.0\\.2/24`));
  });

  it("cuts a node off from the others, and heals", async () => {
    await cluster().cut(3);
    await cluster().waitForRing([1, 2]);
    await seen(3, "3");
    expect((await cluster().node(3).status()).quorate).toBe(false);
    await cluster().heal(3);
    await cluster().waitForRing([1, 2, 3]);
  });

  it("separates sides", async () => {
    await cluster().separate([[1], [2, 3]]);
    await cluster().waitForRing([2, 3]);
    await seen(1, "1");
  });

  it("blocks one way only, which is enough to part two nodes", async () => {
    await cluster().block({ from: 1, to: 3 });
    await cluster().block({ from: 2, to: 3 });
    await cluster().waitForRing([1, 2]);
    expect(cluster().faults(3).deafTo).toEqual([1, 2]);
    expect(cluster().faults(1).deafTo).toEqual([]);
  });

  it("loses packets", async () => {
    await cluster().loss(2, 100);
    await cluster().waitForRing([1, 3]);
    await cluster().loss(2, 0);
    await cluster().waitForRing([1, 2, 3]);
  });

  it("freezes a daemon and lets it go on", async () => {
    await cluster().node(2).pauseDaemon();
    await cluster().waitForRing([1, 3]);
    expect(await cluster().node(2).status()).toMatchObject({ daemon: "paused", ring: undefined });
    cluster().node(2).resumeDaemon();
    await cluster().waitForRing([1, 2, 3]);
  });

  it("kills a daemon and starts it again", async () => {
    const before = cluster().node(1).daemonPid;
    await cluster().node(1).killDaemon();
    await cluster().waitForRing([2, 3]);
    expect(await cluster().node(1).status()).toMatchObject({ daemon: "down" });
    await expect(cluster().node(1).killDaemon()).rejects.toThrow(/not running on node 1: start it/);
    cluster().node(1).startDaemon();
    await cluster().waitForRing([1, 2, 3]);
    expect(cluster().node(1).daemonPid).not.toBe(before);
    expect(() => { cluster().node(1).startDaemon(); }).toThrow(/already running on node 1/);
  });

  it("is one of several: another has the same addresses and is not disturbed", async () => {
    const other = await Cluster.start({ ...options, nodes: 2 });
    try {
      await cluster().cut(1);
      await cluster().waitForRing([2, 3]);
      await expect.poll(async () => (await other.status()).map(({ members }) => members)).toEqual([[1, 2], [1, 2]]);
    } finally {
      await other.stop();
    }
  });

  it("refuses what cannot be, saying why", async () => {
    await expect(cluster().cut(9)).rejects.toThrow(/no node 9; the nodes are 1, 2, 3/);
    await expect(cluster().loss(1, 101)).rejects.toThrow(/0 to 100 percent/);
    await expect(cluster().separate([[1], [1, 2]])).rejects.toThrow(/each node on one side/);
    await expect(Cluster.start({ nodes: 17 })).rejects.toThrow(/1 to 16 nodes/);
    expect(() => Cluster.attach("/nowhere")).toThrow(/no cluster in \/nowhere/);
  });
});

describe("the end of a cluster", () => {
  const namespaces = new Set<string>();
  beforeEach(() => { namespaces.clear(); });

  const note = (cluster: Cluster): void => {
    for (const nodeId of cluster.nodeIds) namespaces.add(networkNamespace(cluster.node(nodeId).namespace.holder.pid) ?? "gone");
  };

  it("leaves no process and no file, whatever was still running on a node", async () => {
    const cluster = await Cluster.start({ ...options, nodes: 1 });
    note(cluster);
    const child = cluster.node(1).spawn("sh", ["-c", "sleep 1000 & echo $!; wait"], { stdio: ["ignore", "pipe", "inherit"] });
    const [data] = await once(child.stdout as NonNullable<typeof child.stdout>, "data") as [Buffer];
    const grandchild = Number(String(data));
    expect(namespaces).toContain(networkNamespace(grandchild));
    await cluster.stop();
    expect(existsSync(cluster.directory)).toBe(false);
    expect(namespaces).not.toContain(networkNamespace(grandchild));
    await cluster.stop();
  });

  it("keeps the logs when asked to", async () => {
    const cluster = await Cluster.start({ ...options, nodes: 1 });
    await cluster.stop({ keepLogs: true });
    try {
      expect(readFileSync(cluster.node(1).logFile, "utf8")).toMatch(/A new membership/);
    } finally {
      await cluster.stop();
    }
    expect(existsSync(cluster.directory)).toBe(false);
  });

  it("comes with a start that fails, which tells Corosync's reason and where the logs are", async () => {
    const starting = Cluster.start({ nodes: 1, totem: { version: 7 } });
    const { message } = await starting.then(() => new Error("it started"), (error: unknown) => error as Error);
    expect(message).toMatch(/logs are in .*lockstep-cluster-[^]*does not run on node 1[^]*version/i);
    const directory = /logs are in (\S+)\. /.exec(message)?.[1] ?? "";
    expect(existsSync(`${directory}/node1/corosync.out`)).toBe(true);
    rmSync(directory, { recursive: true });
  });

  it.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)("comes when its process ends by %s", async (name) => {
    const owner = spawn(process.execPath, [dist("hold-cluster.js")], { stdio: ["ignore", "pipe", "ignore"] });
    const exited = once(owner, "exit");
    const [line] = await once(owner.stdout, "data") as [Buffer];
    const { holders, directory } = JSON.parse(String(line)) as { holders: number[]; directory: string };
    const inside = holders.map((pid) => networkNamespace(pid));
    expect(inside).not.toContain(networkNamespace(process.pid));
    owner.kill(name);
    expect((await exited)[1]).toBe(name);
    await eventually(() => holders.every((pid, index) => networkNamespace(pid) !== inside[index]), { what: "the holders to be gone" });
    // Nobody could remove the directory after SIGKILL: the next start does, which may be that of another run beside this one. The logs of the others stay.
    if (name !== "SIGKILL") expect(existsSync(directory)).toBe(true);
    const next = await Cluster.start({ ...options, nodes: 1 });
    await next.stop();
    if (name === "SIGKILL") await eventually(() => !existsSync(directory), { what: "the directory of the killed one to be gone" });
    else rmSync(directory, { recursive: true });
  });

  it("comes also when its process ends while a program is being started on a node", async () => {
    const bin = mkdtempSync(join(tmpdir(), "lockstep-bin-"));
    // Starts so slowly that its parent is dead before the kernel is told to kill it with its parent.
    // Its parent has to wait until it runs: the shell asks for PPID when it starts, not when it is named.
    const running = join(bin, "running");
    writeFileSync(join(bin, "setpriv"), `#!/bin/sh\n: > ${running}\nwhile kill -0 $PPID; do sleep 0.01; done\nPATH=$REAL_PATH exec setpriv "$@"\n`, { mode: 0o755 });
    const mark = randomUUID();
    const owner = spawn(process.execPath, ["--input-type=module", "-e", `
      import { existsSync } from "node:fs";
      import { Namespace } from ${JSON.stringify(dist("namespace.js"))};
      const namespace = await Namespace.create("owner");
      namespace.spawn("owner", "sleep", ["100"], { stdio: "ignore", env: { PATH: ${JSON.stringify(bin)}, REAL_PATH: process.env.PATH, MARK: ${JSON.stringify(mark)} } });
      while (!existsSync(${JSON.stringify(running)})) await new Promise(setImmediate);
      process.kill(process.pid, "SIGKILL");
    `], { stdio: ["ignore", "ignore", "inherit"] });
    expect((await once(owner, "exit"))[1]).toBe("SIGKILL");
    await eventually(() => withEnvironment(`MARK=${mark}`).length === 0, { what: "the program to be gone", details: () => `still there: ${withEnvironment(`MARK=${mark}`).join(" ")}` });
    rmSync(bin, { recursive: true });
  });
});

describe("reading corosync-quorumtool", () => {
  it("finds ring, members and quorum", () => {
    const text = "Quorum information\nNodes:            2\nRing ID:          1.1a\nQuorate:          Yes\n\nMembership information\n----------------------\n    Nodeid      Votes Name\n         3          1 node3\n         1          1 node1 (local)\n";
    expect(parseQuorumTool(text)).toEqual({ ring: "1.1a", members: [1, 3], quorate: true });
    expect(parseQuorumTool(`${text}         0          1            Qdevice\n`).members, "a quorum device is no node").toEqual([1, 3]);
    expect(parseQuorumTool("Cannot initialize QUORUM service\n")).toEqual({ ring: undefined, members: [], quorate: false });
  });
});
