/** Circles of waiting: who is refused, and what is none. */
import { describe, expect, it } from "vitest";
import type { RequestState, Want } from "../../src/machine/inputs.js";
import { requestState, waitForGraph } from "../../src/machine/views.js";
import { Driver } from "./driver.js";

const ex = (lock: string): Want => ({ lock, mode: "EX" });
const pr = (lock: string): Want => ({ lock, mode: "PR" });
const permits = (count: number, limit = 2): Want => ({ lock: "s", permits: count, limit });

/** The requests of the circle, and the locks by which each waits for the next. */
function circleIn(state: RequestState | undefined): string[] | undefined {
  return state?.status === "refused" && state.refusal.code === "DEADLOCK" ? state.refusal.cycle.map(({ request, lock }) => `${request} for ${lock}`) : undefined;
}

describe("a deadlock", () => {
  it("of two is found when the second asks, who is refused with the circle", () => {
    const driver = new Driver();
    const [one, two] = [driver.open(), driver.open()];
    driver.acquire(one, "a of one", "a");
    driver.acquire(two, "b of two", "b");
    expect(driver.acquire(one, "b of one", "b").status).toBe("waiting");
    expect(circleIn(driver.acquire(two, "a of two", "a"))).toEqual(["a of two for a", "b of one for b"]);
    // Who was refused holds what it held.
    expect(requestState(driver.state, two, "b of two")?.status).toBe("granted");
    driver.run("release", { session: two, request: "b of two" });
    expect(requestState(driver.state, one, "b of one")?.status).toBe("granted");
  });

  it("goes through those who only stand in a queue", () => {
    const driver = new Driver();
    const [reader, writer, third] = [driver.open(), driver.open(), driver.open()];
    driver.acquire(reader, "read", [pr("a")]);
    driver.acquire(third, "held", "b");
    driver.acquire(writer, "write", "a");
    driver.acquire(writer, "other", "c");
    expect(driver.acquire(third, "read behind", [pr("a")]).status).toBe("waiting");
    // The writer does not hold a; but the reader behind it waits for it.
    expect(circleIn(driver.acquire(reader, "b", "b"))).toEqual(["b for b", "read behind for a", "write for a"]);
  });

  it("is none between parallel tasks of a session, if they say that they are different", () => {
    const driver = new Driver();
    const session = driver.open();
    driver.acquire(session, "1", "a", { owner: "x" });
    expect(driver.acquire(session, "2", "a", { owner: "y" }).status).toBe("waiting");
    expect(circleIn(driver.acquire(session, "3", "a", { owner: "x" }))).toEqual(["3 for a"]);
    driver.run("release", { session, request: "1" });
    expect(requestState(driver.state, session, "2")?.status).toBe("granted");
  });

  it("of two who convert upwards is broken by refusing the second conversion, whose grant stays", () => {
    const driver = new Driver();
    const [one, two] = [driver.open(), driver.open()];
    driver.acquire(one, "r1", [pr("a")]);
    driver.acquire(two, "r2", [pr("a")]);
    expect(driver.run("convert", { session: one, request: "w1", grant: "r1", mode: "EX", waitMs: null }).status).toBe("waiting");
    expect(circleIn(driver.run("convert", { session: two, request: "w2", grant: "r2", mode: "EX", waitMs: null }))).toEqual(["w2 for a", "w1 for a"]);
    expect(requestState(driver.state, two, "r2")?.status).toBe("granted");
    driver.run("release", { session: two, request: "r2" });
    expect(requestState(driver.state, one, "w1")).toMatchObject({ status: "granted", token: 3 });
    expect(requestState(driver.state, one, "r1")).toEqual({ status: "refused", refusal: { code: "RELEASED", reason: "converted" } });
  });

  it("that a conversion brings about which is granted at once is broken at the youngest who waits", () => {
    const driver = new Driver();
    const [one, two, three] = [driver.open(), driver.open(), driver.open()];
    driver.acquire(one, "b of one", "b");
    driver.acquire(two, "place", [{ lock: "a", mode: "NL" }]);
    driver.acquire(three, "read", [pr("a")]);
    expect(driver.acquire(one, "a of one", "a").status).toBe("waiting");
    expect(driver.acquire(two, "b of two", "b").status).toBe("waiting");
    // Who waits for the reader, waits for this one too from now on.
    expect(driver.run("convert", { session: two, request: "cr", grant: "place", mode: "CR", waitMs: 0 }).status).toBe("granted");
    expect(circleIn(requestState(driver.state, two, "b of two"))).toEqual(["b of two for b", "a of one for a"]);
    expect(requestState(driver.state, one, "a of one")?.status).toBe("waiting");
  });

  it("of one that wants several locks is refused as any other", () => {
    const driver = new Driver();
    const [one, two] = [driver.open(), driver.open()];
    driver.acquire(one, "a", "a");
    driver.acquire(two, "c", "c");
    expect(driver.acquire(two, "a and b", [ex("a"), ex("b")]).status).toBe("waiting");
    expect(circleIn(driver.acquire(one, "b and c", [ex("b"), ex("c")]))).toBeDefined();
  });

  it("is none while somebody else may give back enough permits", () => {
    const driver = new Driver();
    const [one, two, three] = [driver.open(), driver.open(), driver.open()];
    driver.acquire(one, "p1", [permits(1)]);
    driver.acquire(two, "p2", [permits(1)]);
    driver.acquire(three, "a", "a");
    expect(driver.acquire(three, "p3", [permits(1)]).status).toBe("waiting");
    // One waits for three, who waits for one or two.
    expect(driver.acquire(one, "a of one", "a").status).toBe("waiting");
    // Now there is nobody left to give any back.
    expect(circleIn(driver.acquire(two, "a of two", "a"))).toBeDefined();
    driver.run("release", { session: two, request: "p2" });
    expect(requestState(driver.state, three, "p3")?.status).toBe("granted");
  });

  it("can be seen coming in the graph of who waits for whom", () => {
    const driver = new Driver();
    const [one, two, three] = [driver.open(), driver.open(), driver.open()];
    driver.acquire(one, "1", "a");
    driver.acquire(two, "2", "a");
    driver.acquire(three, "3", "a", { owner: "x" });
    const { edges, truncated } = waitForGraph(driver.state);
    expect(truncated).toBe(false);
    expect(edges.map(({ from, to, lock }) => `${from.request} ${to.request} ${lock}`)).toEqual(["2 1 a", "3 2 a", "3 1 a"]);
    expect(waitForGraph(driver.state, { prefix: "b" }).edges).toEqual([]);
  });
});
