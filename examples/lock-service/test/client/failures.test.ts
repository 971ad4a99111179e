/** The client where answers are lost, late, or come in an unlucky order, against a real group. */
import { execFile } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LockClient, LockLostError, OutcomeUnknownError, UnavailableError, type LockClientOptions, type LockEvent } from "../../src/client/index.js";
import { leaseMargin } from "../../src/client/lease.js";
import { machineLimits } from "../../src/machine/inputs.js";
import { eventually } from "../support/eventually.js";
import { TestGroup } from "../support/group.js";
import { SlowAnswers } from "../support/slow-answers.js";

let group: TestGroup;
/** To the first replica. */
let way: SlowAnswers;
const clients: LockClient[] = [];

beforeEach(async () => {
  group = await TestGroup.start();
  way = await SlowAnswers.to(group.url(1));
});
afterEach(async () => {
  way.letGo();
  await Promise.all(clients.splice(0).map((client) => client.close()));
  way.close();
  await group.close();
});

function clientOf(endpoints: readonly string[], options: Partial<LockClientOptions> = {}): LockClient {
  const client = new LockClient({ endpoints, ...options });
  clients.push(client);
  return client;
}

const onWay = (options: Partial<LockClientOptions> = {}): LockClient => clientOf([way.url, group.url(2), group.url(3)], options);
const elsewhere = (): LockClient => clientOf([group.url(2), group.url(3)]);
const lock = async (name: string): Promise<{ readonly holders: readonly { readonly token: number }[]; readonly waiters: readonly unknown[] }> => (await group.call(3, "GET", `/v1/locks/${name}`)).body.lock;
const waiters = (name: string, count: number): Promise<true> => eventually(`${count} wait for ${name}`, async () => (await lock(name)).waiters.length === count);
const anAnswerIsHeld = (): Promise<true> => eventually("an answer is held", () => way.held > 0);
/** Of text that every answer has. */
const everything = "";

describe("when an answer is lost, a client", () => {
  it("believes its session to be as old as the first attempt to open it", async () => {
    way.holding = everything;
    const [ttlMs, attemptMs] = [10_000, 1000];
    const acquired = onWay({ ttlMs, attemptMs }).acquire("x");
    await anAnswerIsHeld();
    const openedBefore = performance.now();
    const { session } = await acquired;
    expect(session.leaseEnd).toBeLessThanOrEqual(openedBefore + ttlMs - leaseMargin(ttlMs));
    expect((await group.call(2, "GET", "/v1/sessions")).body.sessions).toHaveLength(1);
  });

  // Shorter than calls hang: it is noticed otherwise.
  it("gets the same grant through another replica", async () => {
    const client = onWay({ ttlMs: 6000 });
    const first = await client.acquire("w");
    way.holding = everything;
    const second = client.acquire("x");
    await eventually("it is granted", async () => (await lock("x")).holders.length === 1);
    // Its renewals notice that the replica says nothing, long before the call would have ended.
    const grant = await second;
    expect((await lock("x")).holders).toMatchObject([{ token: grant.token }]);
    expect([grant.token, first.held]).toEqual([first.token + 1, true]);
  });

  it("keeps its place in the queue, and is granted the lock through another replica", async () => {
    const holder = await elsewhere().acquire("x");
    const waiter = onWay({ ttlMs: 6000 });
    const granted = waiter.acquire("x");
    await waiters("x", 1);
    way.holding = everything;
    const later = elsewhere().acquire("x");
    await waiters("x", 2);
    await holder.release();
    const grant = await granted;
    await grant.release();
    expect((await later).token).toBe(grant.token + 1);
  });

  it("keeps what it was granted, however long after the news of it the answer comes", async () => {
    const client = onWay();
    await client.acquire("w");
    way.holding = '"status":"granted"';
    const acquired = client.acquire("x");
    await anAnswerIsHeld();
    const since = performance.now();
    await eventually("the news is old", () => performance.now() > since + 2000);
    way.letGo();
    const grant = await acquired;
    expect((await lock("x")).holders).toMatchObject([{ token: grant.token }]);
  });

  it("releases through another replica, and nobody waits longer than for that", async () => {
    const client = onWay({ attemptMs: 200 });
    const grant = await client.acquire("x");
    way.holding = everything;
    const next = elsewhere().acquire("x");
    await grant.release();
    expect((await next).token).toBe(grant.token + 1);
  });

  it("asks for a release until it is answered, for as long as its session is renewed", async () => {
    const grant = await clientOf([way.url], { ttlMs: 4000, attemptMs: 100 }).acquire("x");
    const { session } = grant;
    const leaseEnd = session.leaseEnd;
    way.holding = '"status":"released"';
    let released = false;
    const releasing = (async () => {
      await grant.release();
      released = true;
    })();
    await eventually("the lease of then is over", () => performance.now() > leaseEnd + 300);
    expect([session.alive, released]).toEqual([true, false]);
    way.letGo();
    await releasing;
  });

  it("does not take a lock from its holders twice", async () => {
    const holder = await elsewhere().acquire("x");
    const next = elsewhere().acquire("x");
    await waiters("x", 1);
    way.holding = everything;
    await expect(onWay({ attemptMs: 200 }).forceRelease("x", "test")).rejects.toThrow(OutcomeUnknownError);
    const second = await next;
    await eventually("the first has lost it", () => !holder.held);
    expect((await lock("x")).holders).toMatchObject([{ token: second.token }]);
  });
});

