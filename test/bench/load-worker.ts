/**
 * The clients of a comparison of servers, in one process on a node of a cluster: one connection to each server, and any number of
 * clients on them, each waiting for its answer. Speaks lines of JSON.
 */
import { createInterface } from "node:readline";
import { Redis } from "ioredis";
import { eventually } from "../cluster/eventually.js";
import { closedLoop, forSeconds } from "./closed-loop.js";
import { EtcdConnection } from "./etcd-connection.js";

export interface LoadOrder {
  readonly kind: "load" | "stop";
  readonly seconds: number;
  readonly clients: number;
  /** Index of the only server to ask; without it clients are spread over all. */
  readonly only?: number;
}

export interface LoadReady {
  /** Index of etcd's leader. */
  readonly leader: number;
}

interface Server {
  put(key: string, value: string): Promise<unknown>;
  close(): void;
}

const keys = 10_000;
const startTimeoutMs = 30_000;
const [kind = "", port = "0", valueBytes = "0", ...hosts] = process.argv.slice(2);
const value = "v".repeat(Number(valueBytes));
const servers = await Promise.all(hosts.map((host) => eventually(() => connect(host), { what: `${kind} on ${host} to take writes`, timeoutMs: startTimeoutMs })));
say({ leader: kind === "etcd" ? await eventually(findLeader, { what: "etcd to have a leader", timeoutMs: startTimeoutMs }) : 0 } satisfies LoadReady);

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as LoadOrder;
  if (order.kind === "stop") break;
  say(await closedLoop(order.clients, forSeconds(order.seconds), (client, count) => {
    const server = servers[order.only ?? client % servers.length];
    if (server === undefined) throw new Error("there is no such server");
    return server.put(`key-${count % keys}`, value);
  }));
}
for (const server of servers) server.close();
process.stdin.destroy();

/** A server that takes writes. */
async function connect(host: string): Promise<Server> {
  const server = kind === "etcd" ? await EtcdConnection.open(host, Number(port)) : connectRedis(host);
  try {
    await server.put("first", value);
    return server;
  } catch (error) {
    server.close();
    throw error;
  }
}

function connectRedis(host: string): Server {
  const redis = new Redis(Number(port), host, { retryStrategy: null, maxRetriesPerRequest: 0 });
  redis.on("error", () => undefined); // not listening yet: the command says so, too
  return { put: (key, text) => redis.set(key, text), close: () => { redis.disconnect(); } };
}

async function findLeader(): Promise<number | undefined> {
  const texts = await Promise.all(hosts.map(async (host) => (await fetch(`http://${host}:${port}/metrics`)).text()));
  const leader = texts.findIndex((text) => /^etcd_server_is_leader 1$/m.test(text));
  return leader === -1 ? undefined : leader;
}

function say(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
