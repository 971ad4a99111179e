/** Replicas without a majority: what is certainly not done is 500 "No cluster leader", as of Consul's servers; reading the past goes on. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.js";
import { ConsulGroup } from "./consul-group.js";

let consul: ConsulGroup;

beforeEach(async () => { consul = await ConsulGroup.start(); });
afterEach(() => consul.close());

const cutOff = { status: 500, text: "No cluster leader" };

async function cut(): Promise<void> {
  consul.group.network.cut([[1], [2, 3]]);
  await eventually("replica 1 is in the minority, and the others go on", () => consul.role(1) === "minority" && consul.role(2) === "active");
}

describe("a replica without a majority", () => {
  it("refuses commands and reads, and reads the past where that is allowed", async () => {
    const session = await consul.session(1);
    await consul.ok(1, "PUT", `/v1/kv/k?acquire=${session}`, "before");
    await cut();
    for (const [method, path] of [
      ["PUT", "/v1/kv/k"], ["GET", "/v1/kv/k"], ["GET", "/v1/kv/k?consistent"], ["DELETE", "/v1/kv/k"], ["PUT", "/v1/session/create"], ["PUT", `/v1/session/renew/${session}`], ["GET", "/v1/session/list"],
    ] as const) expect(await consul.call(1, method, path), path).toMatchObject(cutOff);
    expect(await consul.call(1, "PUT", "/v1/txn", [{ KV: { Verb: "get", Key: "k" } }])).toMatchObject(cutOff);
    await consul.ok(2, "PUT", "/v1/kv/k", "after");
    const { text, headers } = await consul.call(1, "GET", "/v1/kv/k?stale&raw");
    expect([text, headers["x-consul-knownleader"]]).toEqual(["before", "false"]);
    await eventually("the contact grows old", async () => Number((await consul.call(1, "GET", "/v1/kv/k?stale")).headers["x-consul-lastcontact"]) > 0);
    expect((await consul.call(1, "PUT", "/v1/txn?stale", [{ KV: { Verb: "get", Key: "k" } }])).text).toContain('"KnownLeader":false');
    expect([await consul.ok(1, "GET", "/v1/status/leader"), await consul.ok(1, "GET", "/v1/status/peers")]).toEqual(['""', "[]"]);
    expect(JSON.parse(await consul.ok(2, "GET", "/v1/status/leader"))).toBe(`127.0.0.1:${consul.port(2)}`);
    consul.group.network.heal();
    await eventually("it is back", async () => (await consul.call(1, "GET", "/v1/kv/k?raw")).text === "after");
    expect((await consul.call(1, "GET", "/v1/kv/k")).headers).toMatchObject({ "x-consul-knownleader": "true", "x-consul-lastcontact": "0" });
  });

  it("ends its blocking queries, so that their clients ask another one, where the index goes on", async () => {
    await consul.ok(1, "PUT", "/v1/kv/k", "one");
    const index = (await consul.call(1, "GET", "/v1/kv/k")).headers["x-consul-index"];
    const hanging = consul.call(1, "GET", `/v1/kv/k?index=${index}&wait=60s`);
    await cut();
    expect(await hanging).toMatchObject(cutOff);
    const elsewhere = consul.call(2, "GET", `/v1/kv/k?index=${index}&wait=60s`);
    await consul.ok(3, "PUT", "/v1/kv/k", "two");
    expect(await elsewhere).toMatchObject({ status: 200 });
  });

  it("that is gone leaves its sessions to the others: they expire there, and what they had locked can be had", async () => {
    const session = await consul.session(1, { TTL: "3s", LockDelay: "0s" });
    await consul.ok(1, "PUT", `/v1/kv/k?acquire=${session}`, "v");
    consul.group.network.crash(1);
    const next = await consul.session(2);
    await eventually("the lock is had through another replica", async () => (await consul.ok(3, "PUT", `/v1/kv/k?acquire=${next}`, "v")) === "true");
    expect(await consul.call(2, "PUT", `/v1/session/renew/${session}`)).toMatchObject({ status: 404 });
  });
});
