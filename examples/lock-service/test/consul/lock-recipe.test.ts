/** The recipes of Consul's documentation: a leader's lock between processes that die, and a semaphore made of keys. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.js";
import { ConsulGroup } from "./consul-group.js";
import { LockClient, nowMs, type LockProcess } from "./lock-client.js";

let consul: ConsulGroup;
const processes: LockClient[] = [];

beforeAll(async () => { consul = await ConsulGroup.start(); });
afterAll(() => consul.close());
afterEach(async () => {
  for (const each of processes.splice(0)) {
    each.kill("SIGKILL");
    await each.ended;
  }
});

function start(options: Partial<LockProcess> & { readonly key: string }): LockClient {
  const client = new LockClient({ ttl: "3s", lockDelay: "2s", ports: [1, 2, 3].map((replica) => consul.port(replica)), ...options });
  processes.push(client);
  return client;
}

/** What a third party sees of a key, without a gap: one blocking query after the other. */
class Observer {
  readonly holders: (string | undefined)[] = [];
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(replica: number, key: string) {
    this.#done = this.#follow(replica, key);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #follow(replica: number, key: string): Promise<void> {
    for (let index = "0"; !this.#stopped;) {
      const { status, headers, text } = await consul.call(replica, "GET", `/v1/kv/${key}?index=${index}&wait=200ms`);
      const holder = status === 404 ? undefined : (JSON.parse(text) as [{ readonly Session?: string }])[0].Session;
      if (headers["x-consul-index"] !== index && this.holders.at(-1) !== holder) this.holders.push(holder);
      index = headers["x-consul-index"] ?? "0";
    }
  }
}

describe("a lock between processes", () => {
  it("is had by the next one when its holder is killed: not before the session has expired and the lock delay is over, and soon after", async () => {
    const first = start({ key: "leader" });
    const { session: firstSession } = await first.until("acquired");
    const observer = new Observer(3, "leader");
    const second = start({ key: "leader", ports: [consul.port(2), consul.port(3)] });
    expect(await second.until("waiting")).toMatchObject({ holder: firstSession });
    await first.until("renewed");
    first.kill("SIGKILL");
    await first.ended;
    const acquired = await second.until("acquired");
    const renewedMs = first.said.findLast(({ event }) => event === "renewed")?.sentMs as number;
    await observer.stop();
    expect(acquired.lockIndex).toBe(2);
    // The session's TTL from its last renewal on, and the lock delay.
    expect(acquired.atMs - renewedMs).toBeGreaterThan(5000);
    expect(second.said.some(({ event }) => event === "delayed")).toBe(true);
    expect(observer.holders).toEqual([firstSession, undefined, acquired.session]);
  });

  it("is had by the next one at once when its holder lets go", async () => {
    const first = start({ key: "polite", lockDelay: "15s" });
    await first.until("acquired");
    const second = start({ key: "polite" });
    await second.until("waiting");
    first.kill("SIGTERM");
    const [released, acquired] = [await first.until("released"), await second.until("acquired")];
    // Not after its lock delay.
    expect(acquired.atMs - released.atMs).toBeLessThan(15_000);
    expect(await first.ended).toBe(0);
    expect(second.said.some(({ event }) => event === "delayed")).toBe(false);
  });

  it("stays with its holder while that moves to another node, and the one who waits waits on", async () => {
    const group = await ConsulGroup.start();
    try {
      const [one, two, three] = [1, 2, 3].map((replica) => group.port(replica)) as [number, number, number];
      const [holder, waiter] = [start({ key: "moved", ports: [one, two], ttl: "10s" }), start({ key: "moved", ports: [one, three], ttl: "10s" })];
      // It says that it waits once, and after that, now and then, that it is renewed.
      const has = (wanted: string): boolean => [holder, waiter].some(({ said }) => said.some(({ event }) => event === wanted));
      await eventually("one holds it, the other waits", () => has("waiting") && has("acquired"));
      const [had, waits] = holder.said.some(({ event }) => event === "acquired") ? [holder, waiter] : [waiter, holder];
      await group.group.servers[0]?.close();
      const closedMs = nowMs();
      await eventually("the holder renews elsewhere", () => had.said.some(({ event, sentMs = 0 }) => event === "renewed" && sentMs > closedMs));
      expect([...had.said, ...waits.said].filter(({ event }) => event === "lost")).toEqual([]);
      expect(waits.said.some(({ event }) => event === "acquired")).toBe(false);
      had.kill("SIGTERM");
      expect(await waits.until("acquired")).toMatchObject({ lockIndex: 2 });
    } finally {
      for (const each of processes) each.kill("SIGKILL");
      await Promise.all(processes.map(({ ended }) => ended));
      await group.close();
    }
  });
});

