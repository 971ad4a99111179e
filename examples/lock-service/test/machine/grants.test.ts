/** What one command gives to whom: modes, queues, permits, conversions, value blocks, notices, answers. */
import { describe, expect, it } from "vitest";
import { machineLimits, type Want } from "../../src/machine/inputs.js";
import { compatible, lockModes } from "../../src/machine/modes.js";
import { eventsAfter, listLocks, listRequests, lockView, requestState, tokenIsCurrent } from "../../src/machine/views.js";
import { Driver, Rejected } from "./driver.js";

const want = (lock: string, mode: (typeof lockModes)[number] = "EX"): Want[] => [{ lock, mode }];
const permits = (count: number, limit = 3): Want[] => [{ lock: "s", permits: count, limit }];

function rejectionOf(run: () => unknown): { readonly code: string; readonly details: unknown } | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof Rejected) return { code: error.code, details: error.details };
    throw error;
  }
  return undefined;
}

const blockOf = (driver: Driver, lock: string): unknown => lockView(driver.state, lock)?.valueBlock;

describe("modes", () => {
  it("go together as the table says, whoever comes first", () => {
    for (const held of lockModes) {
      for (const wanted of lockModes) {
        const driver = new Driver({ checkDeterminism: false });
        driver.acquire(driver.open(), "1", want("a", held));
        const { status } = driver.acquire(driver.open(), "2", want("a", wanted));
        expect(`${held} ${wanted} ${status}`).toBe(`${held} ${wanted} ${compatible(held, wanted) ? "granted" : "waiting"}`);
      }
    }
  });

  it("let readers that stand together in together, and none past a writer that waits", () => {
    const driver = new Driver();
    const session = driver.open();
    const acquire = (request: string, mode: (typeof lockModes)[number]) => driver.acquire(session, request, want("a", mode), { owner: request }).status;
    expect([acquire("r1", "PR"), acquire("w", "EX"), acquire("r2", "PR"), acquire("r3", "PR"), acquire("place", "NL")]).toEqual(["granted", "waiting", "waiting", "waiting", "granted"]);
    driver.run("release", { session, request: "r1" });
    expect(lockView(driver.state, "a")?.holders.map(({ request }) => request)).toEqual(["place", "w"]);
    driver.run("release", { session, request: "w" });
    expect(lockView(driver.state, "a")?.holders.map(({ request }) => request)).toEqual(["place", "r2", "r3"]);
  });

  it("keep as many holders as there are, in rows of their own when they are many", () => {
    const driver = new Driver({ checkDeterminism: false });
    const session = driver.open();
    const readers = Array.from({ length: 50 }, (_, at) => `r${at}`);
    for (const request of readers) driver.acquire(session, request, want("a", "PR"), { owner: request });
    expect(driver.state.crowds.size).toBe(50);
    expect(lockView(driver.state, "a")?.holders.map(({ request }) => request)).toEqual(readers);
    expect(listLocks(driver.state, { limit: 10 }).locks).toEqual([{ lock: "a", kind: "modes", limit: null, holders: 50, waiters: 0, mode: "PR", permits: null, delayUntil: null }]);
    expect(driver.acquire(session, "w", want("a"), { owner: "w" }).status).toBe("waiting");
    for (const request of readers) {
      expect(requestState(driver.state, session, "w")?.status).toBe("waiting");
      expect(tokenIsCurrent(driver.state, "a", readers.indexOf(request) + 1)).toBe(true);
      driver.run("release", { session, request });
      expect(tokenIsCurrent(driver.state, "a", readers.indexOf(request) + 1)).toBe(false);
    }
    expect(requestState(driver.state, session, "w")).toMatchObject({ status: "granted", token: 51 });
    expect(driver.state.crowds.size).toBe(0);
  });
});

