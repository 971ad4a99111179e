/** /v1/kv, to the byte: what Consul's documentation says of status codes, headers and bodies. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConsulGroup } from "./consul-group.js";

let consul: ConsulGroup;

beforeAll(async () => { consul = await ConsulGroup.start(); });
afterAll(() => consul.close());

const indexOf = (headers: Readonly<Record<string, string>>): number => Number(headers["x-consul-index"]);

describe("a key", () => {
  it("that is not there is 404 without a body, and has an index to wait with all the same", async () => {
    const { status, headers, text } = await consul.call(1, "GET", "/v1/kv/absent");
    expect({ status, text }).toEqual({ status: 404, text: "" });
    expect(headers).toMatchObject({ "x-consul-index": "1", "x-consul-knownleader": "true", "x-consul-lastcontact": "0", "content-length": "0" });
  });

  it("is written, and read with its value in base64 and its indexes", async () => {
    const put = await consul.call(1, "PUT", "/v1/kv/some/key?flags=42", "test");
    expect([put.status, put.headers["content-type"], put.text]).toEqual([200, "application/json", "true"]);
    const { status, headers, text } = await consul.call(2, "GET", "/v1/kv/some/key");
    const index = headers["x-consul-index"];
    expect(status).toBe(200);
    expect(headers).toMatchObject({ "content-type": "application/json", "x-consul-knownleader": "true", "x-consul-lastcontact": "0" });
    expect(text).toBe(`[{"LockIndex":0,"Key":"some/key","Flags":42,"Value":"dGVzdA==","CreateIndex":${index},"ModifyIndex":${index}}]`);
  });

  it("changes its ModifyIndex when it is written, and not when it is written with what it has", async () => {
    await consul.ok(1, "PUT", "/v1/kv/twice", "one");
    const [first] = JSON.parse(await consul.ok(1, "GET", "/v1/kv/twice")) as { CreateIndex: number; ModifyIndex: number }[];
    await consul.ok(2, "PUT", "/v1/kv/twice", "one");
    expect(JSON.parse(await consul.ok(3, "GET", "/v1/kv/twice"))).toEqual([first]);
    await consul.ok(2, "PUT", "/v1/kv/twice", "two");
    const [second] = JSON.parse(await consul.ok(3, "GET", "/v1/kv/twice")) as { CreateIndex: number; ModifyIndex: number }[];
    expect(second?.CreateIndex).toBe(first?.CreateIndex);
    expect(second?.ModifyIndex).toBeGreaterThan(first?.ModifyIndex as number);
  });

  it("without a value is null", async () => {
    await consul.ok(1, "PUT", "/v1/kv/empty");
    expect(await consul.ok(1, "GET", "/v1/kv/empty")).toContain('"Value":null');
    expect(await consul.ok(1, "GET", "/v1/kv/empty?raw")).toBe("");
  });

  it("has flags of all 64 bits, which are not rounded on any way", async () => {
    for (const flags of ["0", "9007199254740993", "3304740253564472344", "18446744073709551615"]) {
      await consul.ok(1, "PUT", `/v1/kv/flags?flags=${flags}`, "v");
      expect(await consul.ok(2, "GET", "/v1/kv/flags")).toContain(`"Flags":${flags},`);
      expect(await consul.ok(3, "GET", "/v1/kv/flags?recurse&pretty")).toContain(`"Flags": ${flags},`);
    }
    for (const [flags, error] of [["18446744073709551616", "value out of range"], ["-1", "invalid syntax"], ["x", "invalid syntax"], ["", "invalid syntax"]]) {
      expect(await consul.call(1, "PUT", `/v1/kv/flags?flags=${flags}`, "v")).toMatchObject({ status: 500, text: `strconv.ParseUint: parsing "${flags}": ${error}` });
    }
  });

  it("is any bytes, which ?raw gives back without a browser taking them for a page", async () => {
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, i) => i % 256));
    await consul.ok(1, "PUT", "/v1/kv/bytes", bytes, { headers: { "content-type": "application/x-www-form-urlencoded" } });
    const { headers, text } = await consul.call(2, "GET", "/v1/kv/bytes?raw");
    expect(Buffer.from(text, "latin1")).toEqual(bytes);
    expect(headers).toMatchObject({ "content-type": "text/plain", "x-content-type-options": "nosniff", "content-security-policy": "sandbox", "content-length": "512" });
    expect(indexOf(headers)).toBeGreaterThan(0);
  });

  it.each(["a b", "ä/ö/😀", "100%", "a+b", "x?y#z", "a//b", "q\"u\\o", "x/"])("may be called %j, its slashes encoded or not", async (key) => {
    await consul.ok(1, "PUT", `/v1/kv/${encodeURIComponent(key)}`, "v");
    const [found] = JSON.parse(Buffer.from(await consul.ok(2, "GET", `/v1/kv/${encodeURIComponent(key).replaceAll("%2F", "/")}`), "latin1").toString()) as { Key: string }[];
    expect(found?.Key).toBe(key);
    expect(await consul.ok(3, "DELETE", `/v1/kv/${encodeURIComponent(key)}`)).toBe("true");
    expect((await consul.call(1, "GET", `/v1/kv/${encodeURIComponent(key)}`)).status).toBe(404);
  });

  it("larger than 512 KiB is refused with its size, whether that is announced or not", async () => {
    const most = 512 * 1024;
    const value = Buffer.alloc(most, "x");
    expect(await consul.ok(1, "PUT", "/v1/kv/large", value)).toBe("true");
    expect((await consul.ok(2, "GET", "/v1/kv/large?raw")).length).toBe(most);
    expect(await consul.call(1, "PUT", "/v1/kv/large", Buffer.alloc(most + 1))).toMatchObject({ status: 413, text: `Request body(${most + 1} bytes) too large, max size: ${most} bytes.` });
    const stream = new ReadableStream({ start: (controller) => { controller.enqueue(Buffer.alloc(most + 1)); controller.close(); } });
    const chunked = await fetch(`${consul.url(1)}/v1/kv/large`, { method: "PUT", body: stream, duplex: "half" });
    expect([chunked.status, await chunked.text()]).toEqual([413, `Request body too large, max size: ${most} bytes`]);
    await consul.ok(1, "DELETE", "/v1/kv/large");
  });

  it("needs a name, and methods that there are", async () => {
    for (const [method, query] of [["GET", ""], ["PUT", ""], ["DELETE", ""], ["GET", "?raw"]] as const) {
      expect(await consul.call(1, method, `/v1/kv/${query}`), method).toMatchObject({ status: 400, text: "Missing key name" });
    }
    expect(await consul.call(1, "POST", "/v1/kv/x", "v")).toMatchObject({ status: 405, text: "method POST not allowed", headers: { allow: "GET,PUT,DELETE" } });
    expect(await consul.call(1, "OPTIONS", "/v1/kv/x")).toMatchObject({ status: 200, text: "", headers: { allow: "OPTIONS,GET,PUT,DELETE" } });
    expect(await consul.call(1, "PUT", "/v1/kv/%ff", "v")).toMatchObject({ status: 400 });
    expect(await consul.call(1, "PUT", `/v1/kv/${"k".repeat(1025)}`, "v")).toMatchObject({ status: 500, text: "Key is too large (1025 > 1024 bytes)" });
  });
});

describe("check-and-set", () => {
  it("with index 0 creates only; with another one writes only what has not changed since", async () => {
    const put = (query: string, value: string): Promise<string> => consul.ok(1, "PUT", `/v1/kv/cas${query}`, value);
    expect(await put("?cas=7", "early")).toBe("false");
    expect(await put("?cas=0", "one")).toBe("true");
    expect(await put("?cas=0", "two")).toBe("false");
    const [{ ModifyIndex }] = JSON.parse(await consul.ok(2, "GET", "/v1/kv/cas")) as [{ ModifyIndex: number }];
    expect(await put(`?cas=${ModifyIndex - 1}`, "two")).toBe("false");
    expect(await put(`?cas=${ModifyIndex}`, "two")).toBe("true");
    expect(await put(`?cas=${ModifyIndex}`, "three")).toBe("false");
    expect(await consul.ok(3, "GET", "/v1/kv/cas?raw")).toBe("two");
    expect(await put("?cas=18446744073709551615", "three")).toBe("false");
  });

  it("of many at once, one wins, whichever replicas they ask", async () => {
    await consul.ok(1, "PUT", "/v1/kv/race", "0");
    for (let round = 0; round < 10; round++) {
      const [{ ModifyIndex }] = JSON.parse(await consul.ok(1, "GET", "/v1/kv/race")) as [{ ModifyIndex: number }];
      const results = await Promise.all(Array.from({ length: 9 }, (_, i) => consul.ok((i % 3) + 1, "PUT", `/v1/kv/race?cas=${ModifyIndex}`, `${round}.${i}`)));
      expect(results.filter((result) => result === "true")).toHaveLength(1);
    }
  });

  it("deletes in the same way, and index 0 deletes nothing", async () => {
    await consul.ok(1, "PUT", "/v1/kv/cas-delete", "x");
    const [{ ModifyIndex }] = JSON.parse(await consul.ok(1, "GET", "/v1/kv/cas-delete")) as [{ ModifyIndex: number }];
    expect(await consul.ok(1, "DELETE", "/v1/kv/cas-delete?cas=0")).toBe("false");
    expect(await consul.ok(1, "DELETE", `/v1/kv/cas-delete?cas=${ModifyIndex + 1}`)).toBe("false");
    expect(await consul.ok(1, "DELETE", `/v1/kv/cas-delete?cas=${ModifyIndex}`)).toBe("true");
    expect((await consul.call(1, "GET", "/v1/kv/cas-delete")).status).toBe(404);
    expect(await consul.ok(1, "DELETE", "/v1/kv/cas-delete")).toBe("true");
  });

  it("does not go with locking, and ?recurse not with ?cas", async () => {
    expect(await consul.call(1, "PUT", "/v1/kv/x?cas=0&acquire=b", "v")).toMatchObject({ status: 400, text: "Conflicting flags: acquire=b&cas=0\n" });
    expect(await consul.call(1, "PUT", "/v1/kv/x?release=a&acquire=b", "v")).toMatchObject({ status: 400 });
    expect(await consul.call(1, "DELETE", "/v1/kv/x?recurse&cas=1")).toMatchObject({ status: 400, text: "Conflicting flags: cas=1&recurse=\n" });
  });
});

describe("keys under a prefix", () => {
  it("are listed with ?recurse and ?keys, up to a separator if there is one", async () => {
    for (const key of ["web/bar", "web/foo", "web/subdir/one", "web/subdir/two", "webby"]) await consul.ok(1, "PUT", `/v1/kv/${key}`, key);
    const all = JSON.parse(await consul.ok(2, "GET", "/v1/kv/web?recurse")) as { Key: string; Value: string }[];
    expect(all.map(({ Key, Value }) => [Key, Buffer.from(Value, "base64").toString()])).toEqual(["web/bar", "web/foo", "web/subdir/one", "web/subdir/two", "webby"].map((key) => [key, key]));
    expect(await consul.ok(2, "GET", "/v1/kv/web/?keys")).toBe('["web/bar","web/foo","web/subdir/one","web/subdir/two"]');
    for (const parameter of ["separator", "seperator"]) expect(await consul.ok(2, "GET", `/v1/kv/web/?keys&${parameter}=/`)).toBe('["web/bar","web/foo","web/subdir/"]');
    expect(await consul.ok(2, "GET", "/v1/kv/web?keys=true&separator=/")).toBe('["web/","webby"]');
    expect(await consul.ok(2, "GET", "/v1/kv/web/foo?recurse&raw")).toContain('"Key":"web/foo"');
  });

  it("that are none are 404; of all keys, an empty list", async () => {
    const fresh = await ConsulGroup.start();
    try {
      for (const path of ["/v1/kv/none?recurse", "/v1/kv/none?keys", "/v1/kv/?recurse"]) {
        const { status, text, headers } = await fresh.call(1, "GET", path);
        expect({ path, status, text, index: headers["x-consul-index"] }).toEqual({ path, status: 404, text: "", index: "1" });
      }
      expect(await fresh.ok(1, "GET", "/v1/kv/?keys")).toBe("[]");
    } finally {
      await fresh.close();
    }
  });

  it("are deleted with ?recurse, and their index goes on all the same", async () => {
    for (const key of ["tree/a", "tree/b/c", "treehouse"]) await consul.ok(1, "PUT", `/v1/kv/${key}`, "v");
    const before = indexOf((await consul.call(1, "GET", "/v1/kv/tree/?recurse")).headers);
    expect(await consul.ok(2, "DELETE", "/v1/kv/tree/?recurse")).toBe("true");
    const after = await consul.call(3, "GET", "/v1/kv/tree/?recurse");
    expect(after.status).toBe(404);
    expect(indexOf(after.headers)).toBeGreaterThan(before);
    expect(await consul.ok(1, "GET", "/v1/kv/treehouse?raw")).toBe("v");
  });
});

describe("any call", () => {
  it("may be made pretty", async () => {
    await consul.ok(1, "PUT", "/v1/kv/pretty", "v");
    expect(await consul.ok(1, "PUT", "/v1/kv/pretty?pretty", "v")).toBe("true\n");
    expect(await consul.ok(1, "GET", "/v1/kv/pretty?pretty")).toMatch(/^\[\n {4}\{\n {8}"LockIndex": 0,\n {8}"Key": "pretty",\n[^]*\n {4}\}\n\]\n$/);
  });

  it("is for this data center, or for none", async () => {
    expect(await consul.ok(1, "PUT", "/v1/kv/dc?dc=dc1", "v")).toBe("true");
    for (const [method, path] of [["GET", "/v1/kv/dc"], ["PUT", "/v1/kv/dc"], ["GET", "/v1/session/list"], ["PUT", "/v1/txn"]] as const) {
      expect(await consul.call(1, method, `${path}?dc=elsewhere`)).toMatchObject({ status: 500, text: "No path to datacenter" });
    }
  });

  it("reads consistently or stale, not both", async () => {
    await consul.ok(1, "PUT", "/v1/kv/modes", "v");
    for (const mode of ["", "&stale", "&consistent", "&stale=true"]) expect((await consul.call(1, "GET", `/v1/kv/modes?raw${mode}`)).text).toBe("v");
    expect(await consul.call(1, "GET", "/v1/kv/modes?stale&consistent")).toMatchObject({ status: 400, text: "Cannot specify ?stale with ?consistent, conflicting semantics." });
  });
});
