/** The machine beside a model that recomputes everything, through random commands and times. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Refusal, RequestState, Want } from "../../src/machine/inputs.js";
import { lockModes, type LockMode } from "../../src/machine/modes.js";
import { lockView, requestState, sessionView, tokenIsCurrent } from "../../src/machine/views.js";
import { Driver, Rejected, replica } from "./driver.js";
import { Model, type ModelRequest, type ModelSession } from "../../src/testing/model.js";

const lockNames = ["a", "b", "c"];
const semaphore = "s";
const semaphoreLimit = 3;

const mode = fc.constantFrom<LockMode>(...lockModes, "EX", "PR");
const wantOf = (lock: string): fc.Arbitrary<Want> => lock === semaphore ? fc.integer({ min: 1, max: 3 }).map((permits) => ({ lock, permits, limit: semaphoreLimit })) : mode.map((of) => ({ lock, mode: of }));
const wants = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...lockNames, semaphore).chain(wantOf).map((one) => [one]) }, fc.subarray([...lockNames, semaphore], { minLength: 2, maxLength: 3 }).chain((names) => fc.tuple(...names.map(wantOf))));
const who = fc.nat({ max: 3 });
const which = fc.nat({ max: 7 });
const owner = fc.constantFrom(undefined, undefined, "x", "y");
const waitMs = fc.constantFrom(null, null, 0, 7, 30);
const block = fc.constantFrom(undefined, undefined, "AA==", "AQ==");

const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ type: fc.constant("open" as const), ttlMs: fc.constantFrom(null, 20, 50), lockDelayMs: fc.constantFrom(0, 0, 15), bound: fc.boolean(), slot: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("close" as const), who, delayed: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("renew" as const), who }) },
  { weight: 9, arbitrary: fc.record({ type: fc.constant("acquire" as const), who, owner, wants, waitMs }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("again" as const), which }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("convert" as const), which, mode, waitMs, block }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant("release" as const), which, block }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("cancel" as const), which }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("proclaim" as const), which }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("force" as const), lock: fc.constantFrom(...lockNames, semaphore), who: fc.option(who) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("pass" as const), ms: fc.constantFrom(1, 3, 7, 15, 20) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("late" as const), ms: fc.constantFrom(8, 25, 60) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("lose" as const), slot: fc.integer({ min: 1, max: 3 }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Both, and what both have been told. */
class Pair {
  readonly driver = new Driver();
  readonly model = new Model();
  readonly #incarnations = [1, 1, 1];
  #names = 0;
  #highestToken = 0;
  readonly #tokens = new Map<ModelRequest, number>();

  constructor() {
    this.model.now = this.driver.now;
    this.#tellMembers();
  }