describe("several locks", () => {
  it("are granted together or not at all, and the places kept meanwhile", () => {
    const driver = new Driver();
    const [one, two, three] = [driver.open(), driver.open(), driver.open()];
    driver.acquire(one, "b", want("b"));
    expect(driver.acquire(two, "a and b", [...want("a"), ...want("b")]).status).toBe("waiting");
    expect(lockView(driver.state, "a")?.holders).toEqual([]);
    // It is not overtaken at a, which is free.
    expect(driver.acquire(three, "a", want("a"))).toMatchObject({ status: "waiting", ahead: 1 });
    driver.run("release", { session: one, request: "b" });
    expect(requestState(driver.state, two, "a and b")).toMatchObject({ status: "granted", token: 2, locks: [{ lock: "a" }, { lock: "b" }] });
    driver.run("release", { session: two, request: "a and b" });
    expect(requestState(driver.state, three, "a")?.status).toBe("granted");
  });

  it("are all taken when an operator takes one, and the event says why", () => {
    const driver = new Driver();
    const session = driver.open();
    driver.acquire(session, "1", [...want("a"), ...want("b")]);
    expect(driver.run("forceRelease", { lock: "a", reason: "stuck", by: "root" })).toMatchObject({ released: 1, sessions: [session] });
    expect(requestState(driver.state, session, "1")).toEqual({ status: "refused", refusal: { code: "RELEASED", reason: "stuck" } });
    expect(eventsAfter(driver.state, 2, 10).events).toMatchObject([{ type: "force-released", lock: "a", reason: "stuck", by: "root" }, { type: "released", locks: ["a", "b"], reason: "forced" }]);
    expect(driver.state.locks.size).toBe(0);
  });
});

describe("permits", () => {
  it("are handed out up to the limit, and a large request is not overtaken by small ones", () => {
    const driver = new Driver();
    const session = driver.open();
    const acquire = (request: string, count: number) => driver.acquire(session, request, permits(count), { owner: request }).status;
    expect([acquire("1", 1), acquire("2", 1), acquire("large", 3), acquire("small", 1)]).toEqual(["granted", "granted", "waiting", "waiting"]);
    driver.run("release", { session, request: "1" });
    expect(requestState(driver.state, session, "small")?.status).toBe("waiting");
    driver.run("release", { session, request: "2" });
    expect(lockView(driver.state, "s")?.holders.map(({ request }) => request)).toEqual(["large"]);
  });

  it("are of one limit while anybody uses them", () => {
    const driver = new Driver();
    const session = driver.open();
    driver.acquire(session, "1", permits(1));
    expect(rejectionOf(() => driver.acquire(session, "2", permits(1, 4)))).toEqual({ code: "KIND_MISMATCH", details: { lock: "s", kind: "semaphore", limit: 3 } });
    expect(rejectionOf(() => driver.acquire(session, "2", want("s")))).toMatchObject({ code: "KIND_MISMATCH" });
    expect(rejectionOf(() => driver.acquire(session, "2", [{ lock: "t", permits: 4, limit: 3 }]))).toMatchObject({ code: "KIND_MISMATCH" });
    driver.run("release", { session, request: "1" });
    expect(driver.acquire(session, "2", want("s")).status).toBe("granted");
  });
});

