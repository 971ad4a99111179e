/** The command that the README begins with, itself, and clients as they are: what package.json calls `start`. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterEach, beforeEach, expect, it } from "vitest";
import { killAll, npmStart, serving, type NpmRun } from "../support/program.js";

let directory: string;

beforeEach(async () => { directory = await mkdtemp(join(tmpdir(), "lockstep-npm-start-")); });

afterEach(async () => {
  await killAll();
  await rm(directory, { recursive: true });
});

const viaIoredis = (port: number): Redis => new Redis(port, { retryStrategy: null });

async function viaNodeRedis(port: number) {
  const client = createClient({ socket: { port, reconnectStrategy: false } });
  await client.connect();
  return client;
}

async function stop({ signal, ended }: NpmRun): Promise<void> {
  signal("SIGINT");
  // npm's and its shell's own way to end: as told, or by the signal that they got as well.
  expect([0, 130, "SIGINT"]).toContain(await ended);
}

it("npm start serves ioredis and node-redis on every replica, stops at Ctrl-C, and has the data when it is started again", async () => {
  const first = npmStart("--port", "0", "--data", directory);
  const ports = await serving(first);
  expect(ports).toHaveLength(3);
  const [one = 0, two = 0, three = 0] = ports;
  const ioredis = [viaIoredis(one), viaIoredis(two)] as const;
  const nodeRedis = [await viaNodeRedis(two), await viaNodeRedis(three)] as const;
  expect(await ioredis[0].set("from:ioredis", "1")).toBe("OK");
  expect(await ioredis[1].get("from:ioredis")).toBe("1");
  expect(await nodeRedis[0].set("from:node-redis", "2")).toBe("OK");
  expect(await nodeRedis[1].get("from:node-redis")).toBe("2");
  expect(await nodeRedis[1].get("from:ioredis")).toBe("1");
  await Promise.all([...ioredis.map((client) => client.quit()), ...nodeRedis.map((client) => client.close())]);

  await stop(first);
  expect(first.output.out).toMatch(/Stopping\.\n$/);
  expect(first.output.err).not.toContain("lockstep-kv:");

  const again = npmStart("--port", "0", "--data", directory);
  const [port = 0] = await serving(again);
  expect(again.output.out).toContain(`Data is kept in ${directory}, which has 2 keys.`);
  const client = viaIoredis(port);
  expect(await client.mget("from:ioredis", "from:node-redis")).toEqual(["1", "2"]);
  await client.quit();
  await stop(again);
});
