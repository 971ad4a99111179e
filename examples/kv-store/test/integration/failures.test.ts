/** What clients are told when replicas are cut off, come back, or stop. */
import { memory, type GroupTransport, type MemoryNetwork } from "@lockstep/framework";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startEmbedded, startServer, type EmbeddedGroup, type KvServer, type ReadConsistency } from "../../src/index.js";
import { quietLogger } from "../../src/quiet-logger.js";
import { eventually } from "../support/eventually.js";
import { RespClient } from "../support/resp-client.js";

let group: EmbeddedGroup;
let clients: RespClient[];

async function start(reads: ReadConsistency = "linearizable"): Promise<void> {
  group = await startEmbedded([0, 0, 0], { reads, logger: quietLogger });
  clients = await Promise.all(group.servers.map((server) => RespClient.connect(server.port)));
}

const call = (replica: number, ...args: string[]): Promise<string> => clients[replica - 1]?.call(...args) ?? Promise.reject(new Error(`no replica ${replica}`));
const role = (replica: number): string | undefined => group.servers[replica - 1]?.replica.role;

beforeEach(() => {
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await group.close();
});

describe("a replica that is cut off", () => {
  it("refuses writes and reads at once with CLUSTERDOWN, and still answers PING, HELLO and INFO", async () => {
    await start();
    await call(1, "SET", "x", "1");
    group.network.cut([[1], [2, 3]]);
    await eventually("replica 1 is in the minority", () => role(1) === "minority");
    expect(await call(1, "SET", "x", "2")).toMatch(/^-CLUSTERDOWN no quorum, the command was not run/);
    expect(await call(1, "GET", "x")).toMatch(/^-CLUSTERDOWN /);
    expect(await call(1, "PING")).toBe("+PONG\r\n");
    expect(await call(1, "HELLO", "3")).toMatch(/^%7\r\n/);
    expect(await call(1, "INFO", "replication")).toMatch(/lockstep_role:minority\r\nlockstep_reason:/);
  });

  it("misses nothing of what the others did, once it is back", async () => {
    await start();
    await call(1, "SET", "x", "1");
    group.network.cut([[1], [2, 3]]);
    await eventually("replica 2 takes writes", async () => (await call(2, "SET", "x", "2")) === "+OK\r\n");
    group.network.heal();
    await eventually("replica 1 is active again", () => role(1) === "active");
    expect(await call(1, "GET", "x")).toBe("$1\r\n2\r\n");
    expect(await call(1, "INCR", "x")).toBe(":3\r\n");
    expect(await call(3, "GET", "x")).toBe("$1\r\n3\r\n");
  });

  it("answers sequential reads from what it has", async () => {
    await start("sequential");
    await call(1, "SET", "x", "1");
    group.network.cut([[1], [2, 3]]);
    await eventually("replica 1 is in the minority", () => role(1) === "minority");
    await eventually("replica 2 takes writes", async () => (await call(2, "SET", "x", "2")) === "+OK\r\n");
    expect(await call(1, "GET", "x")).toBe("$1\r\n1\r\n");
    expect(await call(1, "SET", "x", "3")).toMatch(/^-CLUSTERDOWN /);
  });

  it("says INDETERMINATE of writes whose outcome it cannot know, and every other one is as it said", async () => {
    await start();
    const counts = { ok: 0, unknown: 0, refused: 0 };
    // Where a cut comes when nothing is on its way, what was sent before it is answered, and what was not is refused.
    for (let round = 0; round < 3 || (counts.unknown === 0 && round < 50); round++) {
      const replies = Promise.all(Array.from({ length: 200 }, () => call(1, "INCR", "n")));
      group.network.cut([[1], [2, 3]]);
      for (const reply of await replies) {
        if (reply.startsWith(":")) counts.ok += 1;
        else if (reply.startsWith("-INDETERMINATE the outcome of the command is unknown")) counts.unknown += 1;
        else if (reply.startsWith("-CLUSTERDOWN") || reply.startsWith("-LOADING") || reply.startsWith("-TRYAGAIN")) counts.refused += 1;
        else throw new Error(`unexpected reply ${reply}`);
      }
      group.network.heal();
      await eventually("replica 1 is active again", () => role(1) === "active");
    }
    const n = Number(/\r\n(\d+)\r\n/.exec(await call(3, "GET", "n"))?.[1] ?? 0);
    expect(counts.unknown).toBeGreaterThan(0);
    expect(n).toBeGreaterThanOrEqual(counts.ok);
    expect(n).toBeLessThanOrEqual(counts.ok + counts.unknown);
  });
});