describe("a conversion", () => {
  it("downwards is granted at once with a new token, and lets others in", () => {
    const driver = new Driver();
    const [one, two] = [driver.open(), driver.open()];
    driver.acquire(one, "w", want("a"));
    driver.acquire(two, "r", want("a", "PR"));
    expect(driver.run("convert", { session: one, request: "c", grant: "w", mode: "PR", waitMs: 0 })).toMatchObject({ status: "granted", token: 2 });
    expect(requestState(driver.state, two, "r")).toMatchObject({ status: "granted", token: 3 });
    expect(tokenIsCurrent(driver.state, "a", 1)).toBe(false);
  });

  it("upwards waits for holders and passes those who wait; giving back what it converts ends it", () => {
    const driver = new Driver();
    const [one, two, three] = [driver.open(), driver.open(), driver.open()];
    driver.acquire(one, "r1", want("a", "PR"));
    driver.acquire(two, "r2", want("a", "PR"));
    driver.acquire(three, "w", want("a"));
    expect(driver.run("convert", { session: one, request: "c", grant: "r1", mode: "EX", waitMs: null })).toMatchObject({ status: "waiting", ahead: 0 });
    expect(lockView(driver.state, "a")?.waiters.map(({ request, converting }) => [request, converting])).toEqual([["c", "r1"], ["w", null]]);
    expect(rejectionOf(() => driver.run("convert", { session: one, request: "d", grant: "r1", mode: "PW", waitMs: null }))?.code).toBe("NOT_CONVERTIBLE");
    driver.run("release", { session: two, request: "r2" });
    expect(requestState(driver.state, one, "c")?.status).toBe("granted");
    driver.run("convert", { session: one, request: "e", grant: "c", mode: "PR", waitMs: null });
    driver.run("release", { session: one, request: "e" });
    expect(requestState(driver.state, three, "w")?.status).toBe("granted");
    expect(rejectionOf(() => driver.run("convert", { session: three, request: "f", grant: "none", mode: "NL", waitMs: null }))?.code).toBe("NO_SUCH_REQUEST");
  });

  it("that gives up leaves the grant as it was", () => {
    const driver = new Driver();
    const [one, two] = [driver.open({ ttlMs: null }), driver.open({ ttlMs: null })];
    driver.acquire(one, "r1", want("a", "PR"));
    driver.acquire(two, "r2", want("a", "PR"));
    driver.run("convert", { session: one, request: "c", grant: "r1", mode: "EX", waitMs: 100 });
    driver.pass(100);
    expect(requestState(driver.state, one, "c")).toMatchObject({ refusal: { code: "WAIT_TIMEOUT" } });
    expect(requestState(driver.state, one, "r1")).toMatchObject({ status: "granted", token: 1 });
    expect(driver.run("convert", { session: one, request: "d", grant: "r1", mode: "CR", waitMs: 0 }).status).toBe("granted");
  });
});

describe("a value block", () => {
  it("is written by who holds PW or EX, read by the next, invalid after its writer died, and gone with the last", () => {
    const driver = new Driver();
    const [one, two] = [driver.open({ ttlMs: 1000 }), driver.open({ ttlMs: null })];
    driver.acquire(two, "place", want("a", "NL"));
    driver.acquire(one, "w", want("a"));
    expect(blockOf(driver, "a")).toBeNull();
    driver.run("convert", { session: one, request: "pw", grant: "w", mode: "PW", waitMs: 0, valueBlock: "AQ==" });
    expect(blockOf(driver, "a")).toEqual({ data: "AQ==", valid: true });
    driver.pass(1000);
    expect(blockOf(driver, "a")).toEqual({ data: "AQ==", valid: false });
    expect(driver.acquire(two, "w2", want("a"), { owner: "x" })).toMatchObject({ locks: [{ valueBlock: { data: "AQ==", valid: false } }] });
    driver.run("release", { session: two, request: "w2", valueBlock: "Ag==" });
    expect(blockOf(driver, "a")).toEqual({ data: "Ag==", valid: true });
    expect(rejectionOf(() => driver.run("release", { session: two, request: "place", valueBlock: "Aw==" }))?.code).toBe("NOT_WRITABLE");
    driver.run("release", { session: two, request: "place" });
    expect(driver.acquire(two, "new", want("a"))).toMatchObject({ locks: [{ valueBlock: null }] });
    expect(rejectionOf(() => driver.run("release", { session: two, request: "new", valueBlock: Buffer.alloc(machineLimits.valueBlockBytes + 1).toString("base64") }))).toMatchObject({ code: "LIMIT_REACHED", details: { limit: "valueBlockBytes" } });
  });
});

describe("a blocking notice", () => {
  const noticesIn = (driver: Driver) => Array.from(driver.state.events.values()).flatMap((event) => (event.type === "blocking" ? [`${event.request} ${event.lock} ${event.wanted}`] : []));

  it("goes to each holder in the way of who is first, once for its grant", () => {
    const driver = new Driver();
    const [holders, waiters] = [driver.open(), driver.open()];
    driver.acquire(holders, "r1", want("a", "PR"));
    driver.acquire(holders, "r2", want("a", "PR"));
    driver.acquire(holders, "cr", want("a", "CR"));
    driver.acquire(waiters, "w1", want("a", "PW"), { owner: "x" });
    driver.acquire(waiters, "w2", want("a"), { owner: "y" });
    expect(noticesIn(driver)).toEqual(["r1 a PW", "r2 a PW"]);
    driver.run("release", { session: holders, request: "r1" });
    driver.run("release", { session: holders, request: "r2" });
    // Now w2 is first: the concurrent reader and w1 are in its way.
    expect(noticesIn(driver)).toEqual(["r1 a PW", "r2 a PW", "cr a EX", "w1 a EX"]);
  });
});