  #replica(slot: number) {
    return replica(slot, `${slot}/${this.#incarnations[slot - 1]}`);
  }

  #tellMembers(): void {
    this.driver.entry([], { members: [1, 2, 3].map((slot) => this.#replica(slot)) });
  }

  #session(index: number): ModelSession | undefined {
    const { sessions } = this.model;
    return sessions.at(-1 - index);
  }

  #request(index: number, statuses = ["waiting", "granted"]): ModelRequest | undefined {
    return this.model.requests.filter(({ status }) => statuses.includes(status)).at(-1 - index) ?? this.model.requests.at(-1 - index);
  }

  #name(): string {
    this.#names++;
    return `r${this.#names}`;
  }

  /** Runs a step on both, and compares all that can be seen. */
  run(one: Step): void {
    this.#do(one);
    this.model.settle();
    this.compare();
  }

  #do(one: Step): void {
    const { driver, model } = this;
    switch (one.type) {
      case "open": {
        const origin = this.#replica(one.slot);
        const id = driver.open({ ttlMs: one.ttlMs, lockDelayMs: one.lockDelayMs, bound: one.bound }, origin);
        model.sessions.push({ id, ttlMs: one.ttlMs, lockDelayMs: one.lockDelayMs, boundTo: one.bound ? origin.incarnation : null, deadline: one.ttlMs === null ? Infinity : model.now + one.ttlMs, ended: undefined });
        return;
      }
      case "close": {
        const session = this.#session(one.who);
        if (session === undefined) return;
        const { closed } = driver.run("closeSession", { session: session.id, delayed: one.delayed });
        expect(closed).toBe(session.ended === undefined);
        if (session.ended === undefined) model.end(session, "closed", one.delayed);
        return;
      }
      case "renew": {
        const session = this.#session(one.who);
        if (session === undefined) return;
        expect(driver.run("renewSessions", { sessions: [session.id] })).toEqual([session.ended === undefined]);
        if (session.ended === undefined && session.ttlMs !== null) session.deadline = model.now + session.ttlMs;
        return;
      }
      case "acquire": return this.#acquire(one);
      case "again": {
        const request = this.#request(one.which, ["waiting", "granted", "refused"]);
        if (request === undefined || request.converts !== undefined) return;
        const state = driver.run("acquire", { session: request.session.id, request: request.request, wants: request.wants, waitMs: null, ...(request.owner === null ? {} : { owner: request.owner }) });
        expect(codeOf(state)).toBe(expected(request));
        return;
      }
      case "convert": return this.#convert(one);
      case "release": {
        const request = this.#request(one.which);
        if (request === undefined) return;
        const { session } = request;
        const writable = request.wants.length === 1 && "mode" in request.wants[0]! && ["PW", "EX"].includes(request.wants[0].mode);
        const input = { session: session.id, request: request.request, ...(one.block === undefined ? {} : { valueBlock: one.block }) };
        if (session.ended === undefined && request.status === "granted" && one.block !== undefined && !writable) {
          expect(rejection(() => driver.run("release", input))).toBe("NOT_WRITABLE");
          return;
        }
        const state = driver.run("release", input);
        if (session.ended === undefined && request.status === "granted") {
          if (one.block !== undefined) model.blocks.set(request.wants[0]!.lock, { data: one.block, valid: true });
          model.finish(request, "RELEASED");
        } else if (request.status === "waiting") model.finish(request, "CANCELLED");
        expect(codeOf(state)).toBe(expected(request));
        return;
      }
      case "cancel": {
        const request = this.#request(one.which);
        if (request === undefined) return;
        const state = driver.run("cancel", { session: request.session.id, request: request.request });
        if (request.status !== "refused") model.finish(request, "CANCELLED");
        expect(codeOf(state)).toBe(expected(request));
        return;
      }
      case "proclaim": {
        const request = this.#request(one.which);
        if (request === undefined) return;
        const value = this.#name();
        const state = driver.run("proclaim", { session: request.session.id, request: request.request, value });
        if (request.status !== "refused") request.value = value;
        expect(codeOf(state)).toBe(expected(request));
        return;
      }
      case "force": {
        const only = one.who === null ? undefined : this.#session(one.who);
        const taken = model.granted(one.lock).filter(({ session }) => only === undefined || session === only);
        const result = driver.run("forceRelease", { lock: one.lock, reason: "test", by: "operator", ...(only === undefined ? {} : { session: only.id }) });
        expect(result.released).toBe(taken.length);
        for (const request of taken) {
          model.abandon(request, 0);
          model.finish(request, "RELEASED");
        }
        return;
      }
      case "pass": {
        const end = model.now + one.ms;
        for (;;) {
          const next = Math.min(...model.sessions.filter(({ ended }) => ended === undefined).map(({ deadline }) => deadline), ...model.requests.filter(({ status }) => status === "waiting").map(({ deadline }) => deadline), ...[...model.delays.values()].filter((until) => until > model.now));
          if (next > end) break;
          model.reach(next);
          model.settle();
        }
        model.now = end;
        driver.pass(one.ms);
        return;
      }
      case "late": {
        model.reach(model.now + one.ms);
        driver.now += one.ms;
        driver.entry([]);
        return;
      }
      case "lose": {
        const lost = this.#replica(one.slot).incarnation;
        this.#incarnations[one.slot - 1]!++;
        this.#tellMembers();
        // A timer that was set at the change of members fires with the next entry.
        driver.entry([]);
        for (const session of model.sessions) if (session.ended === undefined && session.boundTo === lost) model.end(session, "replica-lost", true);
        return;
      }
    }
  }

  #acquire({ who: index, owner: by, wants: wanted, waitMs: wait }: Extract<Step, { type: "acquire" }>): void {
    const { driver, model } = this;
    const session = this.#session(index);
    if (session === undefined) return;
    const request = this.#name();
    const state = driver.run("acquire", { session: session.id, request, wants: wanted, waitMs: wait, ...(by === undefined ? {} : { owner: by }) });
    if (session.ended !== undefined) {
      expect(state).toEqual({ status: "refused", refusal: { code: "SESSION_OVER", session: session.id, reason: session.ended } });
      return;
    }
    const added = model.add({ session, request, owner: by ?? null, wants: [...wanted], converts: undefined, deadline: wait === null ? Infinity : model.now + wait, value: null });
    this.#newRequest(added, wait, state);
  }

  #convert({ which: index, mode: to, waitMs: wait, block: data }: Extract<Step, { type: "convert" }>): void {
    const { driver, model } = this;
    const held = this.#request(index, ["granted"]);
    if (held === undefined) return;
    const { session } = held;
    const request = this.#name();
    const run = () => driver.run("convert", { session: session.id, request, grant: held.request, mode: to, waitMs: wait, ...(data === undefined ? {} : { valueBlock: data }) });
    const [want] = held.wants;
    if (session.ended !== undefined) {
      expect(codeOf(run())).toBe("SESSION_OVER");
      return;
    }
    const converting = model.requests.some(({ converts, status }) => converts === held && status === "waiting");
    if (held.status !== "granted" || held.wants.length !== 1 || want === undefined || !("mode" in want) || converting) {
      expect(rejection(run)).toBe("NOT_CONVERTIBLE");
      return;
    }
    if (data !== undefined && want.mode !== "PW" && want.mode !== "EX") {
      expect(rejection(run)).toBe("NOT_WRITABLE");
      return;
    }
    const state = run();
    if (data !== undefined) model.blocks.set(want.lock, { data, valid: true });
    const added = model.add({ session, request, owner: held.owner, wants: [{ lock: want.lock, mode: to }], converts: held, deadline: wait === null ? Infinity : model.now + wait, value: held.value });
    const order = ["NL", "CR", "CW PR", "PW", "EX"];
    const downward = want.mode === to || order.findIndex((rank) => rank.includes(to)) < order.findIndex((rank) => rank.includes(want.mode));
    if (downward) {
      expect(state.status).toBe("granted");
      model.grant(added);
      return;
    }
    this.#newRequest(added, wait, state);
  }

  #newRequest(added: ModelRequest, wait: number | null, state: RequestState): void {
    const { model } = this;
    const obstacle = model.obstacle(added);
    if (wait === 0 && obstacle !== undefined) {
      model.finish(added, obstacle);
      expect(codeOf(state)).toBe(obstacle);
      return;
    }
    if (obstacle === undefined) {
      model.grant(added);
      expect(state.status).toBe("granted");
    }
    // Circles: of those that are in one, the machine may choose the youngest of any.
    for (let circle = model.deadlocked(); circle.length > 0; circle = model.deadlocked()) {
      const victim = model.requests.findLast((each) => circle.includes(each.seq) && this.#refusalNow(each)?.code === "DEADLOCK");
      if (victim === undefined) throw new Error(`a circle of ${circle.join(", ")} was not refused`);
      const refusal = this.#refusalNow(victim) as Extract<Refusal, { code: "DEADLOCK" }>;
      const links = refusal.cycle.map((link) => model.requests.find((each) => each.session.id === link.session && each.request === link.request)!);
      expect(links.every((link) => circle.includes(link.seq)), "all of the circle that is named are in one").toBe(true);
      expect(Math.max(...links.map(({ seq }) => seq)), "the youngest is refused").toBe(victim.seq);
      model.finish(victim, "DEADLOCK");
    }
  }

  #refusalNow({ session, request }: ModelRequest): Refusal | undefined {
    const state = requestState(this.driver.state, session.id, request);
    return state?.status === "refused" ? state.refusal : undefined;
  }

  compare(): void {
    const { driver: { state }, model } = this;
    const newlyGranted: number[] = [];
    for (const session of model.sessions) expect(sessionView(state, session.id) === undefined, `session ${session.id} is over`).toBe(session.ended !== undefined);
    for (const request of model.requests) {
      const seen = requestState(state, request.session.id, request.request);
      expect(`${request.request} ${seen === undefined ? "forgotten" : codeOf(seen)}`).toBe(`${request.request} ${expected(request)}`);
      if (seen?.status !== "granted") continue;
      const before = this.#tokens.get(request);
      if (before === undefined) {
        newlyGranted.push(seen.token);
        this.#tokens.set(request, seen.token);
      } else expect(seen.token, "a grant keeps its token").toBe(before);
      for (const { lock } of request.wants) expect(tokenIsCurrent(state, lock, seen.token)).toBe(true);
    }
    for (const token of newlyGranted) expect(token, "tokens increase").toBeGreaterThan(this.#highestToken);
    expect(new Set(newlyGranted).size, "each its own").toBe(newlyGranted.length);
    this.#highestToken = state.token;
    for (const lock of [...lockNames, semaphore]) this.#compareLock(lock);
    expect(state.liveRequests).toBe(model.requests.filter(({ status }) => status !== "refused").length);
    expect(state.waiting.size).toBe(model.requests.filter(({ status }) => status === "waiting").length);
    expect(state.backlog).toBe(false);
  }

  #compareLock(lock: string): void {
    const { driver: { state }, model } = this;
    const view = lockView(state, lock);
    const holders = model.granted(lock);
    const waiters = model.queue(lock);
    const delay = model.delayed(lock) ?? null;
    expect(state.locks.has(lock), `a row of ${lock}`).toBe(holders.length + waiters.length > 0 || delay !== null);
    if (!state.locks.has(lock)) return;
    expect(new Map(view?.holders.map(({ request, value }) => [request, value]))).toEqual(new Map(holders.map(({ request, value }) => [request, value])));
    expect((view?.waiters ?? []).map(({ request }) => request)).toEqual(waiters.map(({ request }) => request));
    expect(view?.delayUntil ?? null).toBe(delay);
    expect(view?.valueBlock ?? null).toEqual(model.blocks.get(lock) ?? null);
    const row = state.locks.get(lock);
    expect((row?.waiting ?? 0) + (row?.places ?? 0)).toBe(waiters.length);
  }
}

function codeOf(state: RequestState): string {
  return state.status === "refused" ? state.refusal.code : state.status;
}

/** Of a request, as it is to be told. */
function expected({ session, refusal, status }: ModelRequest): string {
  return session.ended === undefined ? (refusal ?? status) : "SESSION_OVER";
}

function rejection(run: () => unknown): string {
  try {
    run();
    return "none";
  } catch (error) {
    if (error instanceof Rejected) return error.code;
    throw error;
  }
}

describe("the machine", () => {
  it("does in random histories what a list of requests says", () => {
    fc.assert(fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
      const pair = new Pair();
      for (let opened = 0; opened < 3; opened++) pair.run({ type: "open", ttlMs: null, lockDelayMs: opened === 2 ? 15 : 0, bound: false, slot: 1 });
      for (const one of steps) pair.run(one);
    }), { numRuns: Number(process.env["LOCK_RUNS"] ?? 300), ...(process.env["LOCK_SEED"] === undefined ? {} : { seed: Number(process.env["LOCK_SEED"]) }) });
  }, 600_000);
});
