/** The applier: outcomes, isolation of commands, time, timers, members, request ids, skipped copies. */
import { describe, expect, it } from "vitest";
import { LockstepError } from "../../src/errors.js";
import { createApplier } from "../../src/apply/applier.js";
import type { Applier } from "../../src/apply/types.js";
import { defineMachine } from "../../src/machine/define-machine.js";
import { reject } from "../../src/machine/reject.js";
import { Table } from "../../src/machine/table.js";
import { History, replica } from "../support/entries.js";

interface State {
  values: Table<string, { n: number }>;
  log: unknown[];
  alias: Record<string, { n: number }>;
}

const machine = defineMachine({
  name: "test",
  version: 1,
  initialState: (): State => ({ values: new Table(), log: [], alias: {} }),
  commands: (command) => ({
    put: command((draft, { key, n }: { key: string; n: number }) => {
      draft.values.set(key, { n });
      return n;
    }),
    increase: command((draft, key: string) => {
      if (!draft.values.update(key, (value) => void value.n++)) throw reject("absent", { key });
      return draft.values.get(key);
    }),
    note: command((draft, note: unknown) => void draft.log.push(note)),
    draw: command((_draft, _input, context) => [context.random(), context.uuid()]),
    failLate: command((draft, how: string, context) => {
      draft.values.set("half", { n: 1 });
      draft.log.push("half");
      context.schedule(0, "note", "from a failed command");
      if (how === "reject") throw reject("no");
      if (how === "throw") throw new TypeError("a bug");
      if (how === "promise") return Promise.reject(new Error("nobody waits"));
      if (how === "promise inside") draft.log.push({ later: Promise.reject(new Error("nobody waits")) });
      if (how === "async update") draft.values.update("half", (async (value: { n: number }) => { await Promise.resolve(); value.n++; }) as never);
      if (how === "returned rejection") return reject("no");
      if (how === "cancelled nothing") context.cancel(undefined as never);
      if (how === "function") draft.log.push(() => 1);
      return how === "result" ? Symbol("x") : undefined;
    }),
    share: command((draft, name: string) => {
      draft.alias[name] = draft.alias[`${name}2`] = { n: 0 };
    }),
    bump: command((draft, name: string) => {
      const value = draft.alias[name];
      if (value !== undefined) value.n++;
    }),
    who: command((_draft, _input, { now, position, origin, requestId }) => ({ now, position, origin, requestId })),
    after: command((_draft, { delay, name, input }: { delay: number; name: string; input?: unknown }, context) => context.schedule(context.now + delay, name, input)),
    again: command((draft, name: string, context) => {
      draft.log.push([name, context.now]);
      context.schedule(context.now, "again", name);
    }),
    cancel: command((_draft, id: string, context) => context.cancel(id)),
    drafts: command((draft) => {
      draft.log.push({ at: 1 });
      draft.values.set("of drafts", { n: 1 });
      return { log: draft.log, values: [...draft.values.keys()] };
    }),
  }),
  onMembersChanged: (draft, change) => void draft.log.push(change),
  requestRetention: { maxRequests: 3 },
});

const start = (): { applier: Applier<State>; history: History } => ({ applier: createApplier(machine), history: new History() });

