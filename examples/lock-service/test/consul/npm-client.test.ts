/** The npm package `consul`, as it is, beside the service. */
import Consul from "consul";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.js";
import { ConsulGroup } from "./consul-group.js";

let group: ConsulGroup;
let clients: readonly Consul[];

beforeAll(async () => {
  group = await ConsulGroup.start();
  clients = [1, 2, 3].map((replica) => new Consul({ host: "127.0.0.1", port: group.port(replica) }));
});
afterAll(async () => {
  for (const client of clients) client.destroy();
  await group.close();
});

const client = (replica: number): Consul => clients[replica - 1] as Consul;

/** What the package makes of a `false`. */
const no = undefined;

/** As the package gives it; its types leave out some of it. */
interface Key {
  readonly Key: string;
  readonly Value: string | null;
  readonly LockIndex: number;
  readonly ModifyIndex: number;
  readonly Session?: string;
}

const get = async (replica: number, key: string): Promise<Key | undefined> => (await client(replica).kv.get(key)) ?? undefined;

describe("the npm client", () => {
  it("writes, reads, lists and deletes keys", async () => {
    expect(await client(1).kv.set("npm/a/b", "ünïcode")).toBe(true);
    expect(await client(1).kv.set({ key: "npm/c", value: Buffer.from("bytes"), flags: 9_007_199_254_740_991 })).toBe(true);
    expect(await get(2, "npm/a/b")).toMatchObject({ Key: "npm/a/b", Value: "ünïcode", LockIndex: 0 });
    expect(await get(3, "npm/c")).toMatchObject({ Value: "bytes", Flags: 9_007_199_254_740_991 });
    expect(await client(2).kv.get("npm/none")).toBeUndefined();
    expect(await client(2).kv.keys("npm/")).toEqual(["npm/a/b", "npm/c"]);
    expect(await client(2).kv.keys({ key: "npm/", separator: "/" })).toEqual(["npm/a/", "npm/c"]);
    expect(await client(2).kv.keys()).toEqual(expect.arrayContaining(["npm/c"]));
    expect(((await client(2).kv.get({ key: "npm/", recurse: true })) as Key[]).map(({ Key: key }) => key)).toEqual(["npm/a/b", "npm/c"]);
    expect(await client(2).kv.get({ key: "npm/c", raw: true })).toEqual(Buffer.from("bytes"));
    const { ModifyIndex } = (await get(1, "npm/c")) as Key;
    expect(await client(3).kv.set({ key: "npm/c", value: "lost", cas: 0 })).toBe(no);
    expect(await client(3).kv.set({ key: "npm/c", value: "won", cas: ModifyIndex })).toBe(true);
    expect(await client(3).kv.del({ key: "npm/c", cas: ModifyIndex })).toBe(no);
    expect(await client(3).kv.del("npm/c")).toBe(true);
    expect(await client(1).kv.del({ key: "npm/", recurse: true })).toBe(true);
    await expect(client(1).kv.keys("npm/")).rejects.toMatchObject({ statusCode: 404 });
  });

  it("opens, looks at, renews and destroys sessions", async () => {
    const { ID } = await client(1).session.create({ name: "npm", ttl: "15s", lockdelay: "20s", behavior: "delete", node: "npm-node" });
    expect(await client(2).session.info(ID)).toMatchObject({ ID, Name: "npm", TTL: "15s", LockDelay: 20_000_000_000, Behavior: "delete", Node: "npm-node" });
    expect(await client(3).session.renew(ID)).toEqual([expect.objectContaining({ ID })]);
    expect((await client(3).session.list()).map((session) => session.ID)).toContain(ID);
    expect((await client(3).session.node({ node: "npm-node" })).map((session) => session.ID)).toEqual([ID]);
    await client(2).session.destroy(ID);
    expect(await client(1).session.info(ID)).toBeUndefined();
    await expect(client(1).session.renew(ID)).rejects.toMatchObject({ statusCode: 404, message: expect.stringContaining(`Session id '${ID}' not found`) as string });
    await expect(client(1).session.create({ ttl: "soon" })).rejects.toMatchObject({ statusCode: 500, message: expect.stringContaining("Session TTL 'soon' invalid") as string });
  });

  it("locks, and is told by a watch when the lock is free", async () => {
    const [{ ID: one }, { ID: two }] = await Promise.all([client(1).session.create(), client(2).session.create()]);
    expect(await client(1).kv.set({ key: "npm-lock", value: "one", acquire: one })).toBe(true);
    expect(await client(2).kv.set({ key: "npm-lock", value: "two", acquire: two })).toBe(no);
    const seen: (string | undefined)[] = [];
    const watch = client(3).watch({ method: client(3).kv.get.bind(client(3).kv), options: { key: "npm-lock" } });
    const failures: unknown[] = [];
    watch.on("change", (data: Key | undefined) => { seen.push(data?.Session); });
    watch.on("error", (error) => { failures.push(error); });
    try {
      await eventually("the watch has begun", () => seen.length === 1);
      expect(await client(1).kv.set({ key: "npm-lock", value: "", release: one })).toBe(true);
      await eventually("the watch sees the release", () => seen.length === 2);
      expect(await client(2).kv.set({ key: "npm-lock", value: "two", acquire: two })).toBe(true);
      await eventually("the watch sees the next holder", () => seen.length === 3);
    } finally {
      watch.end();
    }
    expect(seen).toEqual([one, undefined, two]);
    expect(failures).toEqual([]);
    expect(await get(1, "npm-lock")).toMatchObject({ Session: two, LockIndex: 2 });
    await expect(client(1).kv.set({ key: "npm-lock", value: "x", acquire: "nobody" })).rejects.toMatchObject({ statusCode: 500, message: expect.stringContaining('invalid session "nobody"') as string });
  });

  it("runs transactions", async () => {
    const { ID } = await client(1).session.create();
    const value = Buffer.from("hello").toString("base64");
    const done = await client(2).transaction.create([{ KV: { Verb: "lock", Key: "npm-txn", Value: value, Session: ID } }, { KV: { Verb: "get", Key: "npm-txn" } }] as never);
    expect(done).toMatchObject({ Errors: null, Results: [{ KV: { Value: null, LockIndex: 1 } }, { KV: { Value: value, Session: ID } }] });
    await expect(client(3).transaction.create([{ KV: { Verb: "check-not-exists", Key: "npm-txn" } }] as never)).rejects.toMatchObject({ statusCode: 409 });
  });

  it("asks after the agent, the leader and the nodes", async () => {
    expect(await client(2).agent.self()).toMatchObject({ Config: { NodeName: "lockstep-2", Datacenter: "dc1", Server: true } });
    expect(await client(3).status.leader()).toBe(`127.0.0.1:${group.port(3)}`);
    expect(await client(3).status.peers()).toEqual([`127.0.0.1:${group.port(3)}`]);
    expect(((await client(1).catalog.node.list()) as { Node: string }[]).map(({ Node }) => Node)).toEqual(["lockstep-1", "lockstep-2", "lockstep-3"]);
  });

  it("goes on with its session and its lock at another node when its own is dead", async () => {
    const { ID } = await client(1).session.create({ ttl: "30s" });
    expect(await client(1).kv.set({ key: "npm-failover", value: "before", acquire: ID })).toBe(true);
    const { ModifyIndex } = (await get(1, "npm-failover")) as Key;
    const waiting = client(2).kv.get({ key: "npm-failover", index: String(ModifyIndex), wait: "60s" } as never);
    await group.group.servers[0]?.close();
    await expect(client(1).session.renew(ID)).rejects.toThrow(/ECONNREFUSED|socket hang up|ECONNRESET/);
    await eventually("another node renews", async () => {
      try {
        return (await client(2).session.renew(ID)).length === 1;
      } catch {
        return false;
      }
    });
    expect(await client(2).kv.set({ key: "npm-failover", value: "after", acquire: ID })).toBe(true);
    expect(await waiting).toMatchObject({ Value: "after", Session: ID, LockIndex: 1 });
    expect(await client(3).kv.set({ key: "npm-failover", value: "done", release: ID })).toBe(true);
  });
});
