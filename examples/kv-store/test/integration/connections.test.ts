/** What a connection promises: order, back-pressure, limits, clean ends. */
import { afterEach, describe, expect, it } from "vitest";
import { defaultServerLimits, startEmbedded, type EmbeddedGroup, type EmbeddedStartOptions, type ReadConsistency, type ServerLimits } from "../../src/index.js";
import { quietLogger } from "../../src/quiet-logger.js";
import { eventually } from "../support/eventually.js";
import { encodeRequest, RespClient } from "../support/resp-client.js";

const cleanUp: (() => unknown)[] = [];

afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

async function start(limits: Partial<ServerLimits> = {}, reads: ReadConsistency = "linearizable", replicaLimits: EmbeddedStartOptions["replicaLimits"] = {}): Promise<EmbeddedGroup> {
  const group = await startEmbedded([0, 0, 0], { limits, reads, replicaLimits, logger: quietLogger });
  cleanUp.push(() => group.close());
  return group;
}

async function connect(group: EmbeddedGroup, replica = 0): Promise<RespClient> {
  const client = await RespClient.connect(group.servers[replica]?.port ?? 0);
  cleanUp.push(() => client.destroy());
  return client;
}

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;

describe.each(["linearizable", "sequential"] as const)("a connection with %s reads", (reads) => {
  it("runs pipelined commands as if one after the other", async () => {
    const client = await connect(await start({}, reads));
    const requests = Array.from({ length: 300 }, (_, i) => [["SET", "k", String(i)], ["GET", "k"], ["ECHO", `e${i}`], ["INCR", "k"], ["GET", "k"], ["EXISTS", "k"]]).flat();
    const expected = Array.from({ length: 300 }, (_, i) => ["+OK\r\n", bulk(String(i)), bulk(`e${i}`), `:${i + 1}\r\n`, bulk(String(i + 1)), ":1\r\n"]).flat();
    expect(await client.pipeline(requests)).toEqual(expected);
  });

  it("counts in INFO the keys of the commands before it, and none of those behind it", async () => {
    const client = await connect(await start({}, reads));
    const replies = await client.pipeline(Array.from({ length: 20 }, (_, i) => [["SET", `k${i}`, "1"], ["INFO", "keyspace"]]).flat());
    const counted = replies.filter((_, i) => i % 2 === 1).map((reply) => Number(/keys=(\d+)/.exec(reply)?.[1]));
    expect(counted).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });
});

describe.each(["linearizable", "sequential"] as const)("a pipeline that comes at once, with %s reads", (reads) => {
  const many = defaultServerLimits.pipelinedCommands * 5;
  /** The first that is not the reply to INCR after INCR; -1 if all are. */
  const firstWrong = (replies: readonly string[]): number => replies.findIndex((reply, i) => reply !== `:${i + 1}\r\n`);

  it("is answered to its end, however long it is", async () => {
    const client = await connect(await start({}, reads));
    expect(firstWrong(await client.pipeline(Array.from({ length: many }, () => ["INCR", "n"])))).toBe(-1);
    expect(new Set(await client.pipeline(Array.from({ length: many }, () => ["GET", "n"])))).toEqual(new Set([bulk(String(many))]));
    expect(new Set(await client.pipeline(Array.from({ length: many }, () => ["PING"])))).toEqual(new Set(["+PONG\r\n"]));
  });

  it("is answered to its end when nothing comes behind it", async () => {
    const client = await connect(await start({}, reads));
    client.write(encodeRequest(["INCR", "n"]).repeat(many));
    client.end();
    expect(firstWrong(await Promise.all(Array.from({ length: many }, () => client.reply())))).toBe(-1);
    await client.closed;
  });
});

describe.each(["linearizable", "sequential"] as const)("a pipeline of looks at all keys, with %s reads", (reads) => {
  const looks = 100;

  it.each([["", []], [" and a write behind them", [["SET", "k", "1"]]]])("holds up no other client until its end%s", async (_what, last) => {
    const group = await start({}, reads);
    const [busy, other] = [await connect(group), await connect(group)];
    expect(await other.call("MSET", ...Array.from({ length: 20_000 }, (_, i) => [`key${i}`, ""]).flat())).toBe("+OK\r\n");
    let answered = 0;
    busy.write([...Array.from({ length: looks }, () => ["KEYS", "*none"]), ...last].map(encodeRequest).join(""));
    const replies = Array.from({ length: looks + last.length }, async () => {
      const reply = await busy.reply();
      answered += 1;
      return reply;
    });
    await replies[0];
    expect(await other.call("PING")).toBe("+PONG\r\n");
    expect(answered).toBeLessThan(looks);
    expect(await Promise.all(replies)).toEqual([...Array.from({ length: looks }, () => "*0\r\n"), ...last.map(() => "+OK\r\n")]);
  });
});

