/** Ends of sessions and of waits: at one position for everybody, however long the work takes that follows from them. */
import { describe, expect, it } from "vitest";
import { lockView, listSessions, requestState, sessionView, tokenIsCurrent } from "../../src/machine/views.js";
import { workPerEntry } from "../../src/machine/work.js";
import { Driver, replica } from "./driver.js";

/** One entry, and as many as are needed until nothing is left to do at this time. */
function finish(driver: Driver): number {
  let entries = 0;
  while (driver.nextTimerAt !== undefined && driver.nextTimerAt <= driver.now) {
    driver.entry([]);
    entries++;
  }
  return entries;
}

describe("a session", () => {
  it("is over at its deadline and not before, by every command of that entry", () => {
    const driver = new Driver();
    const [one, two] = [driver.open({ ttlMs: 1000 }), driver.open({ ttlMs: null })];
    driver.acquire(one, "1", "a");
    driver.now += 999;
    expect(driver.acquire(two, "early", "a", { waitMs: 0 }).status).toBe("refused");
    driver.now += 1;
    const { commands } = driver.entry([
      { name: "acquire", input: { session: one, request: "late", wants: [{ lock: "b", mode: "EX" }], waitMs: null } },
      { name: "acquire", input: { session: two, request: "2", wants: [{ lock: "a", mode: "EX" }], waitMs: 0 } },
    ]);
    expect(commands.map(({ outcome }) => (outcome.ok ? outcome.result : outcome))).toMatchObject([{ status: "refused", refusal: { code: "SESSION_OVER", reason: "expired" } }, { status: "granted", token: 2 }]);
  });

  it("lives on for its whole TTL from each renewal, which need not touch the order of deadlines", () => {
    const driver = new Driver();
    const session = driver.open({ ttlMs: 1000 });
    for (let renewed = 0; renewed < 5; renewed++) {
      driver.pass(600);
      expect(driver.run("renewSessions", { sessions: [session, "unknown"] })).toEqual([true, false]);
    }
    driver.pass(999);
    expect(sessionView(driver.state, session)?.deadline).toBe(driver.now + 1);
    driver.pass(1);
    expect(sessionView(driver.state, session)).toBeUndefined();
    expect(driver.state.expiries.size).toBe(0);
  });

  it("that a thousand others end with is over at once, though the work is done in parts", () => {
    const driver = new Driver({ checkDeterminism: false });
    const sessions = Array.from({ length: 700 }, () => driver.open({ ttlMs: 1000, lockDelayMs: 0 }));
    const waiting = driver.open({ ttlMs: null });
    for (const [at, session] of sessions.entries()) for (let held = 0; held < 3; held++) driver.acquire(session, `${held}`, `lock ${at} ${held}`);
    const last = `lock ${sessions.length - 1} 2`;
    const token = lockView(driver.state, last)?.holders[0]?.token ?? 0;
    driver.acquire(waiting, "waits", last);
    driver.now += 1000;
    driver.entry([]);
    expect(driver.state.backlog).toBe(true);
    expect(driver.state.legacies.size + driver.state.expiries.size).toBeGreaterThan(0);
    // Nobody sees anything of them.
    expect(listSessions(driver.state, { limit: 1000 }).sessions.map(({ session }) => session)).toEqual([waiting]);
    expect(tokenIsCurrent(driver.state, last, token)).toBe(false);
    expect(lockView(driver.state, last)?.holders ?? []).toEqual([]);
    for (const session of [sessions[0], sessions[699]]) expect(requestState(driver.state, session ?? "", "0")).toMatchObject({ status: "refused", refusal: { code: "SESSION_OVER", reason: "expired" } });
    // Who needs one of their locks does not wait for the work.
    expect(driver.acquire(waiting, "try", "lock 698 1", { waitMs: 0 }).status).toBe("granted");
    expect(finish(driver)).toBeGreaterThan(2);
    expect(requestState(driver.state, waiting, "waits")?.status).toBe("granted");
    expect([driver.state.backlog, driver.state.legacies.size, driver.state.locks.size, driver.state.liveRequests]).toEqual([false, 0, 2, 2]);
    const ends = Array.from(driver.state.events.values()).filter(({ type }) => type === "session-ended");
    expect(ends).toHaveLength(700);
    expect(new Set(Array.from(driver.state.events.values()).filter((event) => event.type === "released").map(({ position }) => position)).size).toBeGreaterThan(2);
  });

  it("gives back in the order in which it was granted, and what waits first of all", () => {
    const driver = new Driver();
    const [one, two] = [driver.open(), driver.open()];
    driver.acquire(two, "of two", "c");
    driver.acquire(one, "z", "a");
    driver.acquire(one, "waits", "c");
    driver.acquire(one, "b", "b");
    expect(driver.run("closeSession", { session: one })).toMatchObject({ closed: true, reason: "closed" });
    expect(Array.from(driver.state.events.values()).slice(-3).map((event) => ("request" in event ? event.request : event.type))).toEqual(["waits", "z", "b"]);
    expect(driver.run("closeSession", { session: one })).toMatchObject({ closed: false, reason: "closed" });
    expect(driver.run("closeSession", { session: "unknown" })).toMatchObject({ closed: false, reason: null });
  });

  it("with more than an entry's work leaves it to the next ones when it is closed", () => {
    const driver = new Driver({ checkDeterminism: false });
    const [one, two] = [driver.open({ ttlMs: null }), driver.open({ ttlMs: null })];
    for (let held = 0; held < workPerEntry + 200; held++) driver.acquire(one, `${held}`, `lock ${held}`);
    driver.run("closeSession", { session: one });
    expect(driver.state.backlog).toBe(true);
    expect(driver.acquire(two, "mine", `lock ${workPerEntry + 100}`, { waitMs: 0 }).status).toBe("granted");
    expect(finish(driver)).toBeGreaterThan(0);
    expect(driver.state.locks.size).toBe(1);
  });

  it("that is bound ends with the replica process that opened it, also if that comes back as another", () => {
    const driver = new Driver();
    const members = [replica(1), replica(2)];
    driver.entry([], { members });
    const [bound, free, other] = [driver.open({ bound: true, ttlMs: null }, replica(2)), driver.open({ ttlMs: null }, replica(2)), driver.open({ bound: true, ttlMs: null }, replica(1))];
    driver.acquire(bound, "1", "a");
    driver.acquire(other, "2", "a");
    driver.entry([], { members: [replica(1), replica(2, "replica-2-again")] });
    expect(sessionView(driver.state, bound)).toBeUndefined();
    expect(requestState(driver.state, bound, "1")).toMatchObject({ refusal: { code: "SESSION_OVER", reason: "replica-lost" } });
    expect(finish(driver)).toBe(1);
    expect(requestState(driver.state, other, "2")).toMatchObject({ status: "granted", token: 2 });
    expect(sessionView(driver.state, free)?.bound).toBe(false);
    expect(() => driver.open({ bound: true }, replica(2))).toThrow("SESSION_OVER");
  });
});

