/** The machine on a real replica whose clock the test moves: commands and expiry against a model. */
import { createReplica, memory, type ReplicaOptions } from "@lockstep/framework";
import * as fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { removedPerExpiry } from "../../src/machine/commands.js";
import type { ExpireCondition, SetInput } from "../../src/machine/inputs.js";
import { kvMachine, type KvReplica } from "../../src/machine/machine.js";
import { deadlineOf, valueOf, type KvState } from "../../src/machine/state.js";
import { quietLogger } from "../../src/quiet-logger.js";
import { eventually } from "../support/eventually.js";

class ManualClock {
  ms = 1000;
  monotonicMs(): number { return this.ms; }
  wallMs(): number { return 1_700_000_000_000; }
}

const running: KvReplica[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((replica) => replica.stop()));
});

async function start(clock: ManualClock, options: Partial<ReplicaOptions> = {}): Promise<KvReplica> {
  const replica = await createReplica(kvMachine, { group: "expiry", transport: memory(), logger: quietLogger, checkDeterminism: true, provide: { clock: () => clock }, ...options });
  running.push(replica);
  await replica.ready();
  return replica;
}

const look = (replica: KvReplica): Promise<KvState> => replica.query.current({ consistency: "linearizable" });

/** What the machine should be, said another way: a Map, and a look at every deadline every time. */
class Model {
  now = 0;
  readonly keys = new Map<string, { value: string; deadline: number }>();

  get(key: string): { value: string; deadline: number } | undefined {
    const found = this.keys.get(key);
    return found === undefined || found.deadline <= this.now ? undefined : found;
  }

  set({ key, value, when, ttl }: SetInput): boolean {
    const present = this.get(key);
    if ((when === "absent" && present) || (when === "present" && !present)) return false;
    const deadline = ttl === "keep" ? (present?.deadline ?? Infinity) : ttl === undefined ? Infinity : this.now + ttl;
    this.keys.set(key, { value: String(value), deadline });
    return true;
  }

  expire(key: string, ttlMs: number, onlyIf: readonly ExpireCondition[]): boolean {
    const present = this.get(key);
    if (present === undefined) return false;
    const wanted = this.now + ttlMs;
    const limited = present.deadline !== Infinity;
    const holds = { persistent: !limited, expiring: limited, later: limited && wanted > present.deadline, sooner: wanted < present.deadline };
    if (!onlyIf.every((condition) => holds[condition])) return false;
    present.deadline = wanted;
    return true;
  }
}

