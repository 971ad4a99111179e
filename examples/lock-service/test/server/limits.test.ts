/** What is too much, and how it is told. */
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { MemoryNetwork, memory } from "@lockstep/framework";
import { startServer } from "../../src/index.js";
import { machineLimits } from "../../src/machine/inputs.js";
import { eventually } from "../support/eventually.js";
import { TestGroup, type Answered } from "../support/group.js";

let group: TestGroup;

afterEach(() => group.close());

/** What is answered to bytes that no client would send. */
async function raw(replica: number, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(group.url(replica)).port), "127.0.0.1");
  socket.write(bytes);
  return text(socket);
}

describe("a server", () => {
  it("answers headers that are too large with 431, and what is no HTTP with 400", async () => {
    group = await TestGroup.start();
    expect(await raw(1, `GET /v1/health HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 .*"code":"HEADERS_TOO_LARGE"/s);
    expect(await raw(1, "nonsense\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 .*"code":"INVALID_REQUEST"/s);
    expect((await group.call(1, "GET", "/v1/health")).status).toBe(200);
  });

  it("closes connections beyond its number, and takes others when there is room", async () => {
    group = await TestGroup.start({ limits: { connections: 5 } });
    const sockets = Array.from({ length: 4 }, () => connect(Number(new URL(group.url(1)).port), "127.0.0.1"));
    await Promise.all(sockets.map((socket) => new Promise((resolve) => { socket.once("connect", resolve); })));
    // One is the group's own, which has asked for the document.
    expect(await raw(1, "GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n").catch(() => "")).toBe("");
    for (const socket of sockets) socket.destroy();
    await eventually("there is room", async () => (await raw(1, "GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").catch(() => "")).startsWith("HTTP/1.1 200"));
  });

  it("answers with 429 and its name when a limit of the machine is reached", async () => {
    group = await TestGroup.start();
    const session = await group.session(1);
    await group.acquire(1, session, "held", "held");
    const limits = { ...machineLimits };
    // Of all three replicas: they are in this process.
    Object.assign(machineLimits, { sessions: 1, locks: 2, queueLength: 1, requestsPerSession: 4 });
    try {
      const reached = (answer: Answered): unknown => [answer.status, answer.body.error?.code, answer.body.error?.details];
      expect(reached(await group.call(2, "POST", "/v1/sessions"))).toEqual([429, "LIMIT_REACHED", { limit: "sessions", most: 1 }]);
      expect((await group.acquire(1, session, "two", "two")).status).toBe(200);
      expect(reached(await group.acquire(1, session, "three", "three"))).toEqual([429, "LIMIT_REACHED", { limit: "locks", most: 2 }]);
      expect((await group.acquire(1, session, "waits", "held", { waitMs: null, pollMs: 0, owner: "a" })).status).toBe(202);
      expect(reached(await group.acquire(1, session, "waits too", "held", { waitMs: null, pollMs: 0, owner: "b" }))).toEqual([429, "LIMIT_REACHED", { limit: "queueLength", most: 1, lock: "held" }]);
      expect((await group.acquire(1, session, "null", [{ lock: "two", mode: "NL" }])).status).toBe(200);
      expect(reached(await group.acquire(1, session, "five", "two"))).toEqual([429, "LIMIT_REACHED", { limit: "requestsPerSession", most: 4 }]);
      expect(reached(await group.call(1, "POST", `/v1/sessions/${session}/requests/two/convert`, { body: { request: "five", mode: "PR" } }))).toEqual([429, "LIMIT_REACHED", { limit: "requestsPerSession", most: 4 }]);
    } finally {
      Object.assign(machineLimits, limits);
    }
    expect(await group.release(1, session, "held", { body: { valueBlock: "A".repeat(1368) } })).toMatchObject({ status: 429, body: { error: { details: { limit: "valueBlockBytes", most: 1024 } } } });
    expect((await group.release(1, session, "held", { body: { valueBlock: `${"A".repeat(1365)}A==` } })).status).toBe(200);
  });

  it("refuses more than its replica can queue with 503, certainly not done", async () => {
    group = await TestGroup.start({ replicaLimits: { pendingSubmissions: 1 } });
    const session = await group.session(1);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => group.acquire(1, session, `r${i}`, `x${i}`)));
    const granted = answers.filter(({ status }) => status === 200);
    expect(granted.length).toBeGreaterThan(0);
    expect(granted.length).toBeLessThan(50);
    for (const { status, body } of answers) if (status !== 200) expect([status, body.error.code]).toEqual([503, "OVERLOADED"]);
    expect((await group.call(2, "GET", `/v1/sessions/${session}`)).body.requests).toBe(granted.length);
  });

  it("answers that it is not ready until it has the group's state", async () => {
    group = await TestGroup.start();
    const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
    const alone = await startServer({ transport: memory({ network: new MemoryNetwork({ nodes: 3 }), nodeId: 1 }), port: 0, logger: silent });
    const answer = await fetch(`${alone.url}/v1/sessions`, { method: "POST" });
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("1");
    expect((await fetch(`${alone.url}/v1/health`)).status).toBe(503);
    await alone.close();
  });
});
