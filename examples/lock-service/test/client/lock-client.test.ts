/** The client library against a real group, over real HTTP. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DeadlockError, LockClient, LockHeldError, LockLostError, WaitTimeoutError, type BlockingNotice, type LockClientOptions } from "../../src/client/index.js";
import { eventually } from "../support/eventually.js";
import { TestGroup } from "../support/group.js";

let group: TestGroup;
let clients: LockClient[] = [];

beforeEach(async () => { group = await TestGroup.start(); });
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await group.close();
});

/** Begins with the replica of that number. */
function clientAt(replica: number, options: Partial<LockClientOptions> = {}): LockClient {
  const endpoints = [0, 1, 2].map((i) => group.url(((replica - 1 + i) % 3) + 1));
  const client = new LockClient({ endpoints, attemptMs: 2000, ...options });
  clients.push(client);
  return client;
}

const waiting = (name: string, count: number): Promise<true> => eventually(`${count} wait for ${name}`, async () => (await group.call(3, "GET", `/v1/locks/${name}`)).body.lock.waiters.length === count);
const never = new Promise<never>(() => undefined);

describe("withLock", () => {
  it("lets one in after the other, each with a higher token, through whichever replica", async () => {
    const tokens: number[] = [];
    let inside = 0;
    await Promise.all([1, 2, 3, 1, 2].map((replica) => clientAt(replica).withLock("x", {}, async ({ token, held }) => {
      expect([++inside, held]).toEqual([1, true]);
      tokens.push(token);
      await new Promise(setImmediate);
      inside--;
    })));
    expect(tokens).toHaveLength(5);
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
    expect(new Set(tokens).size).toBe(5);
  });

  it("gives the lock back when the critical section throws, and throws the same", async () => {
    const client = clientAt(1);
    await expect(client.withLock("x", {}, () => { throw new Error("mine"); })).rejects.toThrow("mine");
    expect((await group.call(2, "GET", "/v1/locks/x")).body.lock.holders).toEqual([]);
  });

  it("takes several locks together, shared ones beside each other, and permits of a semaphore", async () => {
    const [a, b, c] = [clientAt(1), clientAt(2), clientAt(3)];
    const both = await a.acquire(["x", "y"]);
    expect(both.locks.map(({ lock }) => lock)).toEqual(["x", "y"]);
    await expect(b.acquire("y", { waitMs: 0 })).rejects.toThrow(LockHeldError);
    expect(await b.tryLock("x")).toBeUndefined();
    await Promise.all([b.acquire("r", { mode: "shared" }), c.acquire("r", { mode: "PR", waitMs: 0 })]);
    await Promise.all([b.acquire("s", { limit: 2 }), c.acquire("s", { limit: 2 })]);
    await expect(a.acquire("s", { limit: 2, waitMs: 20 })).rejects.toThrow(WaitTimeoutError);
  });

  it("finds that tasks inside each other's locks wait for each other, and lets parallel tasks wait", async () => {
    const client = clientAt(1);
    const holding = async (own: string, other: string, ready: () => void, until: Promise<void>): Promise<void> => client.withLock(own, {}, async () => {
      ready();
      await until;
      await client.withLock(other, {}, () => undefined);
    });
    let count = 0;
    let both!: () => void;
    const bothHeld = new Promise<void>((resolve) => { both = resolve; });
    const ready = (): void => { if (++count === 2) both(); };
    const ends = await Promise.allSettled([holding("x", "y", ready, bothHeld), holding("y", "x", ready, bothHeld)]);
    const failed = ends.filter((end) => end.status === "rejected");
    expect(failed).toHaveLength(1);
    const error: unknown = failed[0]?.reason;
    if (!(error instanceof DeadlockError)) throw new Error("not refused as a deadlock", { cause: error });
    expect(error.cycle.map(({ lock }) => lock).sort()).toEqual(["x", "y"]);
    // Two tasks of one client: the one waits, and nobody calls it a circle.
    await Promise.all([1, 2].map(() => client.withLock("z", {}, () => new Promise(setImmediate))));
  });

  it("stops waiting when its signal is aborted, and leaves the queue", async () => {
    const holder = await clientAt(1).acquire("x");
    const stop = new AbortController();
    const waiter = clientAt(2).withLock("x", { signal: stop.signal }, () => undefined);
    await waiting("x", 1);
    stop.abort(new Error("enough"));
    await expect(waiter).rejects.toThrow("enough");
    await waiting("x", 0);
    expect(holder.held).toBe(true);
  });
});

