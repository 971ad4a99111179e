/** Who gets what with --auth: every call, by every kind of principal. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Access, type Grant } from "../../src/index.js";
import { parseTokens } from "../../src/server/token-file.js";
import { eventually } from "../support/eventually.js";
import { TestGroup } from "../support/group.js";
import { openStream } from "../support/server-sent.js";

type Method = "GET" | "PUT" | "POST" | "DELETE";

const principals: Readonly<Record<string, readonly Grant[]>> = {
  reader: [{ prefix: "a/", allow: ["read"] }],
  locker: [{ prefix: "a/", allow: ["lock"] }],
  other: [{ prefix: "a/", allow: ["read", "lock"] }],
  operator: [{ prefix: "a/", allow: ["admin"] }],
  root: [{ prefix: "", allow: ["read", "lock", "admin"] }],
  nothing: [],
};
const tokenOf = (name: string): string => `${name}-token-0123456789`;

let group: TestGroup;
/** Opened by "locker", which holds a/1 as request "held". */
let session: string;

beforeAll(async () => {
  const access = new Access(parseTokens({ tokens: Object.entries(principals).map(([name, permissions]) => ({ name, token: tokenOf(name), permissions })) }));
  group = await TestGroup.start({ access });
  session = await group.session(1, {}, tokenOf("locker"));
  await group.acquire(1, session, "held", "a/1", {}, { token: tokenOf("locker") });
});
afterAll(() => group.close());

const lockBody = (lock: string) => ({ locks: [{ lock }] });
const everybody = Object.keys(principals);

/** A call, and who may make it; anybody else gets 403. The session is locker's. */
const rules: readonly (readonly [string, Method, (session: string) => string, unknown, readonly string[]])[] = [
  ["open a session", "POST", () => "/v1/sessions", {}, ["locker", "other", "root"]],
  ["list sessions", "GET", () => "/v1/sessions", undefined, everybody],
  ["see locker's session", "GET", (id) => `/v1/sessions/${id}`, undefined, ["locker", "root"]],
  ["see its requests", "GET", (id) => `/v1/sessions/${id}/requests`, undefined, ["locker", "root"]],
  ["renew it", "POST", (id) => `/v1/sessions/${id}/renew`, undefined, ["locker", "root"]],
  ["lock with it", "PUT", (id) => `/v1/sessions/${id}/requests/new`, lockBody("a/2"), ["locker", "root"]],
  ["lock elsewhere with it", "PUT", (id) => `/v1/sessions/${id}/requests/far`, lockBody("b/2"), ["root"]],
  ["see its request", "GET", (id) => `/v1/sessions/${id}/requests/held`, undefined, ["locker", "root"]],
  ["change its value", "POST", (id) => `/v1/sessions/${id}/requests/held/value`, { value: "v" }, ["locker", "root"]],
  ["follow its events", "GET", (id) => `/v1/events?session=${id}`, undefined, ["locker", "root"]],
  ["list locks of the prefix", "GET", () => "/v1/locks?prefix=a/", undefined, ["reader", "other", "root"]],
  ["list all locks", "GET", () => "/v1/locks", undefined, ["root"]],
  ["see a lock", "GET", () => "/v1/locks/a%2F1", undefined, ["reader", "other", "root"]],
  ["see a lock elsewhere", "GET", () => "/v1/locks/b%2F1", undefined, ["root"]],
  ["check a token", "GET", () => "/v1/locks/a%2F1/check?token=1", undefined, ["reader", "other", "root"]],
  ["see a leader", "GET", () => "/v1/elections/a%2F1", undefined, ["reader", "other", "root"]],
  ["follow the prefix", "GET", () => "/v1/events?prefix=a/", undefined, ["reader", "other", "root"]],
  ["follow everything", "GET", () => "/v1/events", undefined, ["root"]],
  ["see who waits", "GET", () => "/v1/graph?prefix=a/", undefined, ["reader", "other", "root"]],
  ["see who waits anywhere", "GET", () => "/v1/graph.svg", undefined, ["root"]],
  ["force a lock of the prefix", "POST", () => "/v1/locks/a%2Funused/force-release", { reason: "test" }, ["operator", "root"]],
  ["force a lock elsewhere", "POST", () => "/v1/locks/b%2Funused/force-release", { reason: "test" }, ["root"]],
  ["see the status", "GET", () => "/v1/status", undefined, everybody],
];

describe("with tokens", () => {
  it.each(rules)("to %s is for those who may", async (_what, method, path, body, allowed) => {
    for (const name of everybody) {
      const { status } = await group.call(2, method, path(session), { body, token: tokenOf(name) });
      if (allowed.includes(name)) expect(status, name).not.toBe(403);
      else expect(status, name).toBe(403);
      expect(status, name).not.toBe(401);
    }
  });

  it.each(rules)("to %s needs a token that is known", async (_what, method, path, body) => {
    for (const token of [undefined, "unknown-token-0123456789"]) {
      const refused = await group.call(3, method, path(session), { body, token });
      expect(refused).toMatchObject({ status: 401, body: { error: { code: "UNAUTHENTICATED" } }, headers: { "www-authenticate": "Bearer" } });
    }
  });

  it("health and the document are for everybody", async () => {
    for (const path of ["/v1/health", "/v1/openapi.json"]) expect((await group.call(1, "GET", path)).status).toBe(200);
  });

  it("lists own sessions only, but to administrators of everything", async () => {
    const own = await group.session(1, {}, tokenOf("other"));
    const seen = async (name: string): Promise<readonly string[]> =>
      ((await group.call(2, "GET", "/v1/sessions", { token: tokenOf(name) })).body.sessions as readonly { session: string }[]).map((each) => each.session);
    expect(await seen("other")).toContain(own);
    expect(await seen("other")).not.toContain(session);
    expect(await seen("root")).toEqual(expect.arrayContaining([own, session]));
    expect(await seen("nothing")).toEqual([]);
  });

  it("a session that this replica does not have yet is looked for in the group", async () => {
    for (let i = 0; i < 20; i++) {
      const fresh = await group.session(1, {}, tokenOf("locker"));
      expect((await group.acquire(3, fresh, "r", `a/fresh-${i}`, {}, { token: tokenOf("locker") })).status).toBe(200);
    }
  });

  it("a request id for a session is its principal's own", async () => {
    const one = await group.session(1, { requestId: "same" }, tokenOf("locker"));
    expect(await group.session(2, { requestId: "same" }, tokenOf("other"))).not.toBe(one);
    expect(await group.session(3, { requestId: "same" }, tokenOf("locker"))).toBe(one);
  });

  it("who may read a prefix sees no other names in its events", async () => {
    const root = await group.session(1, {}, tokenOf("root"));
    const stream = await openStream(`${group.url(2)}/v1/events?prefix=a/`, { authorization: `Bearer ${tokenOf("reader")}`, accept: "text/event-stream" });
    await group.acquire(1, root, "both", [{ lock: "a/shown" }, { lock: "secret" }], {}, { token: tokenOf("root") });
    const waiter = await group.session(1, {}, tokenOf("root"));
    await group.acquire(1, waiter, "refused", [{ lock: "a/free" }, { lock: "secret" }], {}, { token: tokenOf("root") });
    await group.acquire(1, root, "last", "a/last", {}, { token: tokenOf("root") });
    await eventually("the last is told", () => JSON.stringify(stream.events).includes("a/last"));
    expect(JSON.stringify(stream.events)).not.toContain("secret");
    expect(stream.events.map(({ data }) => (data as { locks: unknown }).locks)).toContainEqual(["a/shown"]);
    await stream.close();
  });
});