const key = fc.constantFrom("a", "b");
const ttl = fc.constantFrom(0, 1, 10, 50);
const condition = fc.constantFrom<ExpireCondition>("persistent", "expiring", "later", "sooner");
const step = fc.oneof(
  fc.record({ type: fc.constant("set" as const), input: fc.record({ key, value: fc.constantFrom("1", "x"), when: fc.constantFrom("absent" as const, "present" as const), ttl: fc.oneof(ttl, fc.constant("keep" as const)) }, { requiredKeys: ["key", "value"] }) }),
  fc.record({ type: fc.constant("expire" as const), key, ttlMs: ttl, onlyIf: fc.array(condition, { maxLength: 2 }) }),
  fc.record({ type: fc.constant("persist" as const), key }),
  fc.record({ type: fc.constant("remove" as const), keys: fc.array(key, { maxLength: 3 }) }),
  fc.record({ type: fc.constant("advance" as const), ms: fc.constantFrom(1, 9, 10, 49) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The machine's answer, and the model's. */
async function run(replica: KvReplica, model: Model, clock: ManualClock, one: Step): Promise<[unknown, unknown]> {
  switch (one.type) {
    case "set":
      return [(await replica.submit.set(one.input)).written, model.set(one.input)];
    case "expire":
      return [await replica.submit.expire(one), model.expire(one.key, one.ttlMs, one.onlyIf)];
    case "persist": {
      const present = model.get(one.key);
      const limited = present !== undefined && present.deadline !== Infinity;
      if (present !== undefined) present.deadline = Infinity;
      return [await replica.submit.persist({ key: one.key }), limited];
    }
    case "remove": {
      const there = new Set(one.keys.filter((name) => model.get(name) !== undefined));
      for (const name of one.keys) model.keys.delete(name);
      return [await replica.submit.remove({ keys: one.keys }), there.size];
    }
    case "advance":
      clock.ms += one.ms;
      model.now += one.ms;
      return [undefined, undefined];
    default:
      return one satisfies never;
  }
}

describe("the machine", () => {
  it("keeps and ends keys as the model does, to the millisecond", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const clock = new ManualClock();
        const replica = await start(clock);
        const model = new Model();
        for (const one of steps) {
          const [actual, expected] = await run(replica, model, clock, one);
          expect([one, actual]).toEqual([one, expected]);
          const state = await look(replica);
          const now = replica.inspect().now ?? NaN;
          for (const name of ["a", "b"]) {
            const wanted = model.get(name);
            expect([name, valueOf(state, name)]).toEqual([name, wanted?.value]);
            expect([name, (deadlineOf(state, name) ?? Infinity) - now]).toEqual([name, (wanted?.deadline ?? Infinity) - model.now]);
          }
          // Two keys: the index and the deadlines are the same pairs.
          expect(new Set(Array.from(state.expiries.keys(), ([at, name]) => `${name} ${at}`))).toEqual(new Set(Array.from(state.deadlines, ([name, at]) => `${name} ${at}`)));
        }
        await replica.stop();
      }),
      { numRuns: 200 },
    );
  });

  it("ends many keys at one moment, and removes them in batches", async () => {
    const clock = new ManualClock();
    // The check compares all that an entry changes, thousands of keys here: too slow for this one.
    const replica = await start(clock, { checkDeterminism: false });
    const names = Array.from({ length: removedPerExpiry * 2 + 500 }, (_, i) => `k${i}`);
    await Promise.all(names.map((name) => replica.submit.set({ key: name, value: "v", ttl: 100 })));
    clock.ms += 100;
    const state = await look(replica);
    expect(names.filter((name) => valueOf(state, name) !== undefined)).toEqual([]);
    expect(state.values.size).toBe(names.length - removedPerExpiry);
    expect(await replica.submit.persist({ key: "k999" }), "the last in order: it is there until the third batch").toBe(false);
    expect(valueOf(replica.state, "k999")).toBeUndefined();
    expect(await replica.submit.remove({ keys: names.slice(-3) })).toBe(0);
    expect(await replica.submit.set({ key: "k2000", value: "new", when: "absent" })).toEqual({ written: true, previous: null });
    await eventually("they are all removed without anybody asking", () => replica.state.values.size === 1);
    expect(valueOf(replica.state, "k2000")).toBe("new");
    expect(replica.state.timerId).toBeNull();
  });

  it("takes an equal deadline for neither later nor sooner", async () => {
    const replica = await start(new ManualClock());
    await replica.submit.set({ key: "a", value: "v", ttl: 10 });
    expect(await replica.submit.expire({ key: "a", ttlMs: 10, onlyIf: ["later"] })).toBe(false);
    expect(await replica.submit.expire({ key: "a", ttlMs: 10, onlyIf: ["sooner"] })).toBe(false);
    expect(await replica.submit.expire({ key: "a", ttlMs: 11, onlyIf: ["later", "expiring"] })).toBe(true);
    expect(await replica.submit.expire({ key: "a", ttlMs: 10, onlyIf: ["sooner"] })).toBe(true);
  });

  it("adds exactly, and refuses without a change what it cannot add", async () => {
    const replica = await start(new ManualClock());
    expect(await replica.submit.increment({ key: "n", by: "9223372036854775806" })).toBe("9223372036854775806");
    expect(await replica.submit.increment({ key: "n", by: "1" })).toBe("9223372036854775807");
    await expect(replica.submit.increment({ key: "n", by: "1" })).rejects.toMatchObject({ code: "REJECTED", details: { code: "OVERFLOW" } });
    await replica.submit.set({ key: "n", value: " 1" });
    await expect(replica.submit.increment({ key: "n", by: "1" })).rejects.toMatchObject({ code: "REJECTED", details: { code: "NOT_AN_INTEGER" } });
    expect(valueOf(replica.state, "n")).toBe(" 1");
  });
});
