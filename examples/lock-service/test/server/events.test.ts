/** What has happened: page by page, by long poll, and as a stream. */
import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { request } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { machineLimits } from "../../src/machine/inputs.js";
import { eventually } from "../support/eventually.js";
import { TestGroup } from "../support/group.js";
import { openStream, type Stream } from "../support/server-sent.js";

let group: TestGroup;
const streams: Stream[] = [];

beforeAll(async () => { group = await TestGroup.start({ limits: { streams: 3, streamKeepAliveMs: 50 } }); });
afterEach(async () => { for (const stream of streams.splice(0)) await stream.close(); });
afterAll(() => group.close());

interface Event {
  readonly type: string;
  readonly revision: number;
  readonly locks?: readonly string[];
}

const events = async (query: string): Promise<{ events: readonly Event[]; revision: number }> => (await group.call(1, "GET", `/v1/events?${query}`)).body as { events: readonly Event[]; revision: number };
const now = async (): Promise<number> => (await events("")).revision;
const types = (list: readonly Event[]): readonly string[] => list.map(({ type }) => type);

async function follow(replica: number, query: string, headers: Record<string, string> = {}): Promise<Stream> {
  const stream = await openStream(`${group.url(replica)}/v1/events?${query}`, { accept: "text/event-stream", ...headers });
  streams.push(stream);
  return stream;
}

describe("events", () => {
  it("are told in their order, with growing revisions, alike by every replica", async () => {
    const after = await now();
    const [a, b] = [await group.session(1), await group.session(2)];
    await group.acquire(1, a, "r", "x");
    await group.acquire(2, b, "r", "x", { waitMs: null, pollMs: 0 });
    await group.release(3, a, "r");
    await group.call(1, "DELETE", `/v1/sessions/${b}`);
    const told = await events(`after=${after}`);
    expect(types(told.events)).toEqual(["session-opened", "session-opened", "granted", "queued", "blocking", "released", "granted", "session-ended", "released"]);
    expect(told.events.map(({ revision }) => revision)).toEqual(told.events.map((_, i) => after + 1 + i));
    expect(told.revision).toBe(after + told.events.length);
    for (const replica of [2, 3]) expect((await group.call(replica, "GET", `/v1/events?after=${after}`)).body).toEqual(told);
    const page = await events(`after=${after}&limit=2`);
    expect(page).toEqual({ events: told.events.slice(0, 2), revision: after + 2 });
  });

  it("can be asked for by lock prefix or session", async () => {
    const after = await now();
    const [a, b] = [await group.session(1), await group.session(2)];
    await group.acquire(1, a, "r", "p/1");
    await group.acquire(2, b, "r", "q/1");
    expect((await events(`after=${after}&prefix=p/`)).events.map(({ type, locks }) => [type, locks])).toEqual([["granted", ["p/1"]]]);
    expect(types((await events(`after=${after}&session=${b}`)).events)).toEqual(["session-opened", "granted"]);
  });

  it("are refused after a revision that there is not yet: of a service that has begun anew, nothing would be heard", async () => {
    const after = (await now()) + 1;
    const refused = await group.call(1, "GET", `/v1/events?after=${after}&pollMs=20000`);
    expect(refused).toMatchObject({ status: 410, body: { error: { code: "EVENTS_TRIMMED", details: { oldest: expect.any(Number) } } } });
    await expect(openStream(`${group.url(2)}/v1/events`, { accept: "text/event-stream", "last-event-id": String(after) })).rejects.toThrow("EVENTS_TRIMMED");
    // Where the past may be read, another replica may have told of it already.
    expect((await group.call(1, "GET", `/v1/events?after=${after}&consistency=stale`)).status).toBe(200);
  });

  it("are waited for, but not those of others", async () => {
    const after = await now();
    const session = await group.session(1);
    const hanging = group.call(2, "GET", `/v1/events?after=${after}&prefix=wanted/&pollMs=20000`);
    await group.acquire(1, session, "r1", "unwanted");
    await group.acquire(1, session, "r2", "wanted/1");
    const told = (await hanging).body as { events: readonly Event[]; revision: number };
    expect(told.events.map(({ locks }) => locks)).toEqual([["wanted/1"]]);
    expect(await events(`after=${told.revision}&prefix=wanted/&pollMs=20`)).toMatchObject({ events: [] });
  });
});

