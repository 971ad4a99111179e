/** The key-value server as an operator runs it: one process per node, unmodified Redis clients, a death and a cut. */
import type { ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { eventually } from "./eventually.js";
import { quickTotem } from "./corosync-conf.js";
import { runKvClient } from "./run-kv-client.js";
import { useCluster } from "./use-cluster.js";

const server = fileURLToPath(new URL("../../examples/kv-store/dist/main.js", import.meta.url));
const port = "7379";
const cluster = useCluster({ totem: quickTotem });
const servers = new Map<number, ChildProcess>();

function start(nodeId: number): void {
  servers.set(nodeId, cluster().node(nodeId).spawn(process.execPath, [server, "--transport", "corosync", "--port", port, "--group", `kv-${process.pid}`], { stdio: "ignore" }));
}

function scenario(nodeId: number, library: "ioredis" | "redis", name: string, prefix: string): Promise<unknown> {
  return runKvClient(cluster().node(nodeId), port, library, name, prefix);
}

async function writable(nodeId: number): Promise<void> {
  await eventually(async () => ((await scenario(nodeId, "ioredis", "up", `node-${nodeId}`)) as { up: boolean }).up, { what: `the server on node ${nodeId} to take writes` });
}

const read = { greeting: "hello", n: "42", both: [null, "2"], exists: 1, expires: true };

afterAll(() => {
  for (const child of servers.values()) child.kill("SIGKILL");
});

describe("lockstep-kv on three Corosync nodes", () => {
  it("serves ioredis on one node and node-redis on another from one state", async () => {
    for (const nodeId of [1, 2, 3]) start(nodeId);
    for (const nodeId of [1, 2, 3]) await writable(nodeId);
    expect(await scenario(1, "ioredis", "write", "first")).toMatchObject({ set: "OK", incr: [1, 2, 42], binary: "00ff80" });
    expect(await scenario(3, "redis", "read", "first")).toEqual(read);
  });

  it("goes on when one server is killed, and takes it back with everything", async () => {
    const killed = servers.get(2);
    killed?.kill("SIGKILL");
    await writable(3);
    expect(await scenario(3, "ioredis", "write", "second")).toMatchObject({ set: "OK", incr: [1, 2, 42] });
    start(2);
    await writable(2);
    expect(await scenario(2, "redis", "read", "first")).toEqual(read);
    expect(await scenario(2, "redis", "read", "second")).toEqual(read);
  });

  /** What an unmodified client sees there: it would wait for a server that says it is loading. */
  async function refusedOn(nodeId: number, prefix: string): Promise<void> {
    const seen = await eventually(async () => {
      const now = (await scenario(nodeId, "ioredis", "refused", prefix)) as { error: string };
      return now.error.includes("CLUSTERDOWN") ? now : undefined;
    }, { what: `the server on node ${nodeId} to refuse writes` });
    expect(seen).toMatchObject({ read: expect.stringContaining("CLUSTERDOWN") as string, ping: "PONG", info: true, loading: "0" });
  }

  it("refuses writes and reads on a node that is cut off, answers PING and INFO there, and serves it again after healing", async () => {
    await cluster().cut(3);
    await refusedOn(3, "third");
    // Until the others are in one ring they may be alone, too.
    await writable(1);
    expect(await scenario(1, "ioredis", "write", "third")).toMatchObject({ set: "OK" });
    await cluster().heal(3);
    await writable(3);
    expect(await scenario(3, "redis", "read", "third")).toEqual(read);
  });

  it("refuses the same on a node whose daemon is killed, and serves it again when the daemon is back", async () => {
    await cluster().node(2).killDaemon();
    await refusedOn(2, "fourth");
    await writable(1);
    expect(await scenario(1, "ioredis", "write", "fourth")).toMatchObject({ set: "OK" });
    cluster().node(2).startDaemon();
    await cluster().waitForRing([1, 2, 3]);
    await writable(2);
    expect(await scenario(2, "redis", "read", "fourth")).toEqual(read);
  });
});