describe("commands", () => {
  it("change the state and return their results", () => {
    const { applier, history } = start();
    const { commands } = applier.apply(history.entry([{ name: "put", input: { key: "a", n: 1 } }, { name: "increase", input: "a" }]));
    expect(commands.map(({ outcome }) => outcome)).toEqual([{ ok: true, result: 1 }, { ok: true, result: { n: 2 } }]);
    expect([...applier.state.values]).toEqual([["a", { n: 2 }]]);
  });

  it.each([
    ["reject", "REJECTED", { code: "no" }], ["throw", "MACHINE_FAULT", undefined], ["promise", "MACHINE_FAULT", undefined],
    ["function", "MACHINE_FAULT", undefined], ["result", "MACHINE_FAULT", undefined], ["promise inside", "MACHINE_FAULT", undefined],
    ["async update", "MACHINE_FAULT", undefined], ["returned rejection", "MACHINE_FAULT", undefined], ["cancelled nothing", "MACHINE_FAULT", undefined],
  ])("that %s change nothing, and leave no timer", (how, code, details) => {
    const { applier, history } = start();
    const before = applier.state;
    const entry = history.entry([{ name: "failLate", input: how }, { name: "put", input: { key: "a", n: 1 } }]);
    const [failed, after] = applier.apply(entry).commands;
    expect(failed?.outcome).toMatchObject(details === undefined ? { ok: false, code } : { ok: false, code, details });
    expect(after?.outcome.ok).toBe(true);
    expect([...applier.state.values.keys()]).toEqual(["a"]);
    expect(applier.state.log).toBe(before.log);
    expect(applier.nextTimerAt).toBeUndefined();
  });

  // The promises among them are rejected: that nobody handles it would end the process, of every replica, and again when it applies its log after a restart.
  it.each([
    ["promise", "it returned a promise"], ["promise inside", "A promise cannot be replicated"], ["async update", "update() takes a synchronous function"],
    ["returned rejection", "throw reject("], ["cancelled nothing", "cancel() takes the id that schedule() returned, not undefined"],
  ])("that end with a mistake of the handler's (%s) say which, and end no process", (how, says) => {
    const { applier, history } = start();
    const [failed] = applier.apply(history.entry([{ name: "failLate", input: how }])).commands;
    expect(failed?.outcome).toMatchObject({ ok: false, message: expect.stringContaining(says) as string });
  });

  it("that the machine does not have end as UNKNOWN_COMMAND, also those named like methods of objects", () => {
    const { applier, history } = start();
    for (const name of ["nothing", "constructor", "__proto__", "toString"]) {
      expect(applier.apply(history.entry([{ name, input: 1 }])).commands[0]?.outcome).toMatchObject({ ok: false, code: "UNKNOWN_COMMAND" });
    }
  });

  it("do not see in one entry what they would not see in two: a value stored twice is two values", () => {
    const calls = [{ name: "share", input: "x" }, { name: "bump", input: "x" }];
    const [together, apart] = [start(), start()];
    together.applier.apply(together.history.entry(calls));
    for (const call of calls) apart.applier.apply(apart.history.entry([call]));
    expect(together.applier.state.alias).toEqual({ x: { n: 1 }, x2: { n: 0 } });
    expect(apart.applier.state.alias).toEqual(together.applier.state.alias);
  });

  it.each([["list"], ["map"], ["record"], ["self"]])("that store a part of the state in itself are refused, whatever comes with them in an entry: %s", (where) => {
    interface Cyclic {
      list: unknown[];
      map: Map<string, unknown>;
      record: Record<string, unknown>;
      self?: unknown;
      count: number;
    }
    const cyclic = defineMachine({
      name: "cyclic",
      version: 1,
      initialState: (): Cyclic => ({ list: [], map: new Map(), record: {}, count: 0 }),
      commands: (command) => ({
        count: command((draft) => ++draft.count),
        tie: command((draft, place: string) => {
          if (place === "list") draft.list.push(draft.list);
          else if (place === "map") draft.map.set("itself", draft.map);
          else if (place === "record") draft.record["itself"] = { deep: draft.record };
          else draft.self = draft;
        }),
        tieAndFail: command((draft) => {
          draft.list.push(draft.list);
          throw new Error("too late");
        }),
      }),
    });
    const applier = createApplier(cyclic);
    const history = new History();
    for (const names of [["tie"], ["tie", "count"], ["count", "tie"], ["count", "tie", "count"], ["count", "tieAndFail", "count"]]) {
      const { commands } = applier.apply(history.entry(names.map((name) => ({ name, input: where }))));
      expect(commands.map(({ outcome }) => (outcome.ok ? "ok" : outcome.code))).toEqual(names.map((name) => (name === "count" ? "ok" : "MACHINE_FAULT")));
    }
    expect(applier.state).toEqual({ list: [], map: new Map(), record: {}, count: 6 });
  });

  it("get an input that cannot be changed, and an input that is not plain data is their failure alone", () => {
    const { applier, history } = start();
    const input = { key: "a", n: 1 };
    const { commands } = applier.apply(history.entry([{ name: "put", input }, { name: "note", input: () => 1 }, { name: "note", input: "after" }]));
    expect(Object.isFrozen(input)).toBe(true);
    expect(commands.map(({ outcome }) => (outcome.ok ? "ok" : outcome.code))).toEqual(["ok", "MACHINE_FAULT", "ok"]);
  });

  it("return what drafts were at their end, frozen", () => {
    const { applier, history } = start();
    const outcome = applier.apply(history.entry([{ name: "drafts", input: 0 }])).commands[0]?.outcome;
    expect(outcome).toEqual({ ok: true, result: { log: [{ at: 1 }], values: ["of drafts"] } });
    applier.apply(history.entry([{ name: "note", input: "later" }]));
    expect(outcome).toEqual({ ok: true, result: { log: [{ at: 1 }], values: ["of drafts"] } });
  });

  it("leave a state that nobody can change", () => {
    const { applier, history } = start();
    applier.apply(history.entry([{ name: "put", input: { key: "a", n: 1 } }, { name: "note", input: { deep: [1] } }]));
    const { values, log } = applier.state;
    expect(() => void ((values.get("a") as { n: number }).n = 2)).toThrow(TypeError);
    expect(() => log.push(1)).toThrow(TypeError);
    expect(() => (log[0] as { deep: number[] }).deep.push(1)).toThrow(TypeError);
    expect(() => values.set("b", { n: 1 })).toThrow(/never changes/);
  });

  it("draw numbers that depend on the place in the log alone", () => {
    const draw = { name: "draw", input: 0 };
    const drawn = [start(), start()].map(({ applier, history }) => [applier.apply(history.entry([draw, draw])), applier.apply(history.entry([draw]))].flatMap((entry) => entry.commands.map(({ outcome }) => outcome)));
    expect(drawn[0]).toEqual(drawn[1]);
    expect(new Set(drawn[0]?.map((outcome) => JSON.stringify(outcome))).size).toBe(3);
    expect(drawn[0]?.[0]).toMatchObject({ ok: true, result: [expect.any(Number), expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)] });
  });

  it("know who asked, when and where", () => {
    const { applier, history } = start();
    applier.apply(history.entry([]));
    const applied = applier.apply(history.entry([{ name: "who", input: 0, requestId: "r" }], { timeMs: 5000, origin: replica(2) }));
    expect(applied.commands[0]?.outcome).toEqual({ ok: true, result: { now: 5000, position: 2, origin: replica(2), requestId: "r" } });
  });
});