describe("a stream of events", () => {
  it("tells what has happened since the revision, then what happens", async () => {
    const after = await now();
    const session = await group.session(1);
    const stream = await follow(2, `after=${after}`);
    await eventually("what has happened is told", () => stream.events.length === 1);
    await group.acquire(3, session, "r", "s1");
    await eventually("what happens is told", () => stream.events.length === 2);
    expect(stream.events.map(({ id, event }) => [id, event])).toEqual([[String(after + 1), "session-opened"], [String(after + 2), "granted"]]);
    expect(stream.events[1]?.data).toMatchObject({ type: "granted", session, locks: ["s1"], revision: after + 2 });
  });

  it("goes on after Last-Event-ID, which keep-alives move on when nothing is for its reader", async () => {
    const session = await group.session(1);
    const first = await follow(1, "prefix=s2/");
    await group.acquire(1, session, "r0", "elsewhere");
    const seen = await now();
    await eventually("a keep-alive tells how far it has read", () => Number(first.lastId) >= seen);
    await first.close();
    await group.acquire(1, session, "r1", "s2/1");
    const second = await follow(3, "prefix=s2/", { "last-event-id": first.lastId ?? "" });
    await eventually("it goes on", () => second.events.length === 1);
    expect(second.events[0]?.data).toMatchObject({ locks: ["s2/1"] });
  });

  it("is one of a limited number", async () => {
    for (let i = 0; i < 3; i++) await follow(1, "");
    const refused = await group.call(1, "GET", "/v1/events", { headers: { accept: "text/event-stream" } });
    expect(refused).toMatchObject({ status: 429, body: { error: { code: "LIMIT_REACHED", details: { limit: "streams", most: 3 } } } });
    await streams[0]?.close();
    await eventually("there is room again", async () => {
      const { statusCode, body } = await request(`${group.url(1)}/v1/events`, { headers: { accept: "text/event-stream" } });
      body.destroy();
      body.on("error", () => undefined);
      return statusCode === 200;
    });
  });

  it("whose reader takes nothing costs no more than its socket, and is cut off", async () => {
    const { replica } = group.group.servers[0] ?? expect.fail("no replica");
    const session = await group.session(1);
    const after = await now();
    const reader = connect(Number(new URL(group.url(1)).port), "127.0.0.1");
    reader.on("error", () => undefined);
    reader.write(`GET /v1/events?after=${after} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n`);
    // It has its place before the others take theirs.
    await once(reader, "data");
    reader.pause();
    const others = [await follow(1, ""), await follow(1, "")];
    expect((await group.call(1, "GET", "/v1/events", { headers: { accept: "text/event-stream" } })).status, "there is no room for another").toBe(429);
    // More than any socket holds.
    for (let i = 0; i < 4000; i += 500) {
      await Promise.all(Array.from({ length: 500 }, (_, k) => replica.submit.acquire({ session, request: `big-${i + k}`, wants: [{ lock: `big-${i + k}`, mode: "EX" }], waitMs: 0, value: "v".repeat(4096) })));
    }
    await eventually("it is cut off, and there is room", () => follow(1, "").then(() => true, () => false));
    reader.destroy();
    expect(others).toHaveLength(2);
  });
});

it("a stream to which nothing is to be told begins with an id from which its reader can resume", async () => {
  const own = await TestGroup.start({ limits: { streamKeepAliveMs: 3_600_000 } });
  const session = await own.session(1);
  const { revision } = (await own.call(1, "GET", "/v1/events")).body as { revision: number };
  const stream = await openStream(`${own.url(1)}/v1/events`, { accept: "text/event-stream" });
  await eventually("it has begun", () => stream.lastId !== undefined);
  expect(stream.lastId).toBe(String(revision));
  await stream.close();
  await own.acquire(1, session, "r", "x");
  const next = await openStream(`${own.url(2)}/v1/events`, { accept: "text/event-stream", "last-event-id": stream.lastId ?? "" });
  await eventually("it goes on", () => next.events.length === 1);
  await next.close();
  await own.close();
});

it("a stream whose reader has fallen behind what is kept says so, and ends", async () => {
  const own = await TestGroup.start();
  const { replica } = own.group.servers[0] ?? expect.fail("no replica");
  const session = await own.session(1);
  const reader = connect(Number(new URL(own.url(1)).port), "127.0.0.1");
  reader.write("GET /v1/events?after=0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: text/event-stream\r\n\r\n");
  await once(reader, "data");
  reader.pause();
  // More than any socket holds.
  const grant = (i: number) => replica.submit.acquire({ session, request: `r${i}`, wants: [{ lock: `big-${i}`, mode: "EX" }], waitMs: 0, value: "v".repeat(4096) });
  for (let i = 0; i < 4000; i += 500) await Promise.all(Array.from({ length: 500 }, (_, k) => grant(i + k)));
  const limits = { ...machineLimits };
  Object.assign(machineLimits, { events: 1 });
  try {
    for (let i = 4000; (await own.call(1, "GET", "/v1/events?after=0")).status !== 410; i++) await grant(i);
  } finally {
    Object.assign(machineLimits, limits);
  }
  expect(await text(reader)).toMatch(/event: trimmed\ndata: {"oldest":\d+}\n\n/);
  await own.close();
});