/** The semaphore that Consul's documentation makes of keys: contenders with their sessions, and one key that lists the holders. */
class Semaphore {
  readonly #replica: number;
  readonly #prefix: string;
  readonly #limit: number;
  readonly session: string;

  constructor(replica: number, prefix: string, limit: number, session: string) {
    this.#replica = replica;
    this.#prefix = prefix;
    this.#limit = limit;
    this.session = session;
  }

  async acquire(): Promise<void> {
    if ((await consul.ok(this.#replica, "PUT", `/v1/kv/${this.#prefix}/${this.session}?acquire=${this.session}`)) !== "true") throw new Error("the contender's key is not had");
    for (;;) {
      const { index, holders, modified } = await this.#read();
      if (holders.includes(this.session)) return;
      if (holders.length < this.#limit) await this.#write([...holders, this.session], modified);
      else await consul.call(this.#replica, "GET", `/v1/kv/${this.#prefix}/?recurse&index=${index}&wait=20s`);
    }
  }

  async release(): Promise<void> {
    for (let released = false; !released;) {
      const { holders, modified } = await this.#read();
      released = await this.#write(holders.filter((holder) => holder !== this.session), modified);
    }
    await consul.ok(this.#replica, "DELETE", `/v1/kv/${this.#prefix}/${this.session}`);
  }

  /** Holders whose sessions live. */
  async #read(): Promise<{ readonly index: string; readonly holders: readonly string[]; readonly modified: number }> {
    const { headers, text } = await consul.call(this.#replica, "GET", `/v1/kv/${this.#prefix}/?recurse`);
    const entries = JSON.parse(text) as { readonly Key: string; readonly Value: string | null; readonly Session?: string; readonly ModifyIndex: number }[];
    const living = new Set(entries.map(({ Session }) => Session));
    const lock = entries.find(({ Key }) => Key === `${this.#prefix}/.lock`);
    const listed = lock === undefined ? [] : (JSON.parse(Buffer.from(lock.Value ?? "", "base64").toString()) as { readonly Holders: readonly string[] }).Holders;
    return { index: headers["x-consul-index"] ?? "0", holders: listed.filter((holder) => living.has(holder)), modified: lock?.ModifyIndex ?? 0 };
  }

  async #write(holders: readonly string[], modified: number): Promise<boolean> {
    return (await consul.ok(this.#replica, "PUT", `/v1/kv/${this.#prefix}/.lock?cas=${modified}`, { Limit: this.#limit, Holders: holders })) === "true";
  }
}

describe("a semaphore made of keys", () => {
  it("is never had by more than its limit, and a holder that dies makes room", async () => {
    const limit = 2;
    const dying = new Semaphore(1, "sem", limit, await consul.session(1, { TTL: "3s", LockDelay: "0s", Behavior: "delete" }));
    await dying.acquire();
    const lives = async (): Promise<boolean> => (await consul.ok(2, "GET", `/v1/session/info/${dying.session}`)) !== "[]";
    const held = new Set<string>();
    const sizes: number[] = [];
    const take = async (semaphore: Semaphore): Promise<void> => {
      await semaphore.acquire();
      held.add(semaphore.session);
      const { size } = held;
      // One that lives now held it then.
      sizes.push(size + ((await lives()) ? 1 : 0));
    };
    const newcomer = async (replica: number): Promise<Semaphore> => new Semaphore(replica, "sem", limit, await consul.session(replica, { LockDelay: "0s", Behavior: "delete" }));
    const contend = async (replica: number): Promise<void> => {
      const semaphore = await newcomer(replica);
      for (let round = 0; round < 5; round++) {
        await take(semaphore);
        held.delete(semaphore.session);
        await semaphore.release();
      }
    };
    const contending = Promise.all([1, 2, 3, 1, 2].map(contend));
    await eventually("the session of the one that does nothing expires", async () => !(await lives()));
    await contending;
    expect(sizes).toHaveLength(5 * 5);
    expect(Math.max(...sizes)).toBe(limit);
    const [one, two, three] = await Promise.all([newcomer(1), newcomer(2), newcomer(3)]);
    await take(one);
    await take(two);
    const third = take(three);
    await consul.ok(3, "GET", "/v1/session/list");
    expect(held.has(three.session)).toBe(false);
    held.delete(one.session);
    await one.release();
    await third;
    expect(sizes.slice(-3)).toEqual([1, 2, 2]);
  });
});