describe("entries", () => {
  it("must come in order", () => {
    const { applier, history } = start();
    history.entry([]);
    expect(() => applier.apply(history.entry([]))).toThrow(expect.objectContaining({ code: "INVARIANT_VIOLATED" }));
  });

  it("that were applied before are skipped: a position, and nothing else", () => {
    const { applier, history } = start();
    const first = history.entry([{ name: "note", input: 1 }]);
    applier.apply(first);
    const { state } = applier;
    const copy = applier.apply(history.at({ ...first.entry, timeMs: 9000 }));
    expect(copy).toMatchObject({ position: 2, skipped: true, commands: [], now: 1000 });
    expect([applier.state, applier.position, applier.now, applier.lastApplied(first.entry.origin.incarnation)]).toEqual([state, 2, 1000, 1]);
  });

  it("never take time back", () => {
    const { applier, history } = start();
    const times = [1000, 500, 1500, 1499].map((timeMs) => applier.apply(history.entry([], { timeMs })).now);
    expect(times).toEqual([1000, 1000, 1500, 1500]);
  });
});

describe("request ids", () => {
  it("return the first answer again, also in the same entry, without running the handler", () => {
    const { applier, history } = start();
    const call = { name: "note", input: "once", requestId: "r" };
    const { commands } = applier.apply(history.entry([call, call]));
    expect(commands.map(({ repeated }) => repeated)).toEqual([false, true]);
    expect(applier.apply(history.entry([call])).commands[0]?.repeated).toBe(true);
    expect(applier.state.log).toEqual(["once"]);
    expect(applier.answered("r")).toEqual({ ok: true, result: undefined });
  });

  it("return a first rejection again, with its details", () => {
    const { applier, history } = start();
    const call = { name: "increase", input: "k", requestId: "r" };
    const [first] = applier.apply(history.entry([call])).commands;
    applier.apply(history.entry([{ name: "put", input: { key: "k", n: 1 } }]));
    const [again] = applier.apply(history.entry([call])).commands;
    expect(again).toMatchObject({ repeated: true, outcome: { ok: false, code: "REJECTED", details: { code: "absent", details: { key: "k" } } } });
    expect(again?.outcome).toEqual(first?.outcome);
  });

  it.each([[{ code: Object.create(null) as unknown }], [{ code: { toString: 1 } }], [{ code: 5 }], [null], ["text"], [undefined]])("return a first rejection again whose details are not of reject(): %j", (details) => {
    const odd = defineMachine({
      name: "odd", version: 1, initialState: () => ({}),
      commands: (command) => ({ refuse: command(() => { throw new LockstepError("REJECTED", "no", { details }); }) }),
    });
    const applier = createApplier(odd);
    const history = new History();
    const [first, again] = [0, 1].map(() => applier.apply(history.entry([{ name: "refuse", input: null, requestId: "r" }])).commands[0]);
    expect([first?.repeated, again?.repeated]).toEqual([false, true]);
    for (const each of [first, again]) expect(each?.outcome).toMatchObject({ ok: false, code: "REJECTED", ...(details === undefined ? {} : { details }) });
    expect(applier.answered("r")).toEqual(again?.outcome);
  });

  it("used for another command are refused", () => {
    const { applier, history } = start();
    const { commands } = applier.apply(history.entry([{ name: "note", input: 1, requestId: "r" }, { name: "who", input: 1, requestId: "r" }]));
    expect(commands[1]?.outcome).toMatchObject({ ok: false, code: "REQUEST_ID_REUSED" });
    expect(applier.answered("r")).toEqual({ ok: true, result: undefined });
  });

  it("are forgotten oldest first beyond maxRequests, in the same place whatever the entries", () => {
    const ids = ["a", "b", "c", "d", "a", "b", "d"];
    const calls = ids.map((requestId) => ({ name: "note", input: requestId, requestId }));
    const [together, apart] = [start(), start()];
    const repeated = [together.applier.apply(together.history.entry(calls)).commands, calls.flatMap((call) => apart.applier.apply(apart.history.entry([call])).commands)];
    for (const commands of repeated) expect(commands.map((command) => command.repeated)).toEqual([false, false, false, false, false, false, true]);
    for (const { applier } of [together, apart]) {
      expect(applier.answered("c")).toBeUndefined();
      expect(["a", "b", "d"].map((id) => applier.answered(id)?.ok)).toEqual([true, true, true]);
    }
  });
});

