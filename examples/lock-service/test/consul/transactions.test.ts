/** /v1/txn, to the byte. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConsulGroup, type Answer } from "./consul-group.js";

let consul: ConsulGroup;

beforeAll(async () => { consul = await ConsulGroup.start(); });
afterAll(() => consul.close());

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const run = (replica: number, operations: readonly object[], query = ""): Promise<Answer> => consul.call(replica, "PUT", `/v1/txn${query}`, operations.map((KV) => ({ KV })));

interface Result {
  readonly Results: readonly { readonly KV: { readonly Key: string; readonly Value: string | null; readonly ModifyIndex: number; readonly LockIndex: number; readonly Session?: string } }[] | null;
  readonly Errors: readonly { readonly OpIndex: number; readonly What: string }[] | null;
}

const parsed = ({ text }: Answer): Result => JSON.parse(text) as Result;

describe("a transaction", () => {
  it("locks and reads what it has locked, with values for reads alone", async () => {
    const session = await consul.session(1);
    const { status, headers, text } = await run(1, [
      { Verb: "lock", Key: "txn/key", Value: "aGVsbG8gd29ybGQ=", Flags: 23, Session: session },
      { Verb: "get", Key: "txn/key" },
    ]);
    const index = (JSON.parse(text) as { Results: [{ KV: { ModifyIndex: number } }] }).Results[0].KV.ModifyIndex;
    const shown = (value: string): string => `{"KV":{"LockIndex":1,"Key":"txn/key","Flags":23,"Value":${value},"Session":"${session}","CreateIndex":${index},"ModifyIndex":${index}}}`;
    expect([status, text]).toEqual([200, `{"Results":[${shown("null")},${shown('"aGVsbG8gd29ybGQ="')}],"Errors":null}`]);
    expect(headers["content-type"]).toBe("application/json");
    expect(headers["x-consul-knownleader"]).toBeUndefined();
  });

  it("that only reads is answered like a read, from the past if that is allowed", async () => {
    await consul.ok(1, "PUT", "/v1/kv/reads/a", "1");
    await consul.ok(1, "PUT", "/v1/kv/reads/b", "2");
    for (const query of ["", "?consistent"]) {
      const { status, headers, text } = await run(2, [{ Verb: "get", Key: "reads/a" }, { Verb: "get-tree", Key: "reads/" }, { Verb: "check-not-exists", Key: "reads/c" }, { Verb: "get-or-empty", Key: "reads/d" }], query);
      expect(status).toBe(200);
      expect(headers).toMatchObject({ "x-consul-knownleader": "true", "x-consul-lastcontact": "0" });
      expect(text).toContain('"Errors":null,"Index":0,"LastContact":0,"KnownLeader":true}');
      expect((JSON.parse(text) as Result).Results?.map(({ KV }) => [KV.Key, KV.Value])).toEqual([["reads/a", base64("1")], ["reads/a", base64("1")], ["reads/b", base64("2")], ["reads/d", null]]);
    }
    expect((await run(2, [{ Verb: "get", Key: "reads/a" }], "?stale")).status).toBe(200);
    expect(await run(2, [{ Verb: "get", Key: "reads/a" }], "?stale&consistent")).toMatchObject({ status: 400 });
  });

  it("changes everything or nothing, and names all that failed", async () => {
    await consul.ok(1, "PUT", "/v1/kv/all/a", "old");
    const before = await consul.ok(1, "GET", "/v1/kv/all/?recurse");
    const failed = await run(1, [
      { Verb: "set", Key: "all/a", Value: base64("new") }, { Verb: "cas", Key: "all/b", Value: base64("new"), Index: 7 }, { Verb: "delete-tree", Key: "all/" }, { Verb: "get", Key: "all/a" },
      { Verb: "lock", Key: "all/c", Session: "nobody" }, { Verb: "frobnicate", Key: "all/d" },
    ]);
    expect(failed.status).toBe(409);
    expect(parsed(failed)).toEqual({
      Results: null, Errors: [
        { OpIndex: 1, What: 'failed to set key "all/b", index is stale' }, { OpIndex: 3, What: 'key "all/a" doesn\'t exist' },
        { OpIndex: 4, What: 'invalid session "nobody"' }, { OpIndex: 5, What: 'unknown KV verb "frobnicate"' },
      ],
    });
    expect(await consul.ok(2, "GET", "/v1/kv/all/?recurse")).toBe(before);
  });

  it("has every verb", async () => {
    const [one, two] = [await consul.session(1), await consul.session(2)];
    const ok = async (...operations: readonly object[]): Promise<NonNullable<Result["Results"]>> => {
      const answer = await run(3, operations);
      expect(answer.text).toContain('"Errors":null');
      return parsed(answer).Results ?? [];
    };
    const fails = async (operation: object): Promise<string | undefined> => {
      const answer = await run(2, [operation]);
      expect(answer.status).toBe(409);
      return parsed(answer).Errors?.[0]?.What;
    };
    const [set] = await ok({ Verb: "set", Key: "v", Value: base64("1"), Flags: 1 });
    const index = set?.KV.ModifyIndex as number;
    expect(set?.KV).toMatchObject({ Key: "v", Value: null, LockIndex: 0 });
    expect(await ok({ Verb: "check-index", Key: "v", Index: index })).toHaveLength(1);
    expect(await fails({ Verb: "check-index", Key: "v", Index: index + 1 })).toBe(`failed index check for key "v", current modify index ${index} != ${index + 1}`);
    expect(await fails({ Verb: "check-index", Key: "none", Index: 1 })).toBe('failed to check index, key "none" doesn\'t exist');
    expect(await fails({ Verb: "check-not-exists", Key: "v" })).toBe('key "v" exists');
    expect(await ok({ Verb: "check-not-exists", Key: "none" })).toEqual([]);
    expect(await ok({ Verb: "cas", Key: "v", Value: base64("2"), Index: index }, { Verb: "lock", Key: "v", Value: base64("2"), Session: one }, { Verb: "check-session", Key: "v", Session: one })).toHaveLength(3);
    expect(await fails({ Verb: "lock", Key: "v", Session: two })).toBe('failed to lock key "v", lock is already held');
    expect(await fails({ Verb: "unlock", Key: "v", Session: two })).toBe('failed to unlock key "v", lock isn\'t held, or is held by another session');
    expect(await fails({ Verb: "check-session", Key: "v", Session: two })).toBe(`failed session check for key "v", current session "${one}" != "${two}"`);
    expect(await fails({ Verb: "check-session", Key: "none", Session: two })).toBe('failed to check session, key "none" doesn\'t exist');
    const [unlocked] = await ok({ Verb: "unlock", Key: "v", Session: one });
    expect(unlocked?.KV).toMatchObject({ LockIndex: 1 });
    expect(unlocked?.KV.Session).toBeUndefined();
    expect(await fails({ Verb: "delete-cas", Key: "v", Index: 1 })).toBe('failed to delete key "v", index is stale');
    expect(await ok({ Verb: "delete-cas", Key: "v", Index: unlocked?.KV.ModifyIndex }, { Verb: "delete", Key: "w" }, { Verb: "check-not-exists", Key: "v" })).toEqual([]);
    await consul.ok(1, "PUT", `/v1/kv/delayed?acquire=${one}`, "x");
    await consul.ok(1, "PUT", `/v1/session/destroy/${one}`);
    expect(await fails({ Verb: "lock", Key: "delayed", Session: two })).toBe('failed to lock key "delayed" due to lock delay');
    expect(await fails({ Verb: "set", Key: "" })).toBe("Must provide key");
  });

  it("has flags and indexes of all 64 bits", async () => {
    const body = '[{"KV":{"Verb":"set","Key":"exact","Value":"MQ==","Flags":18446744073709551615}},{"KV":{"Verb":"set","Key":"exact2","Flags":9007199254740993}},{"KV":{"Verb":"get","Key":"exact"}}]';
    const text = await consul.ok(1, "PUT", "/v1/txn", body);
    expect(text.match(/"Flags":\d+/g)).toEqual(['"Flags":18446744073709551615', '"Flags":9007199254740993', '"Flags":18446744073709551615']);
    expect((await consul.call(1, "PUT", "/v1/txn", '[{"KV":{"Verb":"check-index","Key":"exact","Index":9007199254740993}}]')).text).toContain("!= 9007199254740993");
  });

  it.each([
    ["{", "Failed to parse body: "], ["{}", "Failed to parse body: json: cannot unmarshal object into Go value of type api.TxnOps"], ["[1]", "Failed to parse body: json: cannot unmarshal number 1"],
    ['[{"KV":[]}]', "Failed to parse body: "], ['[{"KV":{"Key":1}}]', "Failed to parse body: json: cannot unmarshal number 1 into Go struct field KVTxnOp.KV.Key of type string"],
    ['[{"KV":{"Verb":"set","Key":"k","Flags":-1}}]', "Failed to parse body: json: cannot unmarshal number -1 into Go struct field KVTxnOp.KV.Flags of type uint64"],
    ['[{"KV":{"Verb":"set","Key":"k","Flags":"1"}}]', "of type uint64"], ['[{"KV":{"Verb":"set","Key":"k","Flags":18446744073709551616}}]', "of type uint64"], ['[{"KV":{"Verb":"set","Key":"k","Index":1.5}}]', "of type uint64"],
    ['[{"KV":{"Verb":"set","Key":"k","Value":"a"}}]', 'Failed to parse body: illegal base64 data in the value of key "k"'], ['[{"Node":{"Verb":"get"}}]', "Failed to parse body: this service has no Node operations, only KV"],
  ])("is not %s", async (body, text) => {
    const answer = await consul.call(1, "PUT", "/v1/txn", body);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(text);
  });

  it("has limits", async () => {
    const many = Array.from({ length: 129 }, (_, i) => ({ Verb: "set", Key: `m${i}` }));
    expect(await run(1, many)).toMatchObject({ status: 413, text: "Transaction contains too many operations (129 > 128)" });
    expect((await run(1, many.slice(1))).status).toBe(200);
    const half = "x".repeat(256 * 1024);
    expect(await run(1, [{ Verb: "set", Key: "a", Value: base64(half) }])).toMatchObject({ status: 200 });
    expect(await run(1, [{ Verb: "set", Key: "a", Value: base64(half) }, { Verb: "set", Key: "b", Value: base64(half) }])).toMatchObject({ status: 413, text: "Request body too large, max size: 524288 bytes" });
    expect(await consul.ok(1, "PUT", "/v1/txn", "[]")).toContain('{"Results":[],"Errors":null');
    expect(await consul.call(1, "GET", "/v1/txn")).toMatchObject({ status: 405, headers: { allow: "PUT" } });
  });
});
