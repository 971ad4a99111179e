/** /v1/session and the locks on keys that sessions hold. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.js";
import { ConsulGroup } from "./consul-group.js";

let consul: ConsulGroup;

beforeAll(async () => { consul = await ConsulGroup.start(); });
afterAll(() => consul.close());

interface Session {
  readonly ID: string;
  readonly Name: string;
  readonly CreateIndex: number;
}

const info = async (session: string, replica = 3): Promise<readonly Session[]> => JSON.parse(await consul.ok(replica, "GET", `/v1/session/info/${session}`)) as readonly Session[];

async function keyOf(key: string): Promise<{ readonly Session?: string; readonly LockIndex: number; readonly Flags: number; readonly Value: string | null } | undefined> {
  const { status, text } = await consul.call(2, "GET", `/v1/kv/${key}`);
  return status === 404 ? undefined : (JSON.parse(text) as [{ readonly LockIndex: number; readonly Flags: number; readonly Value: string | null }])[0];
}

describe("a session", () => {
  it("is opened without a body, with Consul's defaults", async () => {
    const { status, headers, text } = await consul.call(1, "PUT", "/v1/session/create");
    expect([status, headers["content-type"]]).toEqual([200, "application/json"]);
    const { ID } = JSON.parse(text) as Session;
    expect(text).toBe(`{"ID":"${ID}"}`);
    expect(ID).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
    const [shown] = await info(ID);
    const index = shown?.CreateIndex as number;
    expect(shown).toEqual({
      ID, Name: "", Node: "lockstep-1", LockDelay: 15_000_000_000, Behavior: "release", TTL: "", NodeChecks: ["serfHealth"], ServiceChecks: null, Checks: ["serfHealth"], CreateIndex: index, ModifyIndex: index,
    });
    expect(index).toBeGreaterThan(0);
  });

  it("is opened with what is asked for, which is shown as it was given", async () => {
    const session = await consul.session(2, { Name: "billing", node: "raja-laptop", LockDelay: "20s", Behavior: "delete", ttl: "1.5m", Checks: ["a", "serfHealth"], ServiceChecks: [{ ID: "db", Namespace: "" }], Unknown: 1 });
    expect(await info(session)).toEqual([expect.objectContaining({
      Name: "billing", Node: "raja-laptop", LockDelay: 20_000_000_000, Behavior: "delete", TTL: "1.5m", NodeChecks: ["serfHealth", "a"], ServiceChecks: [{ ID: "db", Namespace: "" }],
    })]);
    expect(await info(await consul.session(1, { Checks: [] }))).toEqual([expect.objectContaining({ NodeChecks: [] })]);
    expect(await info(await consul.session(1, { NodeChecks: [], Name: null }))).toEqual([expect.objectContaining({ NodeChecks: [], Name: "" })]);
  });

  it.each([["15s", "15000000000"], ["0s", "0"], [15, "15000000000"], [999, "999000000000"], [1000, "1000"], [5_000_000_000, "5000000000"], ["2m", "120000000000"], ["2500h", "9000000000000000"], ["2502h10m0.000000001s", "9007800000000001"]])(
    "with a LockDelay of %j has %s ns", async (LockDelay, shown) => {
      expect(await consul.ok(1, "GET", `/v1/session/info/${await consul.session(1, { LockDelay })}`)).toContain(`"LockDelay":${shown},`);
    });

  it.each<[object | string, number, string]>([
    ["{", 400, "Request decode failed: "], ["[]", 400, "Request decode failed: json: cannot unmarshal array"], [{ TTL: 15 }, 400, "Request decode failed: json: cannot unmarshal number into Go struct field Session.TTL of type string"],
    [{ LockDelay: "soon" }, 400, 'Request decode failed: time: invalid duration "soon"'], [{ LockDelay: true }, 400, "Request decode failed: "], [{ Checks: "a" }, 400, "Request decode failed: "],
    [{ Checks: [1] }, 400, "Request decode failed: "], [{ ServiceChecks: ["a"] }, 400, "Request decode failed: "], [{ Name: "n".repeat(1025) }, 400, "Request decode failed: Name is longer than 1024 characters"],
    [{ Behavior: "keep" }, 500, "Invalid Behavior setting 'keep'"], [{ TTL: "soon" }, 500, "Session TTL 'soon' invalid: time: invalid duration \"soon\""], [{ Node: "" }, 500, "Must provide Node"],
    [{ TTL: "100ms" }, 500, "Invalid Session TTL '100000000', must be between [500ms=24h0m0s]"], [{ TTL: "25h" }, 500, "Invalid Session TTL '90000000000000', must be between [500ms=24h0m0s]"],
    [{ TTL: "-15s" }, 500, "Invalid Session TTL '-15000000000'"],
  ])("is not opened with %j", async (body, status, text) => {
    const answer = await consul.call(1, "PUT", "/v1/session/create", body);
    expect(answer.status).toBe(status);
    expect(answer.text).toContain(text);
  });

  it("has by default the bounds that Consul has for its TTL", async () => {
    const strict = await ConsulGroup.start({ limits: { consulLeastTtlMs: 10_000 } });
    try {
      expect(await strict.call(1, "PUT", "/v1/session/create", { TTL: "9s" })).toMatchObject({ status: 500, text: "Invalid Session TTL '9000000000', must be between [10s=24h0m0s]" });
      for (const TTL of ["10s", "86400s", "0s", ""]) expect((await strict.call(1, "PUT", "/v1/session/create", { TTL })).status, TTL).toBe(200);
    } finally {
      await strict.close();
    }
  });

  it("is listed, on its node as well, and not once it has been destroyed", async () => {
    const session = await consul.session(1, { Node: "list-node" });
    const native = (await (await fetch(`${consul.url(1)}/v1/sessions`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ ttlMs: 60_000, name: "native" }) })).json()) as { session: string };
    const ids = async (path: string): Promise<readonly string[]> => (JSON.parse(await consul.ok(2, "GET", path)) as Session[]).map(({ ID }) => ID);
    expect(await ids("/v1/session/list")).toEqual(expect.arrayContaining([session, native.session]));
    expect(await ids("/v1/session/node/list-node")).toEqual([session]);
    expect(await ids("/v1/session/node/nobody")).toEqual([]);
    expect(await info(native.session)).toEqual([expect.objectContaining({ Name: "native", Node: "lockstep", TTL: "1m0s", LockDelay: 0, NodeChecks: [] })]);
    expect(await consul.ok(3, "PUT", `/v1/session/destroy/${session}`)).toBe("true");
    expect(await ids("/v1/session/node/list-node")).toEqual([]);
    expect(await info(session)).toEqual([]);
    expect(await consul.ok(3, "PUT", `/v1/session/destroy/${session}`)).toBe("true");
    expect(await consul.ok(3, "PUT", "/v1/session/destroy/nonsense")).toBe("true");
  });

  it("is renewed while it lives; one that has expired, or never was, is not found", async () => {
    const [session, other] = [await consul.session(1, { TTL: "3s" }), await consul.session(1, { TTL: "3s" })];
    await eventually("the other one expires", async () => {
      expect(JSON.parse(await consul.ok(2, "PUT", `/v1/session/renew/${session}`))).toEqual([expect.objectContaining({ ID: session, TTL: "3s" })]);
      return (await info(other)).length === 0;
    });
    for (const id of [other, "nonsense"]) expect(await consul.call(1, "PUT", `/v1/session/renew/${id}`)).toMatchObject({ status: 404, text: `Session id '${id}' not found` });
    await consul.ok(1, "PUT", `/v1/session/destroy/${session}`);
  });

  it("needs its id in the path, and the method that there is", async () => {
    for (const [method, path] of [["PUT", "destroy"], ["PUT", "renew"], ["GET", "info"]] as const) expect(await consul.call(1, method, `/v1/session/${path}/`)).toMatchObject({ status: 400, text: "Missing session" });
    expect(await consul.call(1, "GET", "/v1/session/node/")).toMatchObject({ status: 400, text: "Missing node name" });
    expect(await consul.call(1, "POST", "/v1/session/create")).toMatchObject({ status: 405, text: "method POST not allowed", headers: { allow: "PUT" } });
    expect(await consul.call(1, "GET", "/v1/session/renew/x")).toMatchObject({ status: 405, headers: { allow: "PUT" } });
  });
});

describe("a lock on a key", () => {
  it("is had by one session, is counted when it is had anew, and leaves the key to its holder to change", async () => {
    const [one, two] = [await consul.session(1), await consul.session(2)];
    expect(await consul.ok(1, "PUT", `/v1/kv/lock?acquire=${one}&flags=3304740253564472344`, "one")).toBe("true");
    expect(await keyOf("lock")).toMatchObject({ Session: one, LockIndex: 1 });
    expect(await consul.ok(2, "PUT", `/v1/kv/lock?acquire=${two}`, "two")).toBe("false");
    expect(await consul.ok(3, "PUT", `/v1/kv/lock?acquire=${one}`, "still one")).toBe("true");
    expect(await keyOf("lock")).toMatchObject({ Session: one, LockIndex: 1, Flags: 0, Value: Buffer.from("still one").toString("base64") });
    expect(await consul.ok(2, "PUT", `/v1/kv/lock?release=${two}`, "two")).toBe("false");
    expect(await consul.ok(2, "PUT", `/v1/kv/lock?release=${one}`, "done")).toBe("true");
    expect(await keyOf("lock")).toEqual(expect.not.objectContaining({ Session: expect.anything() as unknown }));
    expect(await consul.ok(2, "PUT", `/v1/kv/lock?release=${one}`, "done")).toBe("false");
    expect(await consul.ok(2, "PUT", `/v1/kv/lock?acquire=${two}`, "two")).toBe("true");
    expect(await keyOf("lock")).toMatchObject({ Session: two, LockIndex: 2 });
  });

  it("is advice: who does not ask for it may change and delete the key; the lock and its count stay with the change", async () => {
    const session = await consul.session(1);
    await consul.ok(1, "PUT", `/v1/kv/advice?acquire=${session}`, "locked");
    expect(await consul.ok(2, "PUT", "/v1/kv/advice", "changed")).toBe("true");
    expect(await keyOf("advice")).toMatchObject({ Session: session, LockIndex: 1, Value: Buffer.from("changed").toString("base64") });
    expect(await consul.ok(2, "DELETE", "/v1/kv/advice")).toBe("true");
    const next = await consul.session(2);
    expect(await consul.ok(1, "PUT", `/v1/kv/advice?acquire=${next}`, "mine")).toBe("true");
  });

  it("needs a session that lives", async () => {
    const gone = await consul.session(1);
    await consul.ok(1, "PUT", `/v1/session/destroy/${gone}`);
    for (const session of ["nonsense", gone]) expect(await consul.call(1, "PUT", `/v1/kv/x?acquire=${session}`, "v")).toMatchObject({ status: 500, text: `invalid session "${session}"` });
    for (const how of ["acquire", "release"]) expect(await consul.call(1, "PUT", `/v1/kv/x?${how}=`, "v")).toMatchObject({ status: 500, text: "missing session" });
    expect((await consul.call(1, "GET", "/v1/kv/x")).status).toBe(404);
  });

  it("is given up with its session, and then nobody has it before the lock delay is over", async () => {
    for (const how of ["destroyed", "expired"] as const) {
      const key = `delay-${how}`;
      const next = await consul.session(2);
      const opened = performance.now();
      const first = await consul.session(1, { LockDelay: "3s", TTL: how === "destroyed" ? "60s" : "2s" });
      await consul.ok(1, "PUT", `/v1/kv/${key}?acquire=${first}`, "v");
      const begun = performance.now();
      if (how === "destroyed") await consul.ok(2, "PUT", `/v1/session/destroy/${first}`);
      await eventually("the key is unlocked", async () => (await keyOf(key))?.Session === undefined);
      expect(await consul.ok(3, "PUT", `/v1/kv/${key}?acquire=${next}`, "v")).toBe("false");
      await eventually("the delay is over", async () => (await consul.ok(3, "PUT", `/v1/kv/${key}?acquire=${next}`, "v")) === "true");
      // Ten milliseconds: replicas' estimates of cluster time differ by less.
      if (how === "destroyed") expect(performance.now() - begun, how).toBeGreaterThan(2990);
      else expect(performance.now() - opened, how).toBeGreaterThan(2000 + 2990);
      expect(await keyOf(key)).toMatchObject({ LockIndex: 2, Session: next });
    }
  });

  it("of a session without lock delay is free at once; of one with behaviour delete, the key goes with it", async () => {
    const [first, second] = [await consul.session(1, { LockDelay: "0s", Behavior: "delete" }), await consul.session(2)];
    await consul.ok(1, "PUT", `/v1/kv/deleted?acquire=${first}`, "v");
    await consul.ok(2, "PUT", `/v1/session/destroy/${first}`);
    expect((await consul.call(3, "GET", "/v1/kv/deleted")).status).toBe(404);
    expect(await consul.ok(3, "PUT", `/v1/kv/deleted?acquire=${second}`, "v")).toBe("true");
  });

  it("that is released or deleted has no delay", async () => {
    const [first, second] = [await consul.session(1), await consul.session(2)];
    await consul.ok(1, "PUT", `/v1/kv/prompt?acquire=${first}`, "v");
    await consul.ok(1, "PUT", `/v1/kv/prompt?release=${first}`, "v");
    expect(await consul.ok(3, "PUT", `/v1/kv/prompt?acquire=${second}`, "v")).toBe("true");
    await consul.ok(3, "DELETE", "/v1/kv/prompt");
    expect(await consul.ok(1, "PUT", `/v1/kv/prompt?acquire=${first}`, "v")).toBe("true");
  });
});