describe("a request that was given up", () => {
  it("leaves its queue, when nobody could be asked any more, as soon as somebody can", async () => {
    const holder = await elsewhere().acquire("x");
    const given = clientOf([1, 2, 3].map((replica) => group.url(replica)), { patienceMs: 100 }).acquire("x");
    const refused = expect(given).rejects.toThrow(UnavailableError);
    await waiters("x", 1);
    group.group.network.cut([[1], [2], [3]]);
    await refused;
    group.group.network.heal();
    await eventually("the replicas work", () => [1, 2, 3].every((replica) => group.role(replica) === "active"));
    await waiters("x", 0);
    expect(holder.held).toBe(true);
  });

  it("is given back, when it was granted without anybody's knowing", async () => {
    const client = onWay();
    await client.acquire("w");
    way.holding = '"status":"granted"';
    const stop = new AbortController();
    const granted = client.acquire("x", { signal: stop.signal });
    await anAnswerIsHeld();
    stop.abort(new Error("enough"));
    await expect(granted).rejects.toThrow("enough");
    await eventually("it is free", async () => (await lock("x")).holders.length === 0);
  });

  it.each(["was released", "was refused"])("is given back, when it comes again after the service has forgotten that it %s", async (how) => {
    const limits = { ...machineLimits };
    Object.assign(machineLimits, { answersPerSession: 1 });
    try {
      const holder = how === "was refused" ? await elsewhere().acquire("x") : undefined;
      const client = onWay({ ttlMs: 5000 });
      await client.tryLock("x").then((grant) => grant?.release());
      const revision = (await group.call(3, "GET", "/v1/status")).body.revision as number;
      way.delaying = everything;
      expect((await client.tryLock("x").then((grant) => grant?.release().then(() => "was released"))) ?? "was refused").toBe(how);
      for (let i = 0; i < 40; i++) await client.tryLock("x").then((grant) => grant?.release());
      await holder?.release();
      way.sendLate();
      const granted = async (): Promise<readonly string[]> => ((await group.call(3, "GET", `/v1/events?prefix=x&after=${revision}`)).body.events as LockEvent[]).flatMap((event) => (event.type === "granted" ? event.request : []));
      await eventually("one that is over is granted", async () => (await granted()).length === (how === "was refused" ? 1 : 42));
      await eventually("it is free", async () => (await lock("x")).holders.length === 0);
    } finally {
      Object.assign(machineLimits, limits);
    }
  });

  it("loses the lock with it, when it was a conversion, and that had been granted", async () => {
    const grant = await onWay().acquire("x", { mode: "shared" });
    way.holding = '"status":"granted"';
    const stop = new AbortController();
    const converted = grant.convert("exclusive", { signal: stop.signal });
    await anAnswerIsHeld();
    stop.abort(new Error("enough"));
    await expect(converted).rejects.toThrow("enough");
    expect([grant.held, grant.lost]).toEqual([false, true]);
    expect((await lock("x")).holders).toEqual([]);
  });

  it("leaves the lock as it was held, when it was a conversion that waited still", async () => {
    const other = await elsewhere().acquire("x", { mode: "shared" });
    const grant = await onWay().acquire("x", { mode: "shared" });
    const stop = new AbortController();
    const converted = grant.convert("exclusive", { signal: stop.signal });
    await waiters("x", 1);
    stop.abort(new Error("enough"));
    await expect(converted).rejects.toThrow("enough");
    await other.release();
    expect(grant.held).toBe(true);
    expect(await elsewhere().check("x", grant.token)).toBe(true);
    await grant.convert("exclusive");
    await grant.release();
  });
});

describe("a lock that is taken by an operator", () => {
  it("is known to be lost even if that is heard before the grant", async () => {
    const client = onWay();
    const heard = await client.acquire("heard");
    way.holding = '"status":"granted"';
    const acquired = client.acquire("x");
    await anAnswerIsHeld();
    const token = (await lock("x")).holders[0]?.token ?? 0;
    for (const name of ["x", "heard"]) await elsewhere().forceRelease(name, "test");
    await eventually("the news is heard", () => heard.lost);
    way.letGo();
    // It was not to be had any more, and is asked for anew.
    const grant = await acquired;
    expect(grant.token).toBeGreaterThan(token);
    expect(grant.held).toBe(true);
  });

  it("is known to be lost even if the events that say so are not kept any more", async () => {
    const client = onWay({ attemptMs: 300 });
    const [taken, kept] = [await client.acquire("x"), await client.acquire("y")];
    const converted = await client.acquire("z", { mode: "shared" });
    await converted.convert("exclusive");
    way.holding = "event: ";
    await elsewhere().forceRelease("x", "test");
    const limits = { ...machineLimits };
    Object.assign(machineLimits, { events: 1 });
    try {
      const session = await group.session(2);
      for (let i = 0; (await group.call(2, "GET", `/v1/events?after=${taken.session.revision}`)).status !== 410; i++) await group.acquire(2, session, `r${i}`, `other-${i}`);
    } finally {
      Object.assign(machineLimits, limits);
    }
    expect([taken.held, kept.held]).toEqual([true, true]);
    way.close();
    await eventually("it is lost", () => taken.lost);
    expect(taken.signal.reason).toBeInstanceOf(LockLostError);
    expect([kept.held, converted.held]).toEqual([true, true]);
  });
});

