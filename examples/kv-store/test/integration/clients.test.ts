/** Unmodified client libraries against three replicas. */
import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startEmbedded, type EmbeddedGroup } from "../../src/index.js";
import { quietLogger } from "../../src/quiet-logger.js";
import { eventually } from "../support/eventually.js";

let group: EmbeddedGroup;
const open: { close(): unknown }[] = [];

beforeAll(async () => {
  group = await startEmbedded([0, 0, 0], { logger: quietLogger });
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()));
});

afterAll(async () => {
  await group.close();
});

const ports = (): readonly number[] => group.servers.map((server) => server.port);
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

describe.each([2, 3] as const)("ioredis with RESP%i", (protocol) => {
  async function connect(replica: number): Promise<Redis> {
    const client = new Redis({ host: "127.0.0.1", port: ports()[replica] ?? 0, protocol, lazyConnect: true, connectionName: `test-${replica}` });
    open.push({ close: () => client.disconnect() });
    await client.connect();
    return client;
  }

  it("reads on one replica what it wrote on another", async () => {
    const [first, third] = [await connect(0), await connect(2)];
    for (let i = 0; i < 50; i++) {
      expect(await first.set("x", i)).toBe("OK");
      expect(await third.get("x")).toBe(String(i));
    }
  });

  it("keeps every byte of keys and values", async () => {
    const client = await connect(0);
    await client.set(everyByte, everyByte);
    expect(await (await connect(1)).getBuffer(everyByte)).toEqual(everyByte);
    const text = "grüße, 世界 🌍";
    await client.set(text, text);
    expect(await client.get(text)).toBe(text);
  });

  it("counts increments from every replica once each", async () => {
    const clients = [await connect(0), await connect(1), await connect(2)];
    await clients[0]?.del("counter");
    await Promise.all(clients.map((client) => Promise.all(Array.from({ length: 200 }, () => client.incr("counter")))));
    expect(await clients[1]?.get("counter")).toBe("600");
  });

  it("gets the answers of a pipeline in order", async () => {
    const client = await connect(1);
    const pipeline = client.pipeline();
    for (let i = 0; i < 1000; i++) {
      pipeline.set(`p${i % 7}`, i);
      pipeline.get(`p${i % 7}`);
      if (i % 100 === 0) pipeline.ping(String(i));
    }
    const expected = Array.from({ length: 1000 }, (_, i) => [[null, "OK"], [null, String(i)], ...(i % 100 === 0 ? [[null, String(i)]] : [])]).flat();
    expect(await pipeline.exec()).toEqual(expected);
  });

  it("finds every key with a scan stream", async () => {
    const client = await connect(2);
    const names = Array.from({ length: 500 }, (_, i) => `scan${protocol}:${i}`);
    await client.mset(...names.flatMap((name) => [name, "v"]));
    const found: string[] = [];
    for await (const page of client.scanStream({ match: `scan${protocol}:*`, count: 37 })) found.push(...(page as string[]));
    expect(found.sort()).toEqual(names.sort());
  });

  it("sees a key end on every replica, without anybody asking for it", async () => {
    const clients = [await connect(0), await connect(1), await connect(2)];
    const name = `ends${protocol}`;
    await clients[0]?.set(name, "v", "PX", 50);
    await eventually("the key is gone everywhere", async () => (await Promise.all(clients.map((client) => client.exists(name)))).every((there) => there === 0));
    expect(await clients[1]?.pttl(name)).toBe(-2);
    await eventually("it is removed from the state", () => !group.servers.some(({ replica }) => replica.state.values.has(name)));
  });

  it("gets errors as errors", async () => {
    const client = await connect(0);
    await client.set("word", "abc");
    await expect(client.incr("word")).rejects.toThrow("ERR value is not an integer or out of range");
    await expect(client.call("NOSUCH", "a")).rejects.toThrow("ERR unknown command 'NOSUCH', with args beginning with: 'a' ");
  });

  it("is known by the name and library it gave", async () => {
    const client = await connect(0);
    expect(await client.client("GETNAME")).toBe("test-0");
    expect(await client.client("INFO")).toMatch(/name=test-0 .*lib-name=ioredis/);
  });

  // Such as python3-redis, which takes each of these for a number, and fails where one is missing.
  it("finds all that redis-server tells of clients", async () => {
    const client = await connect(0);
    const told = new Map((await client.client("INFO")).trim().split(" ").map((field) => field.split("=") as [string, string]));
    for (const name of ["id", "fd", "age", "idle", "db", "sub", "psub", "ssub", "multi", "qbuf", "qbuf-free", "argv-mem", "multi-mem", "rbs", "rbp", "obl", "oll", "omem", "tot-mem", "redir", "resp"]) {
      expect(told.get(name), name).toMatch(/^-?\d+$/);
    }
    expect([told.get("flags"), told.get("events"), told.get("cmd"), told.get("user")]).toEqual(["N", "r", "client|info", "default"]);
    expect((await client.client("LIST")) as string).toContain(" cmd=client|list ");
  });
});

describe.each([2, 3] as const)("node-redis with RESP%i", (protocol) => {
  async function connect(replica: number) {
    const client = createClient({ socket: { host: "127.0.0.1", port: ports()[replica] ?? 0 }, RESP: protocol });
    client.on("error", () => undefined);
    await client.connect();
    open.push({ close: () => client.destroy() });
    return client;
  }

  it("sets and gets with options", async () => {
    const client = await connect(0);
    await client.del("n");
    expect(await client.set("n", "1", { condition: "NX" })).toBe("OK");
    expect(await client.set("n", "2", { condition: "NX" })).toBeNull();
    expect(await client.set("n", "3", { GET: true, expiration: { type: "EX", value: 100 } })).toBe("1");
    const left = await client.ttl("n");
    expect(left).toBeLessThanOrEqual(100);
    expect(left, "it is seconds that pass, one or many").toBeGreaterThan(10);
    expect(await client.persist("n")).toBe(1);
    expect(await client.mGet(["n", "nosuch"])).toEqual(["3", null]);
  });

  it("pipelines what is asked at once", async () => {
    const client = await connect(1);
    const replies = await Promise.all(Array.from({ length: 500 }, (_, i) => client.set(`m${i}`, String(i))));
    expect(new Set(replies)).toEqual(new Set(["OK"]));
    expect(await Promise.all(Array.from({ length: 500 }, (_, i) => client.get(`m${i}`)))).toEqual(Array.from({ length: 500 }, (_, i) => String(i)));
  });

  it("reads INFO, COMMAND and CONFIG", async () => {
    const client = await connect(2);
    expect(await client.info("replication")).toMatch(/role:master\r\n(?:.*\r\n)*lockstep_role:active\r\n/);
    expect(await client.commandCount()).toBe((await client.command()).length);
    expect(await client.configGet("save")).toEqual({ save: "" });
    const [get] = await client.commandInfo(["get"]);
    expect(get).toMatchObject({ name: "get", arity: 2, firstKeyIndex: 1, lastKeyIndex: 1, step: 1 });
  });
});
