/** What operators do to a group on three Corosync nodes: a backup while it runs, a group restored from it, a new start after two disks are lost. */
import { execFile, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { quickTotem } from "./corosync-conf.js";
import { eventually } from "./eventually.js";
import { runKvClient } from "./run-kv-client.js";
import { useCluster } from "./use-cluster.js";

const program = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const server = program("../../examples/kv-store/dist/main.js");
const operator = program("../../framework/bin/lockstep.js");
const port = "7380";
const group = `kv-operations-${process.pid}`;
const nodes = [1, 2, 3];
const cluster = useCluster({ totem: quickTotem });
const scratch = mkdtempSync(join(tmpdir(), "lockstep-operations-"));
const servers = new Map<number, ChildProcess>();
const read = { greeting: "hello", n: "42", both: [null, "2"], exists: 1, expires: true };

function directory(nodeId: number): string {
  return join(scratch, `node-${nodeId}`);
}

async function startAll(): Promise<void> {
  for (const nodeId of nodes) {
    const args = [server, "--transport", "corosync", "--port", port, "--group", group, "--data", directory(nodeId)];
    servers.set(nodeId, cluster().node(nodeId).spawn(process.execPath, args, { stdio: "ignore" }));
  }
  for (const nodeId of nodes) {
    await eventually(async () => ((await scenario(nodeId, "ioredis", "up", `node-${nodeId}`)) as { up: boolean }).up, { what: `the server on node ${nodeId} to take writes` });
  }
}

async function stopAll(): Promise<void> {
  await Promise.all(Array.from(servers.values(), async (child) => {
    const ended = child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined;
    child.kill("SIGTERM");
    await ended;
  }));
  servers.clear();
}

function scenario(nodeId: number, library: "ioredis" | "redis", name: string, prefix: string): Promise<unknown> {
  return runKvClient(cluster().node(nodeId), port, library, name, prefix);
}

async function lockstep(...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [operator, ...args, "--by", "ada@desk"], (error, out, err) => { if (error === null) resolve(out); else reject(new Error(err)); });
  });
}

afterAll(() => {
  for (const child of servers.values()) child.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
});

describe("an operator, on three Corosync nodes,", () => {
  const file = join(scratch, "kv.backup");

  it("backs up a group that runs, and restores it to what it was then", async () => {
    await startAll();
    expect(await scenario(1, "ioredis", "write", "kept")).toMatchObject({ set: "OK" });
    expect(await lockstep("backup", "--data", directory(2), "--to", file)).toContain("holds the state of position");
    expect(await scenario(3, "ioredis", "write", "lost")).toMatchObject({ set: "OK" });
    await stopAll();
    for (const nodeId of nodes) rmSync(directory(nodeId), { recursive: true });
    expect(await lockstep("restore", file, "--data", directory(3), "--group", group, "--slot", "3", "--slots", "1,2,3")).toContain("Start those of slots 1, 2 with empty directories");
    await startAll();
    expect(await scenario(1, "redis", "read", "kept")).toEqual(read);
    expect(await scenario(2, "redis", "read", "lost")).toMatchObject({ greeting: null, n: null });
  });

  it("lets it go on from one node when the disks of the others are lost", async () => {
    expect(await scenario(2, "ioredis", "write", "later")).toMatchObject({ set: "OK" });
    expect(await scenario(1, "redis", "read", "later")).toEqual(read);
    await stopAll();
    for (const lost of [2, 3]) rmSync(directory(lost), { recursive: true });
    expect(await lockstep("new-start", "--data", directory(1), "--yes")).toContain("Done");
    await startAll();
    for (const prefix of ["kept", "later"]) expect(await scenario(3, "redis", "read", prefix)).toEqual(read);
  });
});
