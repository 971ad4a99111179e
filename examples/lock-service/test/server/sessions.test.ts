import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.js";
import { TestGroup } from "../support/group.js";

let group: TestGroup;

beforeAll(async () => { group = await TestGroup.start(); });
afterAll(() => group.close());

describe("a session", () => {
  it("is opened with what is asked for, or with the documented defaults", async () => {
    const plain = await group.call(1, "POST", "/v1/sessions");
    expect(plain).toMatchObject({ status: 201, body: { ttlMs: 15_000 } });
    const asked = await group.session(2, { name: "billing", ttlMs: 60_000, lockDelayMs: 5000, bound: true });
    expect((await group.call(3, "GET", `/v1/sessions/${asked}`)).body).toMatchObject({ session: asked, name: "billing", ttlMs: 60_000, lockDelayMs: 5000, bound: true, principal: null, requests: 0 });
    for (const body of [{ ttlMs: 999 }, { ttlMs: 86_400_001 }, { ttlMs: null }, { lockDelayMs: -1 }, { ttl: 5 }]) expect((await group.call(1, "POST", "/v1/sessions", { body })).status, JSON.stringify(body)).toBe(400);
  });

  it("is opened once for a request id, whichever replica is asked", async () => {
    const one = await group.call(1, "POST", "/v1/sessions", { body: { requestId: "same" } });
    expect((await group.call(2, "POST", "/v1/sessions", { body: { requestId: "same" } })).body).toEqual(one.body);
    expect(await group.session(2, { requestId: "other" })).not.toBe(one.body.session);
  });

  it("expires when it is not renewed, and not before", async () => {
    const ttlMs = 3000;
    const [kept, left] = [await group.session(1, { ttlMs }), await group.session(1, { ttlMs })];
    await group.acquire(1, left, "r", "expiring");
    await eventually("the one that is not renewed expires", async () => {
      expect(await group.call(2, "POST", `/v1/sessions/${kept}/renew`)).toMatchObject({ status: 200, body: { session: kept, ttlMs } });
      return (await group.call(3, "GET", `/v1/sessions/${left}`)).status === 410;
    });
    expect((await group.call(1, "GET", `/v1/sessions/${kept}`)).status).toBe(200);
    expect(await group.call(1, "POST", `/v1/sessions/${left}/renew`)).toMatchObject({ status: 410, body: { error: { code: "SESSION_OVER", details: { reason: "expired" } } } });
    expect((await group.call(1, "GET", "/v1/locks/expiring")).body.lock.holders).toEqual([]);
  });

  it("that is closed releases everything; closing it again says that it is over", async () => {
    const [session, next] = [await group.session(1), await group.session(2)];
    await group.acquire(1, session, "r1", "closing");
    const waiting = group.acquire(2, next, "r", "closing", { waitMs: null });
    expect((await group.call(3, "DELETE", `/v1/sessions/${session}`)).status).toBe(200);
    expect((await waiting).status).toBe(200);
    expect(await group.call(1, "DELETE", `/v1/sessions/${session}`)).toMatchObject({ status: 410, body: { error: { details: { reason: "closed" } } } });
    expect((await group.call(1, "DELETE", "/v1/sessions/unknown")).status).toBe(410);
  });

  it("says what it holds and waits for", async () => {
    const [session, other] = [await group.session(1), await group.session(1)];
    await group.acquire(1, other, "r", "said-2");
    const { body } = await group.acquire(1, session, "a", "said-1", { owner: "task-1" });
    await group.acquire(1, session, "b", "said-2", { waitMs: null, pollMs: 0 });
    const listed = await group.call(2, "GET", `/v1/sessions/${session}/requests`);
    expect(listed.body).toMatchObject({
      requests: [{ request: "a", status: "granted", owner: "task-1", locks: ["said-1"], token: body.token as number }, { request: "b", status: "waiting", locks: ["said-2"], token: null }], next: null,
    });
    expect((await group.call(1, "GET", `/v1/sessions/${session}/requests?limit=1`)).body).toMatchObject({ requests: [{ request: "a" }], next: "a" });
    expect((await group.call(1, "GET", `/v1/sessions/${session}/requests?limit=1&after=a`)).body).toMatchObject({ requests: [{ request: "b" }], next: null });
    expect((await group.call(1, "GET", "/v1/sessions/unknown/requests")).status).toBe(410);
  });

  it("is listed, page by page", async () => {
    const opened = new Set(await Promise.all(Array.from({ length: 5 }, () => group.session(1))));
    const found: string[] = [];
    for (let after: string | null = ""; after !== null;) {
      const { body } = await group.call(2, "GET", `/v1/sessions?limit=2${after === "" ? "" : `&after=${after}`}`);
      found.push(...(body.sessions as readonly { session: string }[]).map(({ session }) => session));
      after = body.next as string | null;
    }
    expect(found).toEqual([...found].sort());
    for (const session of opened) expect(found).toContain(session);
  });
});

it("thousands of renewals at a time go together in few commands", async () => {
  const { replica, service } = group.group.servers[0] ?? expect.fail("no replica");
  const sessions = await Promise.all(Array.from({ length: 3000 }, async () => (await replica.submit.openSession({ name: "", ttlMs: 60_000, lockDelayMs: 0, bound: false, principal: null, behavior: "release" })).session));
  const before = replica.inspect().totals.submitted;
  const alive = await Promise.all([...sessions, "unknown", ...sessions].map((session) => service.renew(session)));
  expect(alive.filter((each) => !each)).toHaveLength(1);
  expect(alive[3000]).toBe(false);
  // The first goes alone; the others a thousand at a time.
  expect(replica.inspect().totals.submitted - before).toBeLessThanOrEqual(5);
});