describe("a grant", () => {
  it("is converted under a new token, hears of those who wait, and shows its value", async () => {
    const [a, b] = [clientAt(1), clientAt(2)];
    const grant = await a.acquire("x", { mode: "PW", value: "a" });
    const before = grant.token;
    await grant.convert("EX", { valueBlock: Buffer.from("state").toString("base64") });
    expect(grant.token).toBeGreaterThan(before);
    expect(await a.check("x", before)).toBe(false);
    expect(await a.check("x", grant.token)).toBe(true);
    await grant.setValue("b");
    expect(((await b.get("/v1/elections/x")) as { value: string }).value).toBe("b");
    const notice = new Promise<BlockingNotice>((resolve) => { grant.onBlocking = resolve; });
    const next = b.acquire("x", { mode: "shared" });
    expect(await notice).toEqual({ lock: "x", wanted: "PR" });
    await grant.release();
    expect((await next).locks[0]?.valueBlock).toEqual({ data: Buffer.from("state").toString("base64"), valid: true });
    expect(grant.signal.reason).toBeInstanceOf(LockLostError);
  });

  it("is aborted when an operator takes its lock", async () => {
    const [a, b] = [clientAt(1), clientAt(2)];
    await expect(a.withLock("x", {}, async ({ signal }) => {
      await eventually("events are heard", async () => {
        if (!signal.aborted) await b.forceRelease("x", "test");
        return signal.aborted;
      });
    })).rejects.toThrow(LockLostError);
  });

  it("is aborted before anybody else is granted its lock, when nobody can renew it", async () => {
    const a = clientAt(1, { ttlMs: 5000, endpoints: [group.url(1)] });
    const lost = a.withLock("x", {}, ({ signal }) => new Promise<number>((resolve) => {
      signal.addEventListener("abort", () => resolve(performance.now()));
      group.group.network.cut([[1], [2, 3]]);
    })).catch((error: unknown) => ({ error, at: performance.now() }));
    const next = await clientAt(2, { endpoints: [group.url(2), group.url(3)] }).acquire("x");
    const grantedAt = performance.now();
    const ended = (await lost) as { readonly error: unknown; readonly at: number };
    expect(ended.error).toBeInstanceOf(LockLostError);
    expect(ended.at).toBeLessThan(grantedAt);
    expect(next.held).toBe(true);
    group.group.network.heal();
  });
});

describe("when replicas fail, a client", () => {
  it("goes on at another one, in the same session and in the same place of the queue", async () => {
    const a = clientAt(1);
    const holder = await clientAt(2).acquire("x");
    const mine = await a.acquire("y");
    const waiter = a.acquire("x");
    await waiting("x", 1);
    await group.group.servers[0]?.close();
    const later = clientAt(3).acquire("x");
    await eventually("both wait", async () => (await group.call(2, "GET", "/v1/locks/x")).body.lock.waiters.length === 2);
    await holder.release();
    const grant = await waiter;
    expect(grant.session.id).toBe(mine.session.id);
    expect(mine.held).toBe(true);
    await grant.release();
    await (await later).release();
  });

  it("says that nobody could be asked, when nobody can", async () => {
    const client = new LockClient({ endpoints: ["http://127.0.0.1:1"], patienceMs: 100 });
    clients.push(client);
    await expect(client.acquire("x")).rejects.toMatchObject({ name: "UnavailableError", code: "UNREACHABLE" });
  });
});

describe("an election", () => {
  it("has one leader, whom observers see, until it resigns", async () => {
    const [a, b, c] = [clientAt(1), clientAt(2), clientAt(3)];
    const stop = new AbortController();
    const seen: (string | null)[] = [];
    const observed = (async () => {
      for await (const leader of c.observe("e", { signal: stop.signal })) seen.push(leader === null ? null : leader.value);
    })();
    await eventually("nobody leads", () => seen.length === 1);
    let resign!: () => void;
    const leading = a.elect("e", { value: "a" }, () => new Promise<void>((resolve) => { resign = resolve; }));
    await eventually("a leads", () => seen.at(-1) === "a");
    const second = b.elect("e", { value: "b", signal: stop.signal }, () => never);
    void second.catch(() => undefined);
    await waiting("e", 1);
    resign();
    await leading;
    await eventually("b leads", () => seen.at(-1) === "b");
    expect(seen.filter((value) => value !== null)).toEqual(["a", "b"]);
    stop.abort(new Error("end"));
    await observed;
  });

  it("goes on when a leader has lost the lead, and has only stopped leading", async () => {
    const [a, b] = [clientAt(1), clientAt(2)];
    const led: boolean[] = [];
    const result = await a.elect("e", {}, async ({ signal }) => {
      if (led.push(true) === 2) return "resigned";
      await b.forceRelease("e", "test");
      await eventually("the loss is heard", () => signal.aborted);
      return "lost";
    });
    expect([result, led]).toEqual(["resigned", [true, true]]);
  });

  it("ends when its signal is aborted while somebody else leads, or when the client is closed", async () => {
    const leader = await clientAt(1).acquire("e");
    const [b, c] = [clientAt(2), clientAt(3)];
    const stop = new AbortController();
    const standing = [expect(b.elect("e", { signal: stop.signal }, () => never)).rejects.toThrow("enough"), expect(c.elect("e", {}, () => never)).rejects.toMatchObject({ code: "CLOSED" })];
    await waiting("e", 2);
    stop.abort(new Error("enough"));
    await c.close();
    await Promise.all(standing);
    await waiting("e", 0);
    expect(leader.held).toBe(true);
  });
});

it("refuses endpoints that are none, with one that would do", () => {
  expect(() => new LockClient({ endpoints: ["localhost:7400"] })).toThrow(/looks like http/);
  expect(() => new LockClient({ endpoints: [] })).toThrow(/at least one/);
});

