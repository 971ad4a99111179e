/** Asking for locks over HTTP: what is answered, what a retry gets, how a call hangs. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.js";
import { TestGroup } from "../support/group.js";

let group: TestGroup;

beforeAll(async () => { group = await TestGroup.start(); });
afterAll(() => group.close());

const waiters = async (lock: string): Promise<number> => (await group.call(1, "GET", `/v1/locks/${encodeURIComponent(lock)}`)).body.lock.waiters.length as number;

describe("a request for locks", () => {
  it("is granted with a token that only grows, in the modes asked for", async () => {
    const session = await group.session(1);
    const one = await group.acquire(1, session, "r1", [{ lock: "a1" }, { lock: "a2", mode: "shared" }, { lock: "a3", mode: "CW" }, { lock: "a4", permits: 2, limit: 3 }, { lock: "a5", limit: 1 }]);
    expect(one).toMatchObject({ status: 200, body: { status: "granted" } });
    const locks = one.body.locks as readonly { lock: string; mode: string | null; permits: number | null }[];
    expect(locks.map(({ lock, mode, permits }) => [lock, mode, permits])).toEqual([["a1", "EX", null], ["a2", "PR", null], ["a3", "CW", null], ["a4", null, 2], ["a5", null, 1]]);
    const two = await group.acquire(2, session, "r2", "a6");
    expect(two.body.token).toBeGreaterThan(one.body.token as number);
  });

  it("that is sent again, through any replica, is the same request", async () => {
    const session = await group.session(1);
    const first = await group.acquire(1, session, "r", "b");
    for (const replica of [1, 2, 3]) expect((await group.acquire(replica, session, "r", "b")).body).toEqual(first.body);
    expect(await group.acquire(2, session, "r", "b2")).toMatchObject({ status: 422, body: { error: { code: "REQUEST_MISMATCH" } } });
    expect((await group.release(3, session, "r")).body).toEqual({ status: "released", code: "RELEASED" });
    expect(await group.acquire(1, session, "r", "b")).toMatchObject({ status: 409, body: { error: { code: "RELEASED" } } });
    expect((await group.release(2, session, "r")).body).toEqual({ status: "released", code: "RELEASED" });
  });

  it("is refused with 409 when the lock is held and it is not to wait, with who is in the way", async () => {
    const [holder, other] = [await group.session(1), await group.session(2)];
    await group.acquire(1, holder, "r", "c");
    const refused = await group.acquire(2, other, "r", "c");
    expect(refused).toMatchObject({ status: 409, body: { error: { code: "HELD", details: { lock: "c", holders: [holder] } } } });
  });

  it("hangs until it is granted", async () => {
    const [holder, other] = [await group.session(1), await group.session(2)];
    const held = await group.acquire(1, holder, "r", "d");
    const waiting = group.acquire(2, other, "r", "d", { waitMs: null });
    await eventually("it waits", async () => (await waiters("d")) === 1);
    await group.release(3, holder, "r");
    const granted = await waiting;
    expect(granted).toMatchObject({ status: 200, body: { status: "granted" } });
    expect(granted.body.token).toBeGreaterThan(held.body.token as number);
  });

  it("answers 202 when pollMs is over, stays in its place, and is asked for again by PUT or GET, on any replica", async () => {
    const [holder, first, second] = [await group.session(1), await group.session(2), await group.session(3)];
    await group.acquire(1, holder, "r", "e");
    expect(await group.acquire(2, first, "r", "e", { waitMs: null, pollMs: 0 })).toMatchObject({ status: 202, body: { status: "waiting", ahead: 0, deadline: null } });
    expect(await group.acquire(3, second, "r", "e", { waitMs: 60_000, pollMs: 0 })).toMatchObject({ status: 202, body: { status: "waiting", ahead: 1 } });
    expect(await group.acquire(1, first, "r", "e", { waitMs: null, pollMs: 10 })).toMatchObject({ status: 202, body: { ahead: 0 } });
    expect(await group.call(1, "GET", `/v1/sessions/${second}/requests/r`)).toMatchObject({ status: 202, body: { ahead: 1 } });
    const polling = [group.call(3, "GET", `/v1/sessions/${first}/requests/r?pollMs=30000`), group.acquire(1, first, "r", "e", { waitMs: null })];
    await group.release(2, holder, "r");
    const [got, put] = await Promise.all(polling);
    expect(got).toMatchObject({ status: 200, body: { status: "granted" } });
    expect(put?.body).toEqual(got?.body);
    await group.call(1, "DELETE", `/v1/sessions/${first}`);
    expect((await group.call(2, "GET", `/v1/sessions/${second}/requests/r?pollMs=30000`)).status).toBe(200);
  });

  it("is refused with 408 when waitMs is over, and is out of the queue then", async () => {
    const [holder, other] = [await group.session(1), await group.session(2)];
    await group.acquire(1, holder, "r", "f");
    const refused = await group.acquire(2, other, "r", "f", { waitMs: 50 });
    expect(refused).toMatchObject({ status: 408, body: { error: { code: "WAIT_TIMEOUT" } } });
    expect(await waiters("f")).toBe(0);
    expect((await group.acquire(3, other, "r", "f", { waitMs: 50 })).status).toBe(408);
  });

  it("can be cancelled while another call hangs on it", async () => {
    const [holder, other] = [await group.session(1), await group.session(2)];
    await group.acquire(1, holder, "r", "g");
    const hanging = group.acquire(2, other, "r", "g", { waitMs: null });
    await eventually("it waits", async () => (await waiters("g")) === 1);
    expect((await group.release(3, other, "r")).body).toEqual({ status: "cancelled", code: "CANCELLED" });
    expect(await hanging).toMatchObject({ status: 409, body: { error: { code: "CANCELLED" } } });
  });

  it("is refused with 410 when its session ends while it waits", async () => {
    const [holder, other] = [await group.session(1), await group.session(2)];
    await group.acquire(1, holder, "r", "h");
    const hanging = group.acquire(2, other, "r", "h", { waitMs: null });
    await eventually("it waits", async () => (await waiters("h")) === 1);
    await group.call(3, "DELETE", `/v1/sessions/${other}`);
    expect(await hanging).toMatchObject({ status: 410, body: { error: { code: "SESSION_OVER", details: { session: other, reason: "closed" } } } });
    expect(await group.acquire(1, other, "r2", "h")).toMatchObject({ status: 410, body: { error: { code: "SESSION_OVER" } } });
    expect(await group.acquire(1, "nonsense", "r", "h")).toMatchObject({ status: 410 });
  });

  it("stays in the queue when its client goes away, until its own time is over", async () => {
    const [holder, other] = [await group.session(1), await group.session(2)];
    await group.acquire(1, holder, "r", "i");
    const gone = new AbortController();
    const hanging = group.acquire(2, other, "r", "i", { waitMs: null }, { signal: gone.signal });
    await eventually("it waits", async () => (await waiters("i")) === 1);
    gone.abort();
    await expect(hanging).rejects.toThrow();
    await group.release(1, holder, "r");
    expect((await group.call(3, "GET", `/v1/sessions/${other}/requests/r?pollMs=10000`)).body).toMatchObject({ status: "granted" });
  });

  it("that comes after it was given up is cancelled", async () => {
    const session = await group.session(1);
    expect((await group.release(1, session, "late")).body).toEqual({ status: "cancelled", code: "CANCELLED" });
    expect(await group.acquire(2, session, "late", "late")).toMatchObject({ status: 409, body: { error: { code: "CANCELLED" } } });
    expect((await group.call(1, "GET", "/v1/locks/late")).body.lock.holders).toEqual([]);
  });

  it("that would close a circle of waiters is refused with 508 and the circle", async () => {
    const [a, b] = [await group.session(1), await group.session(2)];
    await group.acquire(1, a, "a1", "j1");
    await group.acquire(1, b, "b1", "j2");
    const waiting = group.acquire(2, a, "a2", "j2", { waitMs: null });
    await eventually("it waits", async () => (await waiters("j2")) === 1);
    const refused = await group.acquire(3, b, "b2", "j1", { waitMs: null });
    expect(refused).toMatchObject({ status: 508, body: { error: { code: "DEADLOCK" } } });
    expect((refused.body.error.details.cycle as readonly { request: string }[]).map(({ request }) => request).sort()).toEqual(["a2", "b2"]);
    await group.call(1, "DELETE", `/v1/sessions/${b}`);
    expect((await waiting).status).toBe(200);
  });

  it("is refused with 423 while the lock delay of its last holder's session lasts", async () => {
    const [holder, other] = [await group.session(1, { ttlMs: 3000, lockDelayMs: 60_000 }), await group.session(2)];
    await group.acquire(1, holder, "r", "k");
    await eventually("the session expires", async () => (await group.call(2, "GET", `/v1/sessions/${holder}`)).status === 410);
    const refused = await group.acquire(2, other, "r", "k");
    expect(refused).toMatchObject({ status: 423, body: { error: { code: "LOCK_DELAY", details: { lock: "k" } } } });
    expect(refused.body.error.details.leftMs).toBeGreaterThan(50_000);
  });
});

describe("a grant", () => {
  it("is converted without letting go; the conversion takes its place with a new token", async () => {
    const [a, b] = [await group.session(1), await group.session(2)];
    const shared = await group.acquire(1, a, "a1", [{ lock: "m", mode: "PR" }]);
    await group.acquire(2, b, "b1", [{ lock: "m", mode: "PR" }]);
    const upgrading = group.call(1, "POST", `/v1/sessions/${a}/requests/a1/convert`, { body: { request: "a2", mode: "exclusive", waitMs: null } });
    await eventually("it waits", async () => (await waiters("m")) === 1);
    await group.release(3, b, "b1");
    const upgraded = await upgrading;
    expect(upgraded).toMatchObject({ status: 200, body: { status: "granted", locks: [{ lock: "m", mode: "EX" }] } });
    expect(upgraded.body.token).toBeGreaterThan(shared.body.token as number);
    expect(await group.call(1, "POST", `/v1/sessions/${a}/requests/a9/convert`, { body: { request: "a3", mode: "PR" } })).toMatchObject({ status: 404, body: { error: { code: "NO_SUCH_REQUEST" } } });
  });

  it("in PW or EX writes the value block when it goes, and others read it with theirs", async () => {
    const [a, b] = [await group.session(1), await group.session(2)];
    await group.acquire(2, b, "null", [{ lock: "n", mode: "NL" }]);
    await group.acquire(1, a, "r", [{ lock: "n", mode: "EX" }]);
    expect((await group.release(1, a, "r", { body: { valueBlock: "aGVsbG8=" } })).status).toBe(200);
    const read = await group.acquire(2, b, "r", [{ lock: "n", mode: "PR" }]);
    expect(read.body.locks[0].valueBlock).toEqual({ data: "aGVsbG8=", valid: true });
    expect(await group.release(2, b, "r", { body: { valueBlock: "aGVsbG8=" } })).toMatchObject({ status: 422, body: { error: { code: "NOT_WRITABLE" } } });
  });

  it("shows a value, which its holder can change", async () => {
    const session = await group.session(1);
    await group.acquire(1, session, "r", "o", { value: "host-1:80" });
    expect((await group.call(2, "GET", "/v1/locks/o")).body.lock.holders[0]).toMatchObject({ session, request: "r", value: "host-1:80" });
    expect((await group.call(3, "POST", `/v1/sessions/${session}/requests/r/value`, { body: { value: "host-2:80" } })).body).toMatchObject({ status: "granted" });
    expect((await group.call(1, "GET", "/v1/locks/o")).body.lock.holders[0]).toMatchObject({ value: "host-2:80" });
  });
});

describe("a request that is not as documented", () => {
  it.each<[unknown, RegExp]>([
    [{}, /body must have required properties locks/],
    [{ locks: [] }, /body\.locks must not have fewer than 1 items/],
    [{ locks: [{ lock: "x", mod: "EX" }] }, /body\.locks\.0 has "mod", which it does not take/],
    [{ locks: [{ lock: "x", mode: "XX" }] }, /body\.locks\.0\.mode must be equal to one of the allowed values: NL, CR/],
    [{ locks: [{ lock: "" }] }, /body\.locks\.0\.lock/],
    [{ locks: [{ lock: "x\u0000" }] }, /body\.locks\.0\.lock/],
    [{ locks: [{ lock: "\ud800" }] }, /body\.locks\.0\.lock/],
    [{ locks: [{ lock: "x".repeat(257) }] }, /body\.locks\.0\.lock/],
    [{ locks: [{ lock: "x" }, { lock: "x" }] }, /names a lock twice/],
    [{ locks: Array.from({ length: 65 }, (_, i) => ({ lock: `x${i}` })) }, /body\.locks must not have more than 64 items/],
    [{ locks: [{ lock: "x", permits: 1 }] }, /need the semaphore's limit/],
    [{ locks: [{ lock: "x", permits: 2, limit: 1 }] }, /more than its limit/],
    [{ locks: [{ lock: "x", mode: "EX", limit: 1 }] }, /in a mode and as a semaphore/],
    [{ locks: [{ lock: "x" }], waitMs: -1 }, /body\.waitMs must be >= 0/],
    [{ locks: [{ lock: "x" }], waitMs: "1" }, /body\.waitMs must be/],
    [{ locks: [{ lock: "x" }], pollMs: 60_001 }, /body\.pollMs must be <= 60000/],
    [{ locks: [{ lock: "x" }], value: "ä".repeat(3000) }, /body\.value is longer than 4096 bytes/],
    ["{", /body is not JSON/],
    ["[]", /body must be object/],
    ["null", /body must be object/],
  ])("is refused with 400 and says where", async (body, message) => {
    const refused = await group.call(1, "PUT", "/v1/sessions/s/requests/r", { body });
    expect(refused).toMatchObject({ status: 400, body: { error: { code: "INVALID_REQUEST" } } });
    expect(refused.body.error.message).toMatch(message);
  });

  it("is refused for what is in its path", async () => {
    for (const id of ["%00", "%ED%A0%80", "x".repeat(200)]) expect((await group.call(1, "PUT", `/v1/sessions/s/requests/${id}`, { body: { locks: [{ lock: "x" }] } })).status).toBe(400);
    expect(await group.call(1, "GET", `/v1/locks/${"x".repeat(3100)}`)).toMatchObject({ status: 414, body: { error: { code: "URL_TOO_LONG" } } });
  });

  it("is refused when it is too large, or not JSON by its type", async () => {
    expect(await group.call(1, "POST", "/v1/sessions", { body: { name: "x".repeat(70_000) } })).toMatchObject({ status: 413, body: { error: { code: "BODY_TOO_LARGE" } } });
    expect(await group.call(1, "POST", "/v1/sessions", { body: "name=x", headers: { "content-type": "application/x-www-form-urlencoded" } })).toMatchObject({ status: 415, body: { error: { code: "UNSUPPORTED_MEDIA_TYPE" } } });
    expect((await group.call(1, "GET", "/v1/nothing")).body.error.code).toBe("NO_SUCH_ROUTE");
  });
});
