/** Looking at locks, checking tokens, taking locks away, elections, and who waits for whom. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.js";
import { TestGroup } from "../support/group.js";
import { openStream } from "../support/server-sent.js";

let group: TestGroup;

beforeAll(async () => { group = await TestGroup.start(); });
afterAll(() => group.close());

describe("a lock", () => {
  it("shows its holders and waiters in their order; its name may be any text", async () => {
    const name = "weird/näme %2F?&#🔒";
    const path = `/v1/locks/${encodeURIComponent(name)}`;
    const [a, b, c] = [await group.session(1), await group.session(2), await group.session(3)];
    await group.acquire(1, a, "ra", name, { value: "here" });
    await group.acquire(2, b, "rb", [{ lock: name, mode: "PR" }], { waitMs: null, pollMs: 0, owner: "o" });
    await group.acquire(3, c, "rc", name, { waitMs: 600_000, pollMs: 0 });
    const { body } = await group.call(1, "GET", path);
    expect(body.lock).toMatchObject({ lock: name, kind: "modes", limit: null, delayUntil: null, holders: [{ session: a, request: "ra", mode: "EX", value: "here" }], waiters: [{ session: b, owner: "o", mode: "PR", deadline: null }, { session: c, mode: "EX" }] });
    expect(body.lock.waiters[1].deadline - body.now).toBeGreaterThan(590_000);
    const longest = "🔒".repeat(256);
    expect((await group.acquire(1, a, "longest", longest)).status).toBe(200);
    expect((await group.call(1, "GET", `/v1/locks/${encodeURIComponent(longest)}`)).body.lock.holders).toHaveLength(1);
    expect((await group.call(2, "GET", "/v1/locks/unused")).body.lock).toMatchObject({ lock: "unused", holders: [], waiters: [] });
  });

  it("is listed by prefix, page by page", async () => {
    const session = await group.session(1);
    for (const lock of ["list/b", "list/a", "list/c", "lost"]) await group.acquire(1, session, lock, lock);
    expect((await group.call(2, "GET", "/v1/locks?prefix=list/&limit=2")).body).toMatchObject({ locks: [{ lock: "list/a", holders: 1, waiters: 0, mode: "EX" }, { lock: "list/b" }], next: "list/b" });
    expect((await group.call(2, "GET", "/v1/locks?prefix=list/&limit=2&after=list/b")).body).toMatchObject({ locks: [{ lock: "list/c" }], next: null });
    for (const query of ["limit=0", "limit=1001", "limit=x", "consistency=dirty", "prefx=a"]) expect((await group.call(1, "GET", `/v1/locks?${query}`)).status, query).toBe(400);
  });

  it("tells whether a token is that of a present grant", async () => {
    const [a, b] = [await group.session(1), await group.session(2)];
    const token = (await group.acquire(1, a, "r", "checked")).body.token as number;
    expect((await group.call(2, "GET", `/v1/locks/checked/check?token=${token}`)).body).toEqual({ current: true });
    for (const other of [0, token - 1, token + 1]) expect((await group.call(2, "GET", `/v1/locks/checked/check?token=${other}`)).status).toBe(412);
    await group.release(1, a, "r");
    expect((await group.call(3, "GET", `/v1/locks/checked/check?token=${token}`)).body.error.code).toBe("STALE_TOKEN");
    const next = (await group.acquire(2, b, "r", "checked")).body.token as number;
    expect((await group.call(1, "GET", `/v1/locks/checked/check?token=${next}`)).status).toBe(200);
    expect((await group.call(1, "GET", "/v1/locks/checked/check")).status).toBe(400);
  });

  it("is taken from its holders with a reason, which is recorded, and goes to the next", async () => {
    const [a, b] = [await group.session(1), await group.session(2)];
    await group.acquire(1, a, "r", "forced");
    const waiting = group.acquire(2, b, "r", "forced", { waitMs: null });
    await eventually("it waits", async () => (await group.call(1, "GET", "/v1/locks/forced")).body.lock.waiters.length === 1);
    expect((await group.call(3, "POST", "/v1/locks/forced/force-release", { body: {} })).status).toBe(400);
    expect((await group.call(3, "POST", "/v1/locks/forced/force-release", { body: { reason: "stuck", session: b } })).body).toMatchObject({ released: 0, sessions: [] });
    expect((await group.call(3, "POST", "/v1/locks/forced/force-release", { body: { reason: "stuck" } })).body).toMatchObject({ released: 1, sessions: [a] });
    expect((await waiting).status).toBe(200);
    expect(await group.acquire(1, a, "r", "forced")).toMatchObject({ status: 409, body: { error: { code: "RELEASED", details: { reason: "stuck" } } } });
    const { events } = (await group.call(1, "GET", "/v1/events?after=0&prefix=forced")).body as { events: readonly { type: string }[] };
    expect(events.find(({ type }) => type === "force-released")).toMatchObject({ lock: "forced", reason: "stuck", sessions: [a] });
  });
});

describe("an election", () => {
  it("has a leader while somebody holds its lock in EX, and tells its value", async () => {
    expect(await group.call(1, "GET", "/v1/elections/el1")).toMatchObject({ status: 404, body: { error: { code: "NO_LEADER" } } });
    const session = await group.session(1);
    const { body } = await group.acquire(1, session, "r", "el1", { value: "one:1" });
    expect((await group.call(2, "GET", "/v1/elections/el1")).body).toMatchObject({ election: "el1", session, value: "one:1", token: body.token as number });
  });

  it("is observed: the leader, its new values, nobody, and the next", async () => {
    const [a, b] = [await group.session(1), await group.session(2)];
    const stream = await openStream(`${group.url(3)}/v1/elections/el2/observe`);
    const leaders = (): readonly (string | null)[] => stream.events.map(({ data }) => (data as { value: string } | null)?.value ?? null);
    await eventually("nobody leads", () => leaders().length === 1);
    await group.acquire(1, a, "r", "el2", { value: "a" });
    await eventually("a leads", () => leaders().length === 2);
    await group.call(2, "POST", `/v1/sessions/${a}/requests/r/value`, { body: { value: "a2" } });
    await eventually("a has another value", () => leaders().length === 3);
    await group.acquire(1, a, "other", "el3");
    await group.release(1, a, "r");
    await eventually("nobody leads", () => leaders().length === 4);
    await group.acquire(2, b, "r", "el2", { value: "b" });
    await eventually("b leads", () => leaders().length === 5);
    expect(leaders()).toEqual([null, "a", "a2", null, "b"]);
    expect(new Set(stream.events.map(({ event }) => event))).toEqual(new Set(["leader"]));
    await stream.close();
  });
});

describe("the wait-for graph", () => {
  it("says who waits for whom, as JSON and as pictures", async () => {
    const [a, b] = [await group.session(1), await group.session(2)];
    await group.acquire(1, a, "holds", "graph/x");
    await group.acquire(2, b, "waits", "graph/x", { waitMs: null, pollMs: 0, owner: "me" });
    expect((await group.call(3, "GET", "/v1/graph?prefix=graph/")).body).toEqual({
      edges: [{ from: { session: b, owner: "me", request: "waits" }, to: { session: a, owner: null, request: "holds" }, lock: "graph/x" }], truncated: false,
    });
    const svg = await group.call(3, "GET", "/v1/graph.svg?prefix=graph/");
    expect(svg.headers["content-type"]).toMatch(/^image\/svg\+xml/);
    expect(svg.body).toContain("me · waits");
    expect((await group.call(3, "GET", "/v1/graph.dot?prefix=graph/")).body).toContain(`"me · waits" -> "${a.slice(0, 8)} · holds" [label="graph/x"];`);
  });
});
