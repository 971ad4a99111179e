/**
 * The OpenAPI document against the server, both ways: every call of these tests is judged by it (document.ts), and everything that it
 * foresees is had here once, in each state that a replica can be in.
 */
import { Validator } from "@seriousme/openapi-schema-validator";
import { Agent, request } from "undici";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { Access, serviceErrors } from "../../src/index.js";
import { machineLimits } from "../../src/machine/inputs.js";
import { defaultServerLimits } from "../../src/server/limits.js";
import { Listener } from "../../src/server/listener.js";
import { parseTokens } from "../../src/server/token-file.js";
import { Document, type OpenApi } from "../support/document.js";
import { eventually } from "../support/eventually.js";
import { TestGroup, type Answered } from "../support/group.js";

const [root, nobody] = ["root-0123456789abcdef", "nobody-0123456789abcdef"];
const access = new Access(parseTokens({ tokens: [
  { name: "root", token: root, permissions: [{ prefix: "", allow: ["read", "lock", "admin"] }] },
  { name: "nobody", token: nobody, permissions: [] },
] }));

interface Sample {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One good call of every operation, with this session and a request id of its own. */
function samples(session: string, id: string): Readonly<Record<string, Sample>> {
  const [one, requests] = [`/v1/sessions/${session}`, `/v1/sessions/${session}/requests/${id}`];
  return {
    openSession: { method: "POST", path: "/v1/sessions", body: { name: id } },
    listSessions: { method: "GET", path: "/v1/sessions" },
    getSession: { method: "GET", path: one },
    listRequests: { method: "GET", path: `${one}/requests` },
    renewSession: { method: "POST", path: `${one}/renew` },
    acquire: { method: "PUT", path: requests, body: { locks: [{ lock: `lock-${id}` }] } },
    getRequest: { method: "GET", path: requests },
    proclaim: { method: "POST", path: `${requests}/value`, body: { value: "v" } },
    convert: { method: "POST", path: `${requests}/convert`, body: { request: `${id}-converted`, mode: "PR" } },
    release: { method: "DELETE", path: requests, body: {} },
    listLocks: { method: "GET", path: "/v1/locks" },
    getLock: { method: "GET", path: `/v1/locks/lock-${id}` },
    checkToken: { method: "GET", path: `/v1/locks/lock-${id}/check?token=0` },
    forceRelease: { method: "POST", path: `/v1/locks/lock-${id}/force-release`, body: { reason: "test" } },
    getLeader: { method: "GET", path: `/v1/elections/lock-${id}` },
    observeElection: { method: "GET", path: `/v1/elections/lock-${id}/observe` },
    events: { method: "GET", path: "/v1/events" },
    graph: { method: "GET", path: "/v1/graph" },
    graphSvg: { method: "GET", path: "/v1/graph.svg" },
    graphDot: { method: "GET", path: "/v1/graph.dot" },
    status: { method: "GET", path: "/v1/status" },
    health: { method: "GET", path: "/v1/health" },
    openapi: { method: "GET", path: "/v1/openapi.json" },
    closeSession: { method: "DELETE", path: one },
  };
}

/** What cannot be had on purpose: an answer that tells of a fault of the service's own. */
const exempt = (foreseen: string): boolean => foreseen.endsWith(" 500 INTERNAL") ||
  // The answer to a request that was given, taken back and forgotten before this replica could look, while it took in a snapshot.
  foreseen === "acquire 404 NO_SUCH_REQUEST";

let document: Document;
let openApi: OpenApi & Record<string, unknown>;
let group: TestGroup;
let count = 0;

async function start(options: Parameters<typeof TestGroup.start>[0] = {}): Promise<string> {
  group = await TestGroup.start({ access, ...options }, new Agent({ connections: 200 }), document);
  return session();
}

/** A session that every replica has. */
async function session(input: object = {}): Promise<string> {
  const opened = await eventually("a session is opened", async () => {
    const { status, body } = await group.call(2, "POST", "/v1/sessions", { body: input, token: root });
    return status === 201 && (body.session as string);
  });
  await eventually("all have it", () => group.group.servers.every(({ replica }) => replica.state.sessions.has(opened)));
  return opened;
}

const nextId = (): string => `r${count++}`;
const call = (replica: number, { method, path, body, headers = {} }: Sample, token: string | undefined = root): Promise<Answered> => group.call(replica, method, path, { body, token, headers });

/** Streams have no end of their own: only how they begin is looked at. */
async function begin(path: string, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  const { statusCode, headers: got, body } = await request(`${group.url(1)}${path}`, { headers: { authorization: `Bearer ${root}`, ...headers } });
  body.on("error", () => undefined);
  body.destroy();
  document.judge("GET", path, statusCode, String(got["content-type"]), "");
  expect(statusCode).toBe(200);
}

beforeAll(async () => {
  const first = await TestGroup.start({ access });
  const { body } = await first.call(1, "GET", "/v1/openapi.json");
  openApi = body as typeof openApi;
  document = new Document(openApi);
  await first.close();
});

describe("the OpenAPI document", () => {
  afterEach(() => group?.close());

  it("is a valid one, and has every operation under a name of its own", async () => {
    await start();
    expect(await new Validator().validate(structuredClone(openApi))).toMatchObject({ valid: true });
    expect([...document.operationIds].sort()).toEqual(Object.keys(samples("s", "r")).sort());
  });

  it("foresees what every operation answers when all is well", async () => {
    const opened = await start();
    const id = nextId();
    for (const [name, sample] of Object.entries(samples(opened, id))) {
      if (name === "observeElection") await begin(sample.path);
      else expect((await call(1, sample)).status, name).toBeLessThan(name === "getLeader" || name === "checkToken" ? 500 : 300);
    }
    await begin("/v1/events", { accept: "text/event-stream" });
  });

  it("foresees tokens that are missing or not enough, and calls that are wrong", async () => {
    const opened = await start();
    for (const [name, sample] of Object.entries(samples(opened, nextId()))) {
      const { method, path, body } = sample;
      if (name !== "observeElection" && name !== "closeSession") await call(1, sample, undefined).then(() => group.call(1, method, path, { body }));
      else await group.call(1, method, path, { body });
      if (name !== "closeSession" && name !== "observeElection") await call(1, sample, nobody);
      else expect((await call(1, sample, nobody)).status).toBe(403);
      if (method === "GET") await call(1, { ...sample, path: `${path}${path.includes("?") ? "&" : "?"}unknown=1` }).catch((error: unknown) => expect.fail(`${name}: ${String(error)}`));
      else {
        await call(1, { ...sample, body: "{", headers: { "content-type": "application/json" } });
        await call(1, { ...sample, body: "x".repeat(70_000), headers: { "content-type": "application/json" } });
        await call(1, { ...sample, body: "x=1", headers: { "content-type": "application/x-www-form-urlencoded" } });
      }
      if (/\{/.test(pathOf(name))) await call(1, { ...sample, path: path.replace(/(?<=\/v1\/(?:sessions|locks|elections)\/)[^/?]+/, "x".repeat(3100)) });
    }
  });

  it("foresees how requests end", async () => {
    await start();
    for (const refusal of [held, timedOut, cancelled, released, over, delayed, deadlocked]) await refusal();
  });

  it("foresees what does not fit together", async () => {
    const opened = await start();
    const ask = (id: string, body: object): Promise<Answered> => call(1, { method: "PUT", path: `/v1/sessions/${opened}/requests/${id}`, body });
    await ask("ex", { locks: [{ lock: "ex" }] });
    await ask("pr", { locks: [{ lock: "pr", mode: "PR" }] });
    await ask("both", { locks: [{ lock: "both-1" }, { lock: "both-2" }] });
    const convert = (grant: string, id: string, more: object = {}): Promise<Answered> => call(1, { method: "POST", path: `/v1/sessions/${opened}/requests/${grant}/convert`, body: { request: id, mode: "PR", ...more } });
    const answers = [
      await ask("ex", { locks: [{ lock: "other" }] }), await ask("kind", { locks: [{ lock: "ex", limit: 3 }] }),
      await convert("none", "c1"), await convert("both", "c2"), await convert("pr", "c3", { valueBlock: "" }), await convert("pr", "ex"),
      await call(1, { method: "DELETE", path: `/v1/sessions/${opened}/requests/pr`, body: { valueBlock: "" } }),
      await call(1, { method: "POST", path: `/v1/sessions/${opened}/requests/none/value`, body: { value: "v" } }),
      await call(1, { method: "GET", path: `/v1/sessions/${opened}/requests/none` }),
    ];
    expect(answers.map(({ body }) => body.error.code as string)).toEqual([
      "REQUEST_MISMATCH", "KIND_MISMATCH", "NO_SUCH_REQUEST", "NOT_CONVERTIBLE", "NOT_WRITABLE", "REQUEST_MISMATCH", "NOT_WRITABLE", "NO_SUCH_REQUEST", "NO_SUCH_REQUEST",
    ]);
    const { token } = (await ask("leads", { locks: [{ lock: "led" }] })).body as { token: number };
    expect((await call(1, { method: "GET", path: "/v1/elections/led" })).status).toBe(200);
    expect((await call(1, { method: "GET", path: `/v1/locks/led/check?token=${token}` })).status).toBe(200);
  });

  it("foresees limits, and events that are gone", async () => {
    const opened = await start({ limits: { streams: 0 } });
    const ask = (id: string): Promise<Answered> => call(1, { method: "PUT", path: `/v1/sessions/${opened}/requests/${id}`, body: { locks: [{ lock: id }] } });
    await ask("one");
    const limits = { ...machineLimits };
    Object.assign(machineLimits, { sessions: 1, requestsPerSession: 1, events: 1 });
    try {
      const wrong = [
        await ask("two"), await call(1, { method: "POST", path: "/v1/sessions" }),
        await call(1, { method: "POST", path: `/v1/sessions/${opened}/requests/one/convert`, body: { request: "two", mode: "PR" } }),
        await call(1, { method: "GET", path: "/v1/elections/one/observe" }), await call(1, { method: "GET", path: "/v1/events", headers: { accept: "text/event-stream" } }),
        await call(1, { method: "DELETE", path: `/v1/sessions/${opened}/requests/one`, body: { valueBlock: "A".repeat(1368) } }),
      ];
      expect(wrong.map(({ status }) => status)).toEqual(wrong.map(() => 429));
      await eventually("events are gone", async () => {
        await call(1, { method: "POST", path: `/v1/sessions/${opened}/requests/one/value`, body: { value: "v" } });
        return (await call(1, { method: "GET", path: "/v1/events?after=0" })).status === 410;
      });
    } finally {
      Object.assign(machineLimits, limits);
    }
  });

  it("foresees sessions that are over, and a replica without its quorum", async () => {
    const [opened, closed] = [await start(), await session()];
    await call(1, { method: "DELETE", path: `/v1/sessions/${closed}` });
    for (const sample of Object.values(samples(closed, nextId()))) if (sample.path.includes(closed)) expect((await call(1, sample)).status).toBe(410);
    expect((await call(1, { method: "GET", path: `/v1/events?session=${closed}` })).status).toBe(410);
    group.group.network.cut([[1], [2, 3]]);
    await eventually("it is in the minority", () => group.role(1) === "minority");
    await everyOperation(1, opened, "NO_QUORUM", ["status", "openapi"]);
  });

  it("foresees a replica that has been stopped, and one that is starting", async () => {
    const opened = await start();
    await group.group.servers[0]?.replica.stop();
    await everyOperation(1, opened, "STOPPING", ["status", "openapi"]);
    const starting = await Listener.listen("127.0.0.1", 0, defaultServerLimits);
    for (const { method, path } of Object.values(samples(opened, nextId()))) {
      const { statusCode, headers, body } = await request(`http://127.0.0.1:${starting.port}${path}`, { method, headers: { connection: "close" } });
      expect(statusCode).toBe(503);
      document.judge(method, path, statusCode, String(headers["content-type"]), await body.json());
    }
    await starting.close(0);
  });

  it("foresees too much at a time", async () => {
    const opened = await start({ replicaLimits: { pendingSubmissions: 1 } });
    for (const [name, sample] of Object.entries(samples(opened, nextId()))) {
      if (["status", "health", "openapi", "observeElection", "closeSession"].includes(name)) continue;
      await overload(name, sample);
    }
    // Where one may succeed, which ends what the others need, or a stream.
    await overload("closeSession", { method: "DELETE", path: `/v1/sessions/${opened}` });
    await eventually("a stream is too much", async () => {
      const others = Array.from({ length: 30 }, () => group.call(1, "GET", "/v1/locks", { token: root }));
      await Promise.all([...others, ...Array.from({ length: 30 }, () => refusedOrBegun("/v1/elections/x/observe"))]);
      return document.seen.has("observeElection 503 OVERLOADED");
    });
  });

  it("foresees a replica that hears nothing for a while", async () => {
    const opened = await start({ replicaLimits: { answerTimeoutMs: 150 } });
    const asked = Object.entries(samples(opened, nextId())).filter(([name]) => !["status", "health", "openapi"].includes(name));
    const whilePaused = async (calls: readonly Sample[]): Promise<readonly string[]> => {
      await eventually("it is well", async () => (await group.call(1, "GET", "/v1/locks", { token: root })).status === 200);
      group.group.network.pause(1);
      const answers = await Promise.all(calls.map((sample) => call(1, sample)));
      group.group.network.resume(1);
      return answers.map(({ body }) => body.error.code as string);
    };
    // What is sent first is not answered; more is not sent.
    const many = Array.from({ length: 20 }, () => asked.map(([, sample]) => sample)).flat();
    for (const code of await whilePaused(many)) expect(["OUTCOME_UNKNOWN", "NOT_SENT", "NOT_CONFIRMED"]).toContain(code);
    for (const [name, sample] of asked) if (sample.method !== "GET") expect(await whilePaused([sample]), name).toEqual(["OUTCOME_UNKNOWN"]);
    const elsewhere = asked.map(([, sample]) => ({ ...sample, path: sample.path.replace(opened, "unknown") })).filter(({ path }) => path.includes("unknown"));
    for (const code of await whilePaused(elsewhere)) expect(code).toBe("NOT_CONFIRMED");
  });
});

it("has every code of the registry somewhere, but for what is answered before there is an operation", () => {
  const codes = new Set(document.foreseen.map((each) => each.split(" ")[2]));
  expect(Object.keys(serviceErrors).filter((code) => !codes.has(code))).toEqual(["NO_SUCH_ROUTE", "HEADERS_TOO_LARGE"]);
});

it("nothing that the document foresees is left that was not seen above", () => {
  expect(document.foreseen.filter((each) => !exempt(each) && !document.seen.has(each))).toEqual([]);
});

function pathOf(name: string): string {
  return Object.entries(openApi.paths).find(([, methods]) => Object.values(methods).some(({ operationId }) => operationId === name))?.[0] ?? "";
}

async function everyOperation(replica: number, opened: string, code: string, but: readonly string[]): Promise<void> {
  for (const [name, sample] of Object.entries(samples(opened, nextId()))) {
    const { body } = await call(replica, sample);
    if (!but.includes(name)) expect(body.error?.code, name).toBe(code);
  }
}

async function overload(name: string, sample: Sample): Promise<void> {
  await eventually(`${name} is too much`, async () => {
    // Renewals go together; what is in their way are others' commands.
    const others = Array.from({ length: 30 }, () => call(1, { method: "POST", path: "/v1/locks/unused/force-release", body: { reason: "test" } }));
    const answers = await Promise.all(Array.from({ length: 30 }, () => call(1, sample)));
    await Promise.all(others);
    return answers.some(({ body }) => (body as { error?: { code: string } }).error?.code === "OVERLOADED");
  });
}

/** Of a stream, which goes on if it is not refused. */
async function refusedOrBegun(path: string): Promise<void> {
  const { statusCode, headers, body } = await request(`${group.url(1)}${path}`, { headers: { authorization: `Bearer ${root}` } });
  body.on("error", () => undefined);
  if (statusCode === 200) body.destroy();
  else document.judge("GET", path, statusCode, String(headers["content-type"]), await body.json());
}

// Each refusal, as the one who asked gets it, who asks again, who looks, and who would change the value.

async function again(owner: string, id: string, body: object, code: string): Promise<void> {
  const path = `/v1/sessions/${owner}/requests/${id}`;
  for (const sample of [{ method: "PUT", path, body }, { method: "GET", path }, { method: "POST", path: `${path}/value`, body: { value: "v" } }] as const) {
    expect((await call(1, sample)).body.error.code).toBe(code);
  }
}

const ask = (owner: string, id: string, body: object): Promise<Answered> => call(1, { method: "PUT", path: `/v1/sessions/${owner}/requests/${id}`, body });
const convertTo = (owner: string, id: string, body: object): Promise<Answered> => call(1, { method: "POST", path: `/v1/sessions/${owner}/requests/${id}/convert`, body });
const drop = (owner: string, id: string): Promise<Answered> => call(1, { method: "DELETE", path: `/v1/sessions/${owner}/requests/${id}`, body: {} });

/** Two who read the same lock (one that converts to EX has to wait for the other), and one who does not. */
async function twoReaders(lock: string): Promise<readonly [string, string, string]> {
  const [a, b, c] = [await session(), await session(), await session()] as const;
  for (const owner of [a, b]) await ask(owner, "reads", { locks: [{ lock, mode: "PR" }] });
  return [a, b, c];
}

async function held(): Promise<void> {
  const [a, , b] = await twoReaders("held");
  const body = { locks: [{ lock: "held" }] };
  await again(b, "asks", body, "HELD");
  expect((await convertTo(a, "reads", { request: "c", mode: "EX" })).body.error.code).toBe("HELD");
}

async function timedOut(): Promise<void> {
  const [a, , b] = await twoReaders("timed");
  await again(b, "asks", { locks: [{ lock: "timed" }], waitMs: 1 }, "WAIT_TIMEOUT");
  expect((await convertTo(a, "reads", { request: "c", mode: "EX", waitMs: 1 })).body.error.code).toBe("WAIT_TIMEOUT");
}

async function cancelled(): Promise<void> {
  const [a, , b] = await twoReaders("cancelled");
  const body = { locks: [{ lock: "cancelled" }], waitMs: null, pollMs: 0 };
  expect((await ask(b, "asks", body)).status).toBe(202);
  expect((await call(1, { method: "GET", path: `/v1/sessions/${b}/requests/asks` })).status).toBe(202);
  expect((await call(1, { method: "POST", path: `/v1/sessions/${b}/requests/asks/value`, body: { value: "v" } })).status).toBe(202);
  expect((await drop(b, "asks")).body.status).toBe("cancelled");
  await again(b, "asks", body, "CANCELLED");
  const conversion = { request: "c", mode: "EX", waitMs: null, pollMs: 0 };
  expect((await convertTo(a, "reads", conversion)).status).toBe(202);
  await drop(a, "c");
  expect((await convertTo(a, "reads", conversion)).body.error.code).toBe("CANCELLED");
}

async function released(): Promise<void> {
  const owner = await session();
  const body = { locks: [{ lock: "released" }] };
  await ask(owner, "asks", body);
  expect((await drop(owner, "asks")).body.status).toBe("released");
  await again(owner, "asks", body, "RELEASED");
  await ask(owner, "other", body);
  const conversion = { request: "c", mode: "PR" };
  expect((await convertTo(owner, "other", conversion)).status).toBe(200);
  await drop(owner, "c");
  expect((await convertTo(owner, "other", conversion)).body.error.code).toBe("RELEASED");
}

async function over(): Promise<void> {
  const owner = await session();
  await call(1, { method: "DELETE", path: `/v1/sessions/${owner}` });
  await again(owner, "asks", { locks: [{ lock: "over" }] }, "SESSION_OVER");
  expect((await convertTo(owner, "asks", { request: "c", mode: "PR" })).body.error.code).toBe("SESSION_OVER");
}

async function delayed(): Promise<void> {
  const [dies, lives] = [await session({ ttlMs: 3000, lockDelayMs: 60_000 }), await session()];
  await ask(lives, "reads", { locks: [{ lock: "delayed", mode: "NL" }] });
  await ask(dies, "asks", { locks: [{ lock: "delayed" }] });
  await eventually("it expires", async () => (await call(1, { method: "GET", path: `/v1/sessions/${dies}` })).status === 410);
  await again(lives, "asks", { locks: [{ lock: "delayed" }] }, "LOCK_DELAY");
  expect((await convertTo(lives, "reads", { request: "c", mode: "EX" })).body.error.code).toBe("LOCK_DELAY");
}

async function deadlocked(): Promise<void> {
  const [a, b] = await twoReaders("deadlocked");
  expect((await convertTo(a, "reads", { request: "c", mode: "EX", waitMs: null, pollMs: 0 })).status).toBe(202);
  expect((await convertTo(b, "reads", { request: "c", mode: "EX", waitMs: null })).body.error.code).toBe("DEADLOCK");
  const [c, d] = [await session(), await session()];
  await ask(c, "one", { locks: [{ lock: "dead-1" }] });
  await ask(d, "two", { locks: [{ lock: "dead-2" }] });
  expect((await ask(c, "two", { locks: [{ lock: "dead-2" }], waitMs: null, pollMs: 0 })).status).toBe(202);
  await again(d, "one", { locks: [{ lock: "dead-1" }], waitMs: null }, "DEADLOCK");
}
