/** What clients are told when replicas are cut off, come back, or stop. */
import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.js";
import { TestGroup } from "../support/group.js";

let group: TestGroup;

beforeEach(async () => { group = await TestGroup.start({ limits: { closeTimeoutMs: 60_000 } }); });
afterEach(() => group.close());

const cutOff = async (replica: number, others: readonly number[]): Promise<void> => {
  group.group.network.cut([[replica], others]);
  await eventually("it is in the minority", () => group.role(replica) === "minority");
};

/** Looks at every turn of the event loop: in memory, a command is on its way for less than a millisecond. There may be none that is not answered. */
const someSent = async (answers: Promise<unknown>): Promise<void> => {
  let answered = false;
  void answers.finally(() => { answered = true; });
  while (!answered && group.group.servers[0]?.replica.inspect().queue.inFlightBatches === 0) await new Promise(setImmediate);
};

describe("a replica that is cut off", () => {
  it("refuses commands and linearizable reads with 503, certainly not done, and answers stale reads", async () => {
    const session = await group.session(1);
    await group.acquire(1, session, "r", "x");
    await cutOff(1, [2, 3]);
    const refused = await group.acquire(1, session, "r2", "y");
    expect(refused).toMatchObject({ status: 503, body: { error: { code: "NO_QUORUM" } }, headers: { "retry-after": "1" } });
    for (const path of ["/v1/locks/x", "/v1/locks", `/v1/sessions/${session}`, "/v1/graph", "/v1/elections/x", "/v1/locks/x/check?token=1"]) expect((await group.call(1, "GET", path)).status, path).toBe(503);
    expect((await group.call(1, "GET", "/v1/locks/x?consistency=stale")).body.lock.holders).toHaveLength(1);
    expect((await group.call(1, "GET", "/v1/health")).status).toBe(503);
    expect((await group.call(1, "GET", "/v1/status")).body).toMatchObject({ role: "minority", reason: expect.any(String) as string });
    expect((await group.call(2, "GET", "/v1/health")).status).toBe(200);
    expect((await group.call(2, "GET", "/v1/locks/y")).body.lock.holders).toEqual([]);
  });

  it("ends calls that hang with 503; the request stays where it is, and goes on at another replica", async () => {
    const [holder, other] = [await group.session(2), await group.session(1)];
    await group.acquire(2, holder, "r", "x");
    const hanging = group.acquire(1, other, "r", "x", { waitMs: null });
    await eventually("it waits", async () => (await group.call(2, "GET", "/v1/locks/x")).body.lock.waiters.length === 1);
    await cutOff(1, [2, 3]);
    expect(await hanging).toMatchObject({ status: 503, body: { error: { code: "NO_QUORUM" } } });
    const again = group.acquire(3, other, "r", "x", { waitMs: null });
    await group.release(2, holder, "r");
    expect(await again).toMatchObject({ status: 200, body: { status: "granted" } });
  });

  it("for no more than a moment goes on with what hangs", async () => {
    await group.close();
    // On a busy machine a moment takes its time.
    group = await TestGroup.start({ limits: { awayMs: 60_000 } });
    const [holder, other] = [await group.session(2), await group.session(1)];
    await group.acquire(2, holder, "r", "x");
    const hanging = group.acquire(1, other, "r", "x", { waitMs: null });
    await eventually("it waits", async () => (await group.call(2, "GET", "/v1/locks/x")).body.lock.waiters.length === 1);
    await cutOff(1, [2, 3]);
    await eventually("the others go on", async () => (await group.release(2, holder, "r")).status === 200);
    group.group.network.heal();
    expect(await hanging).toMatchObject({ status: 200, body: { status: "granted" } });
  });

  it("says 504 of what was sent and not answered, and every other answer is as it said", async () => {
    const session = await group.session(2);
    const counts = { granted: 0, unknown: 0, refused: 0 };
    const granted: string[] = [];
    // Where a cut comes when nothing is on its way, what was sent before it is answered, and what was not is refused.
    for (let round = 0; round < 3 || (counts.unknown === 0 && round < 50); round++) {
      const asked = Array.from({ length: 100 }, (_, i) => `${round}-${i}`);
      const answers = Promise.all(asked.map(async (id) => ({ id, ...(await group.acquire(1, session, id, `lock-${id}`)) })));
      await someSent(answers);
      group.group.network.cut([[1], [2, 3]]);
      for (const { id, status, body } of await answers) {
        if (status === 200) granted.push(id);
        counts[status === 200 ? "granted" : status === 504 ? "unknown" : "refused"]++;
        if (status === 504) expect(body.error.code).toBe("OUTCOME_UNKNOWN");
        else if (status !== 200) expect(body.error.code).toMatch(/^(?:NO_QUORUM|NOT_READY|NOT_SENT)$/);
      }
      group.group.network.heal();
      await eventually("it is active again", () => group.role(1) === "active");
    }
    expect(counts.unknown).toBeGreaterThan(0);
    for (const id of granted) expect((await group.acquire(3, session, id, `lock-${id}`)).status).toBe(200);
    const held = (await group.call(3, "GET", `/v1/sessions/${session}`)).body.requests as number;
    expect(held).toBeGreaterThanOrEqual(counts.granted);
    expect(held).toBeLessThanOrEqual(counts.granted + counts.unknown);
  });

  it("ends its streams of events", async () => {
    const stream = await fetch(`${group.url(1)}/v1/events`, { headers: { accept: "text/event-stream" } });
    const text = stream.text();
    await cutOff(1, [2, 3]);
    expect(await text).toMatch(/event: error\ndata: {"error":{"code":"NO_QUORUM"/);
  });
});

describe("a replica that is stopped", () => {
  it("ends what hangs with 503, lets go of its connections, and the others go on", async () => {
    const [holder, other] = [await group.session(2), await group.session(1)];
    await group.acquire(2, holder, "r", "x");
    const hanging = group.acquire(1, other, "r", "x", { waitMs: null });
    await eventually("it waits", async () => (await group.call(2, "GET", "/v1/locks/x")).body.lock.waiters.length === 1);
    // Asked nothing yet; it must not hold up the end.
    const silent = connect(Number(new URL(group.url(1)).port), "127.0.0.1");
    await once(silent, "connect");
    const began = performance.now();
    await group.group.servers[0]?.close();
    expect(performance.now() - began).toBeLessThan(30_000);
    expect(await hanging).toMatchObject({ status: 503, body: { error: { code: "STOPPING" } } });
    await expect(group.call(1, "GET", "/v1/health")).rejects.toThrow();
    await eventually("the others go on", async () => (await group.release(2, holder, "r")).status === 200);
    expect(await group.acquire(3, other, "r", "x", { waitMs: null })).toMatchObject({ status: 200 });
  });

  it("takes the sessions that are bound to it with it", async () => {
    const [bound, free] = [await group.session(1, { bound: true }), await group.session(1)];
    await group.acquire(1, bound, "r", "x");
    await group.acquire(1, free, "r", "y");
    const next = await group.session(2);
    const waiting = group.acquire(2, next, "r", "x", { waitMs: null });
    await eventually("it waits", async () => (await group.call(2, "GET", "/v1/locks/x")).body.lock.waiters.length === 1);
    await group.group.servers[0]?.close();
    expect(await waiting).toMatchObject({ status: 200 });
    expect(await group.call(3, "GET", `/v1/sessions/${bound}`)).toMatchObject({ status: 410, body: { error: { details: { reason: "replica-lost" } } } });
    expect((await group.call(3, "GET", `/v1/sessions/${free}`)).status).toBe(200);
  });
});
