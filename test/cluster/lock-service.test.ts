/** The lock service as an operator runs it: one process per node on Corosync, its own commands and plain HTTP as clients, deaths and a cut. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { quickTotem } from "./corosync-conf.js";
import { eventually } from "./eventually.js";
import { useCluster } from "./use-cluster.js";

const program = fileURLToPath(new URL("../../examples/lock-service/dist/cli/main.js", import.meta.url));
const url = "http://127.0.0.1:7400";
const cluster = useCluster({ totem: quickTotem });
const servers = new Map<number, ChildProcess>();
const clients: ChildProcess[] = [];

interface Lock {
  readonly holders: readonly { readonly session: string; readonly token: number }[];
  readonly waiters: readonly unknown[];
}

function start(nodeId: number): void {
  servers.set(nodeId, cluster().node(nodeId).spawn(process.execPath, [program, "serve", "--transport", "corosync", "--group", `locks-${process.pid}`], { stdio: "ignore" }));
}

/** A process on the node that holds the lock until it is ended. */
function hold(nodeId: number, lock: string, ttlSeconds: number): ChildProcess {
  const child = cluster().node(nodeId).spawn(process.execPath, [program, "run", lock, "--endpoints", url, "--ttl", String(ttlSeconds), "--", "sleep", "600"], { stdio: "ignore" });
  clients.push(child);
  return child;
}

/** One call from a process on the node. */
async function call(nodeId: number, method: string, path: string, body?: object): Promise<{ readonly status: number; readonly body: unknown }> {
  const script = `const answer = await fetch(${JSON.stringify(url + path)}, { method: ${JSON.stringify(method)}, headers: { "content-type": "application/json" }${body === undefined ? "" : `, body: ${JSON.stringify(JSON.stringify(body))}`} });
    process.stdout.write(JSON.stringify({ status: answer.status, body: await answer.json() }));`;
  const child = cluster().node(nodeId).spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "ignore"] });
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(child, "close");
  return JSON.parse(Buffer.concat(chunks).toString()) as { readonly status: number; readonly body: unknown };
}

async function lockAt(nodeId: number, name: string): Promise<Lock> {
  const { status, body } = await call(nodeId, "GET", `/v1/locks/${name}`);
  if (status !== 200) throw new Error(`status ${status}: ${JSON.stringify(body)}`);
  return (body as { readonly lock: Lock }).lock;
}

function holderAt(nodeId: number, name: string, is: (lock: Lock) => boolean = ({ holders }) => holders.length === 1): Promise<Lock> {
  return eventually(async () => {
    const lock = await lockAt(nodeId, name);
    return is(lock) ? lock : undefined;
  }, { what: `the lock ${name}, as node ${nodeId} sees it` });
}

const working = (nodeId: number): Promise<boolean> => eventually(async () => (await call(nodeId, "GET", "/v1/health")).status === 200, { what: `the server on node ${nodeId} to work` });

afterAll(() => {
  for (const child of [...clients, ...servers.values()]) child.kill("SIGKILL");
});

describe("lockstep-lock on three Corosync nodes", () => {
  it("gives a lock that is held through one node to nobody on another, and to the next in line when it is free", async () => {
    for (const nodeId of [1, 2, 3]) start(nodeId);
    for (const nodeId of [1, 2, 3]) await working(nodeId);
    const first = hold(1, "x", 15);
    const before = await holderAt(3, "x");
    const second = hold(3, "x", 15);
    await holderAt(2, "x", ({ waiters }) => waiters.length === 1);
    first.kill("SIGTERM");
    const after = await holderAt(2, "x", ({ holders }) => holders.length === 1 && holders[0]?.session !== before.holders[0]?.session);
    expect(after.holders[0]?.token).toBeGreaterThan(before.holders[0]?.token ?? Infinity);
    second.kill("SIGTERM");
    await holderAt(1, "x", ({ holders }) => holders.length === 0);
  });

  it("releases what a bound session holds when the replica that opened it dies, long before its TTL", async () => {
    const opened = await call(2, "POST", "/v1/sessions", { ttlMs: 3_600_000, bound: true });
    const { session } = opened.body as { readonly session: string };
    expect(await call(2, "PUT", `/v1/sessions/${session}/requests/r`, { locks: [{ lock: "y" }] })).toMatchObject({ status: 200 });
    hold(1, "y", 15);
    await holderAt(3, "y", ({ waiters }) => waiters.length === 1);
    servers.get(2)?.kill("SIGKILL");
    await holderAt(3, "y", ({ holders, waiters }) => waiters.length === 0 && holders[0]?.session !== session);
    start(2);
    await working(2);
    expect((await lockAt(2, "y")).holders).toHaveLength(1);
    expect(await call(2, "POST", `/v1/sessions/${session}/renew`)).toMatchObject({ status: 410, body: { error: { code: "SESSION_OVER" } } });
  });

  it("ends the command of a holder that is cut off, and gives its lock to the other side when its lease is over", async () => {
    const cut = hold(3, "z", 10);
    const before = await holderAt(1, "z");
    hold(1, "z", 15);
    await holderAt(2, "z", ({ waiters }) => waiters.length === 1);
    const ended = once(cut, "exit").then(([code]) => ({ code: code as number, at: performance.now() }));
    await cluster().cut(3);
    await eventually(async () => (await call(3, "POST", "/v1/sessions")).status === 503, { what: "the cut node to refuse" });
    await holderAt(1, "z", ({ holders }) => holders.length === 1 && holders[0]?.session !== before.holders[0]?.session);
    const grantedBy = performance.now();
    const { code, at } = await ended;
    expect(code).toBe(76);
    expect(at).toBeLessThan(grantedBy);
    await cluster().heal(3);
    await working(3);
    expect((await lockAt(3, "z")).holders[0]?.session).not.toBe(before.holders[0]?.session);
  });
});