describe("timers", () => {
  const after = (delay: number, name: string, input?: unknown): { name: string; input: unknown } => ({ name: "after", input: { delay, name, input } });

  it("fire before the commands of the first entry that reaches them, by time, then by scheduling", () => {
    const { applier, history } = start();
    applier.apply(history.entry([after(20, "note", "c"), after(10, "note", "a"), after(10, "note", "b"), after(100, "note", "z")]));
    expect(applier.nextTimerAt).toBe(1010);
    expect(applier.apply(history.entry([], { timeMs: 1009 })).fired).toEqual([]);
    const { fired } = applier.apply(history.entry([{ name: "note", input: "command" }], { timeMs: 1020 }));
    expect(fired.map(({ call }) => call.input)).toEqual(["a", "b", "c"]);
    expect(applier.state.log).toEqual(["a", "b", "c", "command"]);
    expect(applier.nextTimerAt).toBe(1100);
  });

  it("fire before a change of members in the same entry, and what they draw is of each its own", () => {
    const { applier, history } = start();
    applier.apply(history.entry([after(0, "note", "due"), after(0, "draw"), after(0, "draw")]));
    const { fired } = applier.apply(history.entry([], { members: [replica(1)] }));
    expect(applier.state.log).toEqual(["due", expect.objectContaining({ members: [replica(1)] })]);
    const drawn = fired.filter(({ call }) => call.name === "draw").flatMap(({ outcome }) => (outcome.ok ? (outcome.result as unknown[]) : []));
    expect(new Set(drawn).size).toBe(4);
  });

  it("that schedule themselves at once wait for the next entry", () => {
    const { applier, history } = start();
    applier.apply(history.entry([{ name: "again", input: "x" }]));
    for (let i = 1; i <= 3; i++) expect(applier.apply(history.entry([])).fired).toHaveLength(1);
    expect(applier.state.log).toHaveLength(4);
  });

  it("can be cancelled while they wait, also by one that is due before them", () => {
    const { applier, history } = start();
    const id = (entry: ReturnType<typeof applier.apply>): unknown => entry.commands[0]?.outcome.ok === true && entry.commands[0].outcome.result;
    const first = id(applier.apply(history.entry([after(10, "note", "never")])));
    expect(id(applier.apply(history.entry([{ name: "cancel", input: first }])))).toBe(true);
    expect(id(applier.apply(history.entry([{ name: "cancel", input: first }])))).toBe(false);
    expect(id(applier.apply(history.entry([{ name: "cancel", input: "nonsense" }])))).toBe(false);
    const second = `3@1011`;
    applier.apply(history.entry([after(10, "cancel", second)]));
    expect(id(applier.apply(history.entry([after(11, "note", "never")])))).toBe(second);
    expect(applier.apply(history.entry([], { timeMs: 2000 })).fired.map(({ call }) => call.name)).toEqual(["cancel"]);
    expect(applier.state.log).toEqual([]);
  });

  it("are used up when they fire, even if their command fails", () => {
    const { applier, history } = start();
    applier.apply(history.entry([after(1, "failLate", "throw")]));
    expect(applier.apply(history.entry([], { timeMs: 2000 })).fired[0]?.outcome).toMatchObject({ ok: false, code: "MACHINE_FAULT" });
    expect(applier.nextTimerAt).toBeUndefined();
  });

  it.each([[{ delay: Number.NaN, name: "note" }], [{ delay: 1, name: "nothing" }], [{ delay: 1, name: "toString" }]])("cannot be scheduled wrongly: %o", (input) => {
    const { applier, history } = start();
    expect(applier.apply(history.entry([{ name: "after", input }])).commands[0]?.outcome).toMatchObject({ ok: false, code: "MACHINE_FAULT" });
  });
});

