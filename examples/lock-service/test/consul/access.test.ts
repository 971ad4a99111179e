/** Tokens: what is refused is 403, in Consul's words. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Access, type Grant } from "../../src/index.js";
import { ConsulGroup, type Answer } from "./consul-group.js";

const tokens: Readonly<Record<string, readonly Grant[]>> = {
  team: [{ prefix: "team/", allow: ["read", "lock"] }],
  reader: [{ prefix: "", allow: ["read"] }],
  other: [{ prefix: "other/", allow: ["read", "lock"] }],
  admin: [{ prefix: "", allow: ["read", "lock", "admin"] }],
};

let consul: ConsulGroup;

beforeAll(async () => {
  const entries = Object.entries(tokens).map(([name, permissions]) => ({ name, permissions, sha256: createHash("sha256").update(`${name}-token`).digest("hex") }));
  consul = await ConsulGroup.start({ access: new Access(entries) });
});
afterAll(() => consul.close());

const as = (name: string): { headers: Record<string, string> } => ({ headers: { "x-consul-token": `${name}-token` } });
const denied = { status: 403, text: "Permission denied" };

describe("a token", () => {
  it("is taken from the query, Consul's header, or as a bearer; without one, or with another, nothing is done", async () => {
    expect(await consul.call(1, "PUT", "/v1/kv/team/a?token=team-token", "v")).toMatchObject({ status: 200 });
    expect(await consul.call(1, "PUT", "/v1/kv/team/a", "v", as("team"))).toMatchObject({ status: 200 });
    expect(await consul.call(1, "PUT", "/v1/kv/team/a", "v", { headers: { authorization: "Bearer team-token" } })).toMatchObject({ status: 200 });
    expect(await consul.call(1, "PUT", "/v1/kv/team/a?token=wrong", "v", as("team"))).toMatchObject({ status: 403, text: "ACL not found" });
    for (const [method, path] of [["GET", "/v1/kv/team/a"], ["PUT", "/v1/session/create"], ["GET", "/v1/session/list"], ["PUT", "/v1/txn"], ["GET", "/v1/agent/self"], ["GET", "/v1/catalog/nodes"]] as const) {
      expect(await consul.call(1, method, path), path).toMatchObject(denied);
    }
  });

  it("allows by prefix what it names: reading, or writing and locking", async () => {
    await consul.ok(1, "PUT", "/v1/kv/team/b", "v", as("admin"));
    await consul.ok(1, "PUT", "/v1/kv/other/b", "v", as("admin"));
    expect((await consul.call(1, "GET", "/v1/kv/other/b", undefined, as("reader"))).status).toBe(200);
    expect(await consul.call(1, "GET", "/v1/kv/other/b", undefined, as("team"))).toMatchObject(denied);
    expect(await consul.call(1, "PUT", "/v1/kv/team/b", "v", as("reader"))).toMatchObject(denied);
    expect(await consul.call(1, "DELETE", "/v1/kv/team/b", undefined, as("other"))).toMatchObject(denied);
    expect(await consul.call(1, "DELETE", "/v1/kv/?recurse", undefined, as("team"))).toMatchObject(denied);
    expect(await consul.call(1, "DELETE", "/v1/kv/team?recurse", undefined, as("team"))).toMatchObject(denied);
    expect(await consul.call(1, "DELETE", "/v1/kv/team/?recurse", undefined, as("team"))).toMatchObject({ status: 200, text: "true" });
  });

  it("sees of a listing what it may read", async () => {
    await consul.ok(1, "PUT", "/v1/kv/team/c", "v", as("admin"));
    await consul.ok(1, "PUT", "/v1/kv/other/c", "v", as("admin"));
    expect(await consul.ok(2, "GET", "/v1/kv/?keys", undefined, as("team"))).not.toContain("other/");
    expect(await consul.ok(2, "GET", "/v1/kv/?recurse", undefined, as("other"))).not.toContain("team/");
    expect(await consul.call(2, "GET", "/v1/kv/other?recurse", undefined, as("team"))).toMatchObject({ status: 404 });
    expect(await consul.ok(2, "GET", "/v1/kv/?keys", undefined, as("admin"))).toContain("other/c");
  });

  it("has its own sessions, which others do not see, renew, end, or lock with; administrators do", async () => {
    const session = await consul.session(1, { TTL: "60s" }, as("team"));
    const ids = (text: string): readonly string[] => (JSON.parse(text) as { ID: string }[]).map(({ ID }) => ID);
    for (const [name, seen] of [["team", [session]], ["other", []], ["admin", [session]]] as const) {
      expect(ids(await consul.ok(2, "GET", `/v1/session/info/${session}`, undefined, as(name)))).toEqual(seen);
      expect(ids(await consul.ok(3, "GET", "/v1/session/list", undefined, as(name)))).toEqual(seen);
    }
    for (const path of [`/v1/session/renew/${session}`, `/v1/session/destroy/${session}`, `/v1/kv/other/l?acquire=${session}`, `/v1/kv/other/l?release=${session}`]) {
      expect(await consul.call(3, "PUT", path, undefined, as("other")), path).toMatchObject(denied);
    }
    expect(await consul.call(1, "PUT", "/v1/txn", [{ KV: { Verb: "lock", Key: "other/l", Session: session } }], as("other"))).toMatchObject(denied);
    expect(await consul.call(1, "PUT", "/v1/session/create", undefined, as("reader"))).toMatchObject(denied);
    expect(await consul.ok(1, "PUT", `/v1/kv/team/l?acquire=${session}`, "v", as("team"))).toBe("true");
    expect((await consul.call(2, "PUT", `/v1/session/renew/${session}`, undefined, as("admin"))).status).toBe(200);
    expect(await consul.ok(2, "PUT", `/v1/session/destroy/${session}`, undefined, as("team"))).toBe("true");
  });

  it("runs a transaction if it may run all of it", async () => {
    const what = ({ text }: Answer): readonly unknown[] => (JSON.parse(text) as { Errors: unknown[] }).Errors;
    const operations = [{ KV: { Verb: "set", Key: "team/t" } }, { KV: { Verb: "set", Key: "other/t" } }, { KV: { Verb: "get-tree", Key: "o" } }, { KV: { Verb: "check-not-exists", Key: "other/x" } }];
    const answer = await consul.call(1, "PUT", "/v1/txn", operations, as("team"));
    expect([answer.status, what(answer)]).toEqual([409, [1, 2, 3].map((OpIndex) => ({ OpIndex, What: "Permission denied" }))]);
    expect((await consul.call(1, "GET", "/v1/kv/team/t", undefined, as("team"))).status).toBe(404);
    expect((await consul.call(1, "PUT", "/v1/txn", operations, as("admin"))).status).toBe(200);
  });

  it("is not needed to ask who leads", async () => {
    for (const path of ["/v1/status/leader", "/v1/status/peers", "/v1/status/leader?token=wrong"]) expect(await consul.call(1, "GET", path)).toMatchObject({ status: 200 });
  });
});