describe("a lock delay", () => {
  it("keeps everybody from what an expired session held, until it is over", () => {
    const driver = new Driver();
    const [one, two] = [driver.open({ ttlMs: 1000, lockDelayMs: 500 }), driver.open({ ttlMs: null })];
    driver.acquire(one, "1", "a");
    driver.acquire(two, "2", "a");
    driver.pass(1000);
    expect(driver.acquire(two, "try", "a", { waitMs: 0, owner: "x" })).toMatchObject({ status: "refused", refusal: { code: "LOCK_DELAY", untilMs: driver.now + 500, leftMs: 500 } });
    driver.pass(499);
    expect(requestState(driver.state, two, "2")?.status).toBe("waiting");
    driver.pass(1);
    expect(requestState(driver.state, two, "2")?.status).toBe("granted");
  });

  it("is not for sessions that are closed, but for those that are destroyed as Consul has it", () => {
    const driver = new Driver();
    const two = driver.open();
    for (const [delayed, status] of [[false, "granted"], [true, "refused"]] as const) {
      const one = driver.open({ lockDelayMs: 500 });
      driver.acquire(one, "1", `lock ${delayed}`);
      driver.run("closeSession", { session: one, delayed });
      expect(driver.acquire(two, `2 ${delayed}`, `lock ${delayed}`, { waitMs: 0 }).status).toBe(status);
    }
    driver.pass(500);
    expect(lockView(driver.state, "lock true")).toBeUndefined();
  });
});

describe("a request", () => {
  it("gives up when its time is over, even if it could have been granted at that very moment", () => {
    const driver = new Driver();
    const [one, two] = [driver.open({ ttlMs: 1000 }), driver.open({ ttlMs: null })];
    driver.acquire(one, "1", "a");
    driver.acquire(two, "2", "a", { waitMs: 1000 });
    driver.pass(1000);
    expect(requestState(driver.state, two, "2")).toEqual({ status: "refused", refusal: { code: "WAIT_TIMEOUT", waitedMs: 1000 } });
    expect(lockView(driver.state, "a")).toBeUndefined();
  });

  it("is given nothing after its time, though a thousand others' times are over at once and its turn has not come", () => {
    const driver = new Driver({ checkDeterminism: false });
    const [one, two] = [driver.open({ ttlMs: null }), driver.open({ ttlMs: null })];
    const ids = Array.from({ length: workPerEntry }, (_, at) => String(at).padStart(4, "0"));
    for (const id of ids) driver.acquire(one, id, `lock ${id}`);
    for (const id of ids) driver.acquire(two, id, `lock ${id}`, { waitMs: 1000 });
    const last = ids.at(-1) ?? "";
    driver.now = (requestState(driver.state, two, last) as { readonly deadline: number }).deadline;
    driver.run("release", { session: one, request: last });
    expect(driver.state.backlog).toBe(true);
    expect(lockView(driver.state, `lock ${last}`)?.holders ?? []).toEqual([]);
    expect(finish(driver)).toBeGreaterThan(0);
    const told = Array.from(driver.state.events.values()).filter((event) => "request" in event && event.session === two && event.request === last);
    expect(told).toMatchObject([{ type: "queued" }, { type: "refused", refusal: { code: "WAIT_TIMEOUT" } }]);
  });

  it("whose session is over, or that was never there, is answered with why, as long as that is known", () => {
    const driver = new Driver();
    const session = driver.open({ ttlMs: 1000 });
    driver.pass(1000);
    expect(driver.run("release", { session, request: "1" })).toMatchObject({ refusal: { code: "SESSION_OVER", reason: "expired" } });
    expect(driver.run("cancel", { session: "unknown", request: "1" })).toMatchObject({ refusal: { code: "SESSION_OVER", reason: null } });
  });
});