describe("an answer", () => {
  it("to a request that is over is the same again, for the newest of a session", () => {
    const driver = new Driver({ checkDeterminism: false });
    const session = driver.open({ ttlMs: null });
    const { answersPerSession } = machineLimits;
    for (let at = 0; at < 3 * answersPerSession; at++) {
      driver.acquire(session, `${at}`, want("a"));
      driver.run("release", { session, request: `${at}` });
    }
    const newest = 3 * answersPerSession - 1;
    for (const at of [newest, newest - answersPerSession + 1]) expect(driver.acquire(session, `${at}`, want("a"))).toEqual({ status: "refused", refusal: { code: "RELEASED", reason: null } });
    expect(driver.state.requests.size).toBeLessThan(3 * answersPerSession);
    expect(requestState(driver.state, session, "0")).toBeUndefined();
    expect(driver.state.token).toBe(3 * answersPerSession);
  });

  it("of the same request again is its state; of another under its id, a rejection", () => {
    const driver = new Driver();
    const [one, two] = [driver.open(), driver.open()];
    const granted = driver.acquire(one, "1", want("a"));
    expect(driver.acquire(one, "1", want("a"), { waitMs: 0 })).toEqual(granted);
    expect(rejectionOf(() => driver.acquire(one, "1", want("b")))?.code).toBe("REQUEST_MISMATCH");
    expect(rejectionOf(() => driver.acquire(one, "1", want("a"), { owner: "x" }))?.code).toBe("REQUEST_MISMATCH");
    driver.acquire(two, "1", want("a"));
    expect(driver.acquire(two, "1", want("a"), { waitMs: 5 })).toMatchObject({ status: "waiting", deadline: null });
    expect(driver.state.queue.size).toBe(1);
  });

  it("to a cancellation that comes before its request is kept for it", () => {
    const driver = new Driver();
    const session = driver.open();
    expect(driver.run("cancel", { session, request: "1" })).toMatchObject({ refusal: { code: "CANCELLED" } });
    expect(driver.acquire(session, "1", want("a"))).toMatchObject({ refusal: { code: "CANCELLED" } });
    expect(rejectionOf(() => driver.run("release", { session, request: "2" }))?.code).toBe("NO_SUCH_REQUEST");
    expect(driver.state.locks.size).toBe(0);
  });

  it("shows the holder's value, as it was last proclaimed", () => {
    const driver = new Driver();
    const session = driver.open();
    driver.acquire(session, "1", want("a"), { value: "host-1" });
    driver.run("proclaim", { session, request: "1", value: "host-2" });
    expect(lockView(driver.state, "a")?.holders).toMatchObject([{ value: "host-2" }]);
    expect(listRequests(driver.state, session, { limit: 1 })).toMatchObject({ requests: [{ request: "1", status: "granted" }], next: null });
    expect(rejectionOf(() => driver.run("proclaim", { session, request: "1", value: "x".repeat(machineLimits.valueBytes + 1) }))).toMatchObject({ code: "LIMIT_REACHED" });
  });
});

describe("events", () => {
  it("are kept in order, the newest of them, and say when older ones were asked for", () => {
    const driver = new Driver({ checkDeterminism: false });
    const session = driver.open({ ttlMs: null });
    for (let at = 0; at < machineLimits.events / 2 + 300; at++) {
      driver.acquire(session, `${at}`, want("a"));
      driver.run("release", { session, request: `${at}` });
    }
    const { oldest, newest, trimmed } = eventsAfter(driver.state, 0, 1);
    expect(trimmed).toBe(true);
    expect(newest - oldest).toBeGreaterThanOrEqual(machineLimits.events - 1);
    expect(eventsAfter(driver.state, oldest - 1, 3)).toMatchObject({ trimmed: false, events: [{ revision: oldest }, { revision: oldest + 1 }, { revision: oldest + 2 }] });
  });
});