describe("a client", () => {
  it("hears all events once and in their order, through another replica when one is gone", async () => {
    const stop = new AbortController();
    const heard: LockEvent[] = [];
    const { revision } = await elsewhere().forceRelease("nobody's", "test");
    const listening = (async () => {
      for await (const event of onWay().events({ after: revision, prefix: "x", signal: stop.signal })) heard.push(event);
    })();
    const other = elsewhere();
    await (await other.acquire("x1")).release();
    await eventually("two are heard", () => heard.length === 2);
    way.close();
    await (await other.acquire("x2")).release();
    await (await other.acquire("y")).release();
    await (await other.acquire("x3")).release();
    await eventually("six are heard", () => heard.length >= 6);
    stop.abort();
    await listening;
    expect(heard.map((event) => [event.type, "locks" in event ? event.locks : []])).toEqual(["x1", "x2", "x3"].flatMap((name) => [["granted", [name]], ["released", [name]]]));
  });

  it("hears what happens while it is cut off, though nothing had happened before", async () => {
    const stop = new AbortController();
    const heard: LockEvent[] = [];
    const listening = (async () => {
      for await (const event of clientOf([way.url]).events({ prefix: "x", signal: stop.signal })) heard.push(event);
    })();
    await eventually("the stream has begun", () => way.passed("id: "));
    way.cut();
    await (await elsewhere().acquire("x1")).release();
    way.mend();
    await (await elsewhere().acquire("x2")).release();
    await eventually("what came last is heard", () => heard.some((event) => event.type === "released" && event.locks.includes("x2")));
    stop.abort();
    await listening;
    expect(heard.map((event) => [event.type, "locks" in event ? event.locks : []])).toEqual(["x1", "x2"].flatMap((name) => [["granted", [name]], ["released", [name]]]));
  });

  it("gives a lock back though its value block could not be written, and says so", async () => {
    const client = onWay();
    const grant = await client.acquire("x", { mode: "shared" });
    await expect(grant.release({ valueBlock: "AAAA" })).rejects.toMatchObject({ code: "NOT_WRITABLE" });
    expect((await lock("x")).holders).toEqual([]);
  });

  it("holds many locks without a warning, and ends all of them when it is closed", async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error): void => void warnings.push(warning);
    process.on("warning", warned);
    const client = onWay();
    const grants = await Promise.all(Array.from({ length: 100 }, (_, i) => client.acquire(`many/${i}`)));
    await Promise.all(grants.slice(0, 50).map((grant) => grant.release()));
    expect(grants.map(({ held }) => held)).toEqual([...Array<boolean>(50).fill(false), ...Array<boolean>(50).fill(true)]);
    await client.close();
    expect(grants.every(({ held }) => !held)).toBe(true);
    expect((await group.call(2, "GET", "/v1/locks?prefix=many/")).body.locks).toEqual([]);
    await expect(client.acquire("x")).rejects.toMatchObject({ code: "CLOSED" });
    await expect(client.get("/v1/locks")).rejects.toMatchObject({ code: "CLOSED" });
    process.removeListener("warning", warned);
    expect(warnings).toEqual([]);
  });

  it("asks for a lock and gives it back over one connection, again and again", async () => {
    const client = clientOf([group.url(1)]);
    await client.withLock("x", {}, () => undefined);
    let connected = 0;
    const count = (): void => void connected++;
    subscribe("undici:client:connected", count);
    for (let i = 0; i < 20; i++) await client.withLock("x", {}, () => undefined);
    unsubscribe("undici:client:connected", count);
    // One that is idle for seconds, on a machine that does other things, is closed.
    expect(connected).toBeLessThan(5);
  });

  it("keeps a process alive that waits for a replica to answer and does nothing else", async () => {
    const script = `import { LockClient } from ${JSON.stringify(new URL("../../dist/client/index.js", import.meta.url).href)};
      const client = new LockClient({ endpoints: ["http://127.0.0.1:1"], patienceMs: 300 });
      await client.acquire("x").catch((error) => console.log(error.code));`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
    expect(stdout).toBe("UNREACHABLE\n");
  });

  it("finds a deadlock between tasks that name themselves", async () => {
    const [a, b] = [onWay(), elsewhere()];
    await a.acquire("x", { owner: "a" });
    await b.acquire("y", { owner: "b" });
    const first = a.acquire("y", { owner: "a" });
    await waiters("y", 1);
    await expect(b.acquire("x", { owner: "b" })).rejects.toMatchObject({ name: "DeadlockError", code: "DEADLOCK" });
    await b.close();
    await first;
  });
});