describe("members", () => {
  it("are told to the machine once for each change, with who left and who joined", () => {
    const { applier, history } = start();
    const [one, two, three] = [replica(1), replica(2), replica(3)];
    applier.apply(history.entry([], { members: [one, two] }));
    applier.apply(history.entry([], { members: [one, two] }));
    applier.apply(history.entry([], { members: [one, three] }));
    expect(applier.state.log).toEqual([{ members: [one, two], left: [], joined: [one, two] }, { members: [one, three], left: [two], joined: [three] }]);
  });

  it("change nothing in the state when their handler fails, and the outcome says so", () => {
    const failing = createApplier(
      defineMachine({
        name: "failing",
        version: 1,
        initialState: () => ({ seen: [] as unknown[] }),
        commands: (command) => ({ nothing: command(() => 1) }),
        onMembersChanged: (draft) => {
          draft.seen.push(1);
          throw new Error("a bug");
        },
      }),
    );
    const applied = failing.apply(new History().entry([], { members: [replica(1)] }));
    expect(applied.membersChange).toMatchObject({ change: { joined: [replica(1)], left: [] }, outcome: { ok: false, code: "MACHINE_FAULT" } });
    expect(failing.state.seen).toEqual([]);
  });

  it("end the memory of earlier incarnations of their slots, and of no others", () => {
    const { applier, history } = start();
    for (const origin of [replica(1), replica(2), replica(3)]) applier.apply(history.entry([], { origin }));
    applier.apply(history.entry([], { members: [replica(1), replica(2, 2)] }));
    expect([replica(1), replica(2), replica(3)].map(({ incarnation }) => applier.lastApplied(incarnation))).toEqual([2, 0, 1]);
  });
});