describe("a connection", () => {
  it("takes inline commands", async () => {
    const client = await connect(await start());
    client.write('SET "a b" "\\x00\\xff"\r\nGET "a b"\r\n');
    expect([await client.reply(), await client.reply()]).toEqual(["+OK\r\n", bulk("\0\xff")]);
  });

  it("answers a client that has already said it will send no more", async () => {
    const client = await connect(await start());
    client.write(["SET a 1", "GET a", "PING", ""].join("\r\n"));
    client.end();
    expect([await client.reply(), await client.reply(), await client.reply()]).toEqual(["+OK\r\n", bulk("1"), "+PONG\r\n"]);
    await client.closed;
  });

  it("answers what came before QUIT, and nothing after it", async () => {
    const client = await connect(await start());
    client.write("SET a 1\r\nGET a\r\nQUIT\r\nSET a 2\r\n");
    expect([await client.reply(), await client.reply(), await client.reply(), await client.reply()]).toEqual(["+OK\r\n", bulk("1"), "+OK\r\n", "closed"]);
  });

  it("answers in the protocol that held when the command was sent", async () => {
    const client = await connect(await start());
    client.write("GET nosuch\r\nHELLO 3\r\nGET nosuch\r\n");
    const [before, hello, after] = [await client.reply(), await client.reply(), await client.reply()];
    expect(before).toBe("$-1\r\n");
    expect(hello).toMatch(/^%7\r\n/);
    expect(after).toBe("_\r\n");
  });

  it("is refused with Redis's text when there are too many, and taken again when one has gone", async () => {
    const group = await start({ connections: 2 });
    const first = await connect(group);
    await (await connect(group)).call("PING");
    const third = await connect(group);
    expect(await third.reply()).toBe("-ERR max number of clients reached\r\n");
    first.destroy();
    await eventually("a place is free", async () => {
      const client = await connect(group);
      return (await client.call("PING")) === "+PONG\r\n";
    });
  });

  it("that breaks the protocol is told why and closed, and no other is disturbed", async () => {
    const group = await start();
    const [wrong, right] = [await connect(group), await connect(group)];
    wrong.write(`SET a 1\r\n*2\r\n$3\r\nGET\r\n$${defaultServerLimits.request.bulkBytes + 1}\r\n`);
    expect([await wrong.reply(), await wrong.reply(), await wrong.reply()]).toEqual(["+OK\r\n", "-ERR Protocol error: invalid bulk length\r\n", "closed"]);
    expect(await right.call("GET", "a")).toBe(bulk("1"));
  });

  it.each([
    "POST / HTTP/1.1\r\nHost: x\r\n\r\nSET evil 1\r\n",
    "OPTIONS / HTTP/1.1\r\nhost: x\r\nSET evil 1\r\n",
    "*1\r\n$4\r\npost\r\nSET evil 1\r\n",
  ])("that speaks HTTP, as a page in a browser can, is closed before any of it is done: %j", async (bytes) => {
    const group = await start();
    const client = await connect(group);
    client.write(bytes);
    await client.closed;
    expect(await (await connect(group)).call("EXISTS", "evil")).toBe(":0\r\n");
  });

  it("is told when a command is too large for the group, and goes on", async () => {
    const client = await connect(await start());
    expect(await client.call("SET", "a", "x".repeat(1024 * 1024))).toMatch(/^-ERR the command is too large: /);
    expect(await client.call("SET", "a", "x".repeat(1024 * 1024 - 1024))).toBe("+OK\r\n");
  });

  it("takes nearly a megabyte of any bytes as well as of letters", async () => {
    const client = await connect(await start());
    const value = "\xff".repeat(900_000);
    expect(await client.call("SET", "a", value)).toBe("+OK\r\n");
    expect((await client.call("GET", "a")) === bulk(value)).toBe(true);
  });

  it("whose peer takes no replies is not read from, then closed, while others are served", async () => {
    const group = await start({ stalledWriteTimeoutMs: 300 });
    const [slow, other] = [await connect(group), await connect(group)];
    await other.call("SET", "big", "x".repeat(500_000));
    slow.pause();
    const asked = 2000;
    slow.write(encodeRequest(["GET", "big"]).repeat(asked));
    expect(await other.call("PING")).toBe("+PONG\r\n");
    const server = group.servers[0];
    const processed = async (): Promise<number> => Number(/total_commands_processed:(\d+)/.exec(await other.call("INFO", "stats"))?.[1]);
    expect(await processed()).toBeLessThan(asked);
    await eventually("the slow connection is closed", async () => /connected_clients:1\r/.test(await other.call("INFO", "clients")));
    expect(await other.call("INCR", "n")).toBe(":1\r\n");
    expect(server?.replica.role).toBe("active");
  });

  it("gets more than a reply may have by asking many times at once", async () => {
    const client = await connect(await start({ replyBytes: 1_000_000 }));
    const value = "x".repeat(500_000);
    await client.call("SET", "big", value);
    const replies = await client.pipeline(Array.from({ length: 50 }, () => ["GET", "big"]));
    expect(replies.findIndex((reply) => reply !== bulk(value))).toBe(-1);
    expect(await client.call("MGET", "big", "big", "big")).toMatch(/^-ERR the reply has more than 1000000 bytes/);
    expect(await client.call("PING")).toBe("+PONG\r\n");
  });

  it("is not read from while the bytes of what it asked wait for a group that does not answer", async () => {
    // Neither are the silent ones given up, nor the answers, while the test looks.
    const group = await start({ pipelinedBytes: 3_000_000 }, "linearizable", { silenceTimeoutMs: 300_000, answerTimeoutMs: 300_000 });
    const [greedy, other] = [await connect(group), await connect(group)];
    const processed = async (): Promise<number> => Number(/total_commands_processed:(\d+)/.exec(await other.call("INFO", "stats"))?.[1]);
    for (const nodeId of [2, 3]) group.network.pause(nodeId);
    const before = await processed();
    const asked = 50;
    const replies = greedy.pipeline(Array.from({ length: asked }, (_, i) => ["GET", String(i).repeat(500_000)]));
    let looks = 0;
    await eventually("it has taken some", async () => (await processed()) - before - ++looks >= 3);
    for (let i = 0; i < 200; i++) expect((await processed()) - before - ++looks).toBeLessThan(10);
    for (const nodeId of [2, 3]) group.network.resume(nodeId);
    expect(new Set(await replies)).toEqual(new Set(["$-1\r\n"]));
  });

  it.each(["linearizable", "sequential"] as const)("has no replies made that its peer does not take, with %s reads", async (reads) => {
    const group = await start({}, reads);
    const [slow, other] = [await connect(group), await connect(group)];
    await other.call("SET", "big", "x".repeat(500_000));
    await other.call("SET", "x", "before");
    slow.pause();
    // Far more than the system takes for a peer that reads nothing.
    const asked = 100;
    slow.write(encodeRequest(["GET", "big"]).repeat(asked) + encodeRequest(["GET", "x"]) + encodeRequest(["SET", "y", "1"]));
    // Each looks, other than the slow one, at what is there when it has ended: the slow one has long waited for the same.
    for (let i = 0; i < 10; i++) expect(await other.call("GET", "x")).toBe(bulk("before"));
    expect(await other.call("SET", "x", "after")).toBe("+OK\r\n");
    expect(await other.call("EXISTS", "y")).toBe(":0\r\n");
    slow.resume();
    const replies = await Promise.all(Array.from({ length: asked + 2 }, () => slow.reply()));
    expect(replies.slice(asked)).toEqual([bulk("after"), "+OK\r\n"]);
  });

  it.each([
    // Much more than the system takes for a peer that reads nothing.
    ["a large reply that it does not read", (client: RespClient) => client.write(encodeRequest(["MGET", ...Array.from({ length: 40 }, () => "big")]))],
    ["the beginning of a large request", (client: RespClient) => client.write(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8000000\r\n${"x".repeat(7_000_000)}`)],
  ])("that holds most is closed when all together hold too much, with %s", async (_what, hold) => {
    const clientBytes = 30_000_000;
    const group = await start({ clientBytes });
    const other = await connect(group);
    await other.call("SET", "big", "x".repeat(500_000));
    const field = async (section: string, name: string): Promise<number> => Number(new RegExp(`${name}:(\\d+)`).exec(await other.call("INFO", section))?.[1]);
    for (let i = 0; i < 10; i++) {
      const greedy = await connect(group);
      greedy.pause();
      hold(greedy);
    }
    await eventually("some are closed", async () => (await field("stats", "evicted_clients")) >= 3);
    expect(await field("memory", "mem_clients_normal")).toBeLessThan(clientBytes);
    await eventually("they are gone", async () => (await field("clients", "connected_clients")) === 11 - (await field("stats", "evicted_clients")));
    expect(await other.call("GET", "big")).toHaveLength(bulk("x".repeat(500_000)).length);
  });

  it("that ends in the middle of a command does no harm", async () => {
    const group = await start();
    const [broken, other] = [await connect(group), await connect(group)];
    broken.write("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100\r\nhalf");
    broken.destroy();
    expect(await other.call("GET", "a")).toBe("$-1\r\n");
  });

  it("is answered, then closed, when the server stops", async () => {
    const group = await startEmbedded([0, 0, 0], { logger: quietLogger });
    const client = await RespClient.connect(group.servers[0]?.port ?? 0);
    client.write(encodeRequest(["PING"]) + encodeRequest(["INCR", "n"]).repeat(100));
    // They came together, so that with the first answer all have been taken.
    expect(await client.reply()).toBe("+PONG\r\n");
    const replies = Array.from({ length: 100 }, () => client.reply());
    await group.close();
    expect(await Promise.all(replies)).toEqual(Array.from({ length: 100 }, (_, i) => `:${i + 1}\r\n`));
    await client.closed;
    await expect(RespClient.connect(group.servers[0]?.port ?? 0)).rejects.toThrow("ECONNREFUSED");
  });
});

describe("SCAN", () => {
  it("refuses a cursor that this replica did not give, and takes one twice", async () => {
    const group = await start();
    const client = await connect(group);
    await client.call("MSET", ...Array.from({ length: 50 }, (_, i) => [`k${i}`, "v"]).flat());
    const cursor = /^\*2\r\n\$\d+\r\n(\d+)\r\n/.exec(await client.call("SCAN", "0"))?.[1] ?? "";
    const page = (reply: string): string => reply.slice(reply.indexOf("*10"));
    expect(page(await client.call("SCAN", cursor))).toBe(page(await client.call("SCAN", cursor)));
    expect(await (await connect(group, 1)).call("SCAN", cursor)).toMatch(/^-ERR invalid cursor/);
  });

  it("is refused when the keys it has found are more than a reply may have", async () => {
    const client = await connect(await start({ replyBytes: 1000 }));
    await client.call("MSET", ...Array.from({ length: 20 }, (_, i) => [`${i}${"k".repeat(90)}`, "v"]).flat());
    expect(await client.call("SCAN", "0", "COUNT", "20")).toMatch(/^-ERR the reply has more than 1000 bytes/);
    expect(await client.call("SCAN", "0", "COUNT", "5")).toMatch(/^\*2\r\n/);
  });

  it("finds what stays, whatever is added and removed meanwhile", async () => {
    const client = await connect(await start());
    const staying = Array.from({ length: 100 }, (_, i) => `stay${i}`);
    await client.call("MSET", ...staying.flatMap((name) => [name, "v"]));
    const found: string[] = [];
    let cursor = "0";
    let round = 0;
    do {
      const reply = await client.call("SCAN", cursor, "COUNT", "7");
      const strings = [...reply.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map((match) => match[1] ?? "");
      cursor = strings[0] ?? "";
      found.push(...strings.slice(1));
      round += 1;
      await client.call("SET", `come${round}`, "v");
      await client.call("DEL", `come${round - 3}`);
    } while (cursor !== "0");
    expect(found.filter((name) => name.startsWith("stay")).sort()).toEqual(staying.sort());
  });
});
