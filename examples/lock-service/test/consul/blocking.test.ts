/** Blocking queries: they end when there is something new, and not for anything else. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConsulGroup, type Answer } from "./consul-group.js";

let consul: ConsulGroup;

beforeAll(async () => { consul = await ConsulGroup.start(); });
afterAll(() => consul.close());

const indexOf = ({ headers }: Answer): number => Number(headers["x-consul-index"]);

/** A call that hangs; `ended` says whether it does still. */
function hang(replica: number, path: string): { readonly answer: Promise<Answer>; readonly ended: () => boolean } {
  let done = false;
  const answer = consul.call(replica, "GET", path).finally(() => { done = true; });
  return { answer, ended: () => done };
}

/** Everything that was asked of a replica before has begun to wait, or has not, when this is answered: calls are taken in their order. */
async function settle(replica: number): Promise<void> {
  for (let i = 0; i < 3; i++) await consul.ok(replica, "GET", "/v1/session/list");
}

describe("a blocking query", () => {
  it("for a key ends with its change, through whichever replica, and not with another key's", async () => {
    await consul.ok(1, "PUT", "/v1/kv/watched", "one");
    const index = indexOf(await consul.call(1, "GET", "/v1/kv/watched"));
    const hanging = [1, 2, 3].map((replica) => hang(replica, `/v1/kv/watched?index=${index}&wait=60s`));
    await consul.ok(1, "PUT", "/v1/kv/watched-not", "x");
    await consul.ok(1, "PUT", "/v1/kv/watched", "one");
    for (const replica of [1, 2, 3]) await settle(replica);
    expect(hanging.map(({ ended }) => ended())).toEqual([false, false, false]);
    await consul.ok(2, "PUT", "/v1/kv/watched", "two");
    for (const { answer } of hanging) {
      const { status, text, headers } = await answer;
      expect([status, (JSON.parse(text) as [{ Value: string; ModifyIndex: number }])[0]]).toEqual([200, expect.objectContaining({ Value: "dHdv", ModifyIndex: Number(headers["x-consul-index"]) })]);
      expect(Number(headers["x-consul-index"])).toBeGreaterThan(index);
    }
  });

  it("for a key that is not there ends when it comes, and not with other keys; for one that is deleted, with 404", async () => {
    const absent = await consul.call(1, "GET", "/v1/kv/coming");
    const hanging = hang(2, `/v1/kv/coming?index=${indexOf(absent)}&wait=60s`);
    await settle(2);
    for (let i = 0; i < 5; i++) await consul.ok(1, "PUT", `/v1/kv/other${i}`, "x");
    await settle(2);
    expect(hanging.ended()).toBe(false);
    await consul.ok(3, "PUT", "/v1/kv/coming", "here");
    const came = await hanging.answer;
    expect(came).toMatchObject({ status: 200 });
    const until = hang(1, `/v1/kv/coming?index=${indexOf(came)}`);
    await settle(1);
    await consul.ok(2, "DELETE", "/v1/kv/coming");
    const gone = await until.answer;
    expect(gone).toMatchObject({ status: 404, text: "" });
    expect(indexOf(gone)).toBeGreaterThan(indexOf(came));
  });

  it("of a service that has never had a key ends with its first one", async () => {
    const fresh = await ConsulGroup.start();
    try {
      const index = indexOf(await fresh.call(1, "GET", "/v1/kv/first"));
      const answers = [fresh.call(1, "GET", `/v1/kv/first?index=${index}&wait=60s`), fresh.call(2, "GET", `/v1/kv/?recurse&index=${index}&wait=60s`), fresh.call(3, "GET", `/v1/kv/?keys&index=${index}&wait=60s`)];
      await fresh.ok(1, "PUT", "/v1/kv/first", "x");
      for (const answer of answers) expect((await answer).status).toBe(200);
    } finally {
      await fresh.close();
    }
  });

  it("for a prefix ends with a change, a new key and a deletion under it, and with nothing else", async () => {
    for (const key of ["p/a", "p/b", "q"]) await consul.ok(1, "PUT", `/v1/kv/${key}`, "0");
    let index = indexOf(await consul.call(1, "GET", "/v1/kv/p/?recurse"));
    const changes: readonly (() => Promise<string>)[] = [
      () => consul.ok(2, "PUT", "/v1/kv/p/a", "1"), () => consul.ok(2, "PUT", "/v1/kv/p/c/d", "1"), () => consul.ok(2, "DELETE", "/v1/kv/p/b"),
      () => consul.ok(2, "DELETE", "/v1/kv/p/c?recurse"), () => consul.ok(2, "DELETE", "/v1/kv/p/?recurse"), () => consul.ok(2, "PUT", "/v1/kv/p/new", "1"),
    ];
    for (const [i, change] of changes.entries()) {
      const hanging = [hang(1, `/v1/kv/p/?recurse&index=${index}&wait=60s`), hang(3, `/v1/kv/p/?keys&separator=/&index=${index}&wait=60s`)];
      await settle(1);
      await settle(3);
      await consul.ok(1, "PUT", "/v1/kv/q", String(i + 1));
      await settle(1);
      await settle(3);
      expect(hanging.map(({ ended }) => ended()), `before change ${i}`).toEqual([false, false]);
      await change();
      const [first, second] = await Promise.all(hanging.map(({ answer }) => answer));
      expect(indexOf(first as Answer), `after change ${i}`).toBeGreaterThan(index);
      expect(indexOf(second as Answer)).toBe(indexOf(first as Answer));
      index = indexOf(first as Answer);
    }
  });

  it("for a lock ends when it is given up, by release or by the end of its session", async () => {
    const session = await consul.session(1, { TTL: "3s", LockDelay: "0s" });
    for (const end of [() => consul.ok(2, "PUT", `/v1/kv/l?release=${session}`), () => Promise.resolve("the session expires")]) {
      await consul.ok(1, "PUT", `/v1/kv/l?acquire=${session}`, "x");
      const index = indexOf(await consul.call(3, "GET", "/v1/kv/l"));
      const hanging = hang(3, `/v1/kv/l?index=${index}&wait=60s`);
      await settle(3);
      expect(hanging.ended()).toBe(false);
      await end();
      expect((await hanging.answer).text).not.toContain("Session");
    }
  });

  it("for sessions ends when one is opened or ends", async () => {
    const index = indexOf(await consul.call(1, "GET", "/v1/session/list"));
    const list = hang(1, `/v1/session/list?index=${index}&wait=60s`);
    const session = await consul.session(2, { Node: "watched-node" });
    const opened = await list.answer;
    expect(opened.text).toContain(session);
    const [info, node] = [hang(2, `/v1/session/info/${session}?index=${indexOf(opened)}&wait=60s`), hang(3, `/v1/session/node/watched-node?index=${indexOf(opened)}&wait=60s`)];
    await consul.ok(1, "PUT", `/v1/session/renew/${session}`);
    await Promise.all([settle(2), settle(3)]);
    expect([info.ended(), node.ended()]).toEqual([false, false]);
    await consul.ok(1, "PUT", `/v1/session/destroy/${session}`);
    for (const { answer } of [info, node]) expect((await answer).text).toBe("[]");
  });

  it("ends unchanged when its time is over, with up to a sixteenth more", async () => {
    await consul.ok(1, "PUT", "/v1/kv/quiet", "x");
    const before = await consul.call(1, "GET", "/v1/kv/quiet");
    const started = performance.now();
    const after = await consul.call(1, "GET", `/v1/kv/quiet?index=${indexOf(before)}&wait=320ms`);
    const tookMs = performance.now() - started;
    expect(after).toMatchObject({ status: 200, text: before.text, headers: { "x-consul-index": before.headers["x-consul-index"] } });
    expect(tookMs).toBeGreaterThan(319);
    // A call that forgot its time would hang for five minutes.
    expect(tookMs).toBeLessThan(60_000);
    const later = await consul.call(1, "GET", `/v1/kv/none?index=${indexOf(before) + 1000}&wait=50ms`);
    expect(later.status).toBe(404);
  });

  it("does not hang for an older index, or none", async () => {
    await consul.ok(1, "PUT", "/v1/kv/now", "x");
    const index = indexOf(await consul.call(1, "GET", "/v1/kv/now"));
    for (const query of ["", "index=0&wait=60s", `index=${index - 1}&wait=60s`, "index=&wait=", `index=${index - 1}&stale`]) expect((await consul.call(1, "GET", `/v1/kv/now?${query}`)).status, query).toBe(200);
  });

  it("is refused with an index or a time that is none", async () => {
    for (const index of ["x", "-1", "18446744073709551616"]) expect(await consul.call(1, "GET", `/v1/kv/a?index=${index}`)).toMatchObject({ status: 400, text: "Invalid index" });
    for (const wait of ["x", "10", "s"]) expect(await consul.call(1, "GET", `/v1/kv/a?index=1&wait=${wait}`)).toMatchObject({ status: 400, text: "Invalid wait time" });
  });
});
