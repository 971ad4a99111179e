/** How a client keeps its session, and knows that it has it, against a real group. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClientClock, type ClientClock } from "../../src/client/clock.js";
import { LockClient, LockLostError } from "../../src/client/index.js";
import { leaseMargin } from "../../src/client/lease.js";
import { eventually } from "../support/eventually.js";
import { TestGroup } from "../support/group.js";
import { SlowAnswers } from "../support/slow-answers.js";

/** Time that jumps: to the client, it was stopped meanwhile, and no timer has run. */
class JumpingClock implements ClientClock {
  #ahead = 0;

  now(): number {
    return systemClientClock.now() + this.#ahead;
  }

  after(ms: number, run: () => void): () => void {
    return systemClientClock.after(ms, run);
  }

  jump(ms: number): void {
    this.#ahead += ms;
  }
}

let group: TestGroup;
let client: LockClient;
const clock = new JumpingClock();

beforeEach(async () => { group = await TestGroup.start(); });
afterEach(async () => {
  await client.close();
  await group.close();
});

it("a session lives for longer than its TTL, as its client renews it", async () => {
  const ttlMs = 4000;
  client = new LockClient({ endpoints: [group.url(1)], ttlMs });
  const grant = await client.acquire("x");
  const clusterTime = async (): Promise<number> => (await group.call(2, "GET", "/v1/locks/x")).body.now as number;
  const begin = await clusterTime();
  await eventually("more than a TTL is over", async () => await clusterTime() > begin + ttlMs + 500);
  expect(grant.held).toBe(true);
  expect((await group.call(2, "GET", "/v1/locks/x")).body.lock.holders).toMatchObject([{ session: grant.session.id }]);
});

it("a lease is counted from when its renewal was sent, however late the answer", async () => {
  const ttlMs = 6000;
  const way = await SlowAnswers.to(group.url(1));
  client = new LockClient({ endpoints: [way.url], ttlMs, clock });
  try {
    const { session } = await client.acquire("x");
    const before = session.leaseEnd;
    way.holding = `"ttlMs":${ttlMs}`;
    await eventually("a renewal is answered", () => way.held > 0);
    const sentBefore = clock.now();
    clock.jump(900);
    way.letGo();
    await eventually("it is renewed", () => session.leaseEnd > before);
    expect(session.leaseEnd).toBeLessThanOrEqual(sentBefore + ttlMs - leaseMargin(ttlMs));
  } finally {
    way.close();
  }
});

it("a grant knows at once that its lease is over, before any timer has run", async () => {
  client = new LockClient({ endpoints: [group.url(1)], clock });
  const grant = await client.acquire("x");
  expect(grant.held).toBe(true);
  clock.jump(15_000);
  expect(grant.held).toBe(false);
  expect(() => grant.assertHeld()).toThrow(LockLostError);
  expect(grant.signal.reason).toBeInstanceOf(LockLostError);
});

it("who has lost the lead stands for election again", async () => {
  client = new LockClient({ endpoints: [group.url(1)] });
  const tokens: number[] = [];
  const result = await client.elect("e", {}, async (leadership) => {
    tokens.push(leadership.token);
    if (tokens.length === 2) return "resigned";
    const lost = new Promise<never>((_, reject) => leadership.signal.addEventListener("abort", () => reject(new Error("cannot go on"))));
    lost.catch(() => undefined);
    await group.call(2, "POST", "/v1/locks/e/force-release", { body: { reason: "test" } });
    return lost;
  });
  expect([result, tokens]).toEqual(["resigned", [1, 2]]);
});