/** A transport that can come back, as the clustered one can. */
function renewable(network: MemoryNetwork, nodeId: number): GroupTransport {
  const transport = memory({ network, nodeId });
  return {
    maxMessageBytes: transport.maxMessageBytes,
    configuredNodes: () => transport.configuredNodes(),
    join: (name, listener) => transport.join(name, listener),
    multicast: (message) => transport.multicast(message),
    leave: () => transport.leave(),
    close: () => transport.close(),
    renew: () => renewable(network, nodeId),
  };
}

describe.each(["linearizable", "sequential"] as const)("a replica that has lost the way to its group, with %s reads", (reads) => {
  let late: KvServer;
  let client: RespClient;

  beforeEach(async () => {
    await start(reads);
    await group.servers[2]?.close();
    late = await startServer({ transport: renewable(group.network, 3), port: 0, reads, logger: quietLogger });
    await late.replica.ready();
    client = await RespClient.connect(late.port);
    clients.push(client);
    expect(await client.call("SET", "x", "1")).toBe("+OK\r\n");
  });

  afterEach(() => late.close());

  const loses = async (): Promise<void> => {
    group.network.kill(3);
    await eventually("it has noticed", () => late.replica.inspect().reason?.startsWith("the group was lost") === true);
  };

  it("answers as in a minority, does not say that it is loading, and serves again when it is back", async () => {
    await loses();
    expect(await client.call("SET", "x", "2")).toMatch(/^-CLUSTERDOWN no quorum, the command was not run: the group was lost/);
    expect(await client.call("GET", "x")).toMatch(reads === "sequential" ? /^\$1\r\n1\r\n$/ : /^-CLUSTERDOWN no quorum/);
    expect(await client.call("PING")).toBe("+PONG\r\n");
    expect(await client.call("INFO")).toMatch(/\r\nloading:0\r\n/);
    await eventually("the others go on", async () => (await call(1, "SET", "x", "3")) === "+OK\r\n");
    group.network.start(3);
    await late.replica.ready();
    await eventually("it has what it missed", async () => (await client.call("GET", "x")) === "$1\r\n3\r\n");
  });

  it("out of a minority still has no quorum", async () => {
    group.network.cut([[3], [1, 2]]);
    await eventually("it is in the minority", () => late.replica.role === "minority");
    await loses();
    expect(await client.call("SET", "x", "2")).toMatch(/^-CLUSTERDOWN /);
    expect(await client.call("INFO")).toMatch(/\r\nloading:0\r\n/);
  });
});

describe("a group", () => {
  it("goes on when one replica stops", async () => {
    await start();
    await call(1, "SET", "x", "1");
    await group.servers[0]?.close();
    await eventually("replica 2 takes writes", async () => (await call(2, "SET", "x", "2")) === "+OK\r\n");
    expect(await call(3, "GET", "x")).toBe("$1\r\n2\r\n");
  });

  it("expires a key that was set before its replica was lost", async () => {
    await start();
    await call(1, "SET", "x", "1", "PX", "100");
    await group.servers[0]?.close();
    await eventually("the key is gone", async () => (await call(2, "EXISTS", "x")) === ":0\r\n");
    expect(await call(3, "TTL", "x")).toBe(":-2\r\n");
  });

  it("has a new replica answer LOADING until it holds everything", async () => {
    // One entry at a time: hundreds of turns of the event loop, of which a client's command needs a few.
    const replicaLimits = { snapshotSliceBytes: 1, inFlightChunks: 1 };
    group = await startEmbedded([0, 0, 0], { logger: quietLogger, replicaLimits });
    clients = await Promise.all(group.servers.map((server) => RespClient.connect(server.port)));
    const value = "v".repeat(10_000);
    await clients[0]?.pipeline(Array.from({ length: 1000 }, (_, i) => ["SET", `k${i}`, value]));
    await group.servers[2]?.close();
    const late = await startServer({ transport: memory({ network: group.network, nodeId: 3 }), port: 0, logger: quietLogger });
    const client = await RespClient.connect(late.port);
    clients.push(client);
    const replies = new Set<string>();
    await eventually("it is active", async () => {
      const [reply, info] = await client.pipeline([["EXISTS", "k999"], ["INFO", "persistence"]]);
      replies.add(`${reply?.slice(0, 8)} ${/loading:\d/.exec(info ?? "")?.[0]}`);
      expect(await client.call("PING")).toBe("+PONG\r\n");
      return late.replica.role === "active";
    });
    expect(replies).toContain("-LOADING loading:1");
    expect(await client.call("EXISTS", "k999")).toBe(":1\r\n");
    expect(await client.call("DBSIZE")).toBe(":1000\r\n");
    await late.close();
  });
});
