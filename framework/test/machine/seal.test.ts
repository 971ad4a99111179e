/** What handlers store, return and throw, however odd: it is sealed all through, or refused on every replica alike, and whatever was accepted can be written. */
import { current } from "immer";
import { describe, expect, it } from "vitest";
import { createApplier } from "../../src/apply/applier.js";
import { sameState } from "../../src/apply/same-state.js";
import type { Applier, CommandOutcome, SnapshotSink } from "../../src/apply/types.js";
import { defineMachine } from "../../src/machine/define-machine.js";
import { reject } from "../../src/machine/reject.js";
import { seal } from "../../src/machine/seal.js";
import { Table } from "../../src/machine/table.js";
import { History } from "../support/entries.js";

type Chain = { next: Chain | null };
interface State {
  head: Chain | null;
  item: { tags: string[] };
  kept: unknown;
  readonly table: Table<string, unknown>;
}

/** What a handler goes on holding, to change it later. */
let held: unknown;
function last<T>(value: T): T {
  held = value;
  return value;
}
function changeHeld(): void {
  if (held instanceof Map) held.set("b", 2);
  else if (held instanceof Set) held.add(2);
  else (held as { tags: string[] } | undefined)?.tags.push("more");
}

const odd: Record<string, () => unknown> = {
  "an object without prototype": () => Object.create(null),
  "an error with a symbol for a name": () => Object.assign(new Error("odd"), { name: Symbol("odd") }),
  "a revoked proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "a rejection with details that cannot be read": () => reject("odd", { get details(): unknown { throw new Error("not readable"); } }),
};
const frozen: Record<string, (draft: State) => unknown> = {
  "a draft": (draft) => Object.freeze({ item: draft.item }),
  "a draft, deep in it": (draft) => Object.freeze([Object.freeze({ deep: Object.freeze([draft.item]) })]),
  "what can be changed": () => Object.freeze({ changed: last({ tags: ["outside"] }) }),
  "a Map": () => Object.freeze({ map: last(Object.freeze(new Map([["a", 1]]))) }),
  "a Set": () => last(Object.freeze(new Set([{ tags: [1] }]))),
};
/** What would be there only until somebody takes the state over, or could not be written at all. */
const more: Record<string, () => unknown> = {
  "the result of a match": () => "abc".match(/b/),
  "an array with a hole and a property": () => Object.assign([], { 0: 1, 2: 3, name: "as many keys as elements" }),
  "a symbol for a key": () => ({ shown: 1, [Symbol("hidden")]: 2 }),
  "a symbol for a key of an array": () => Object.assign([1], { [Symbol("hidden")]: 2 }),
  "a property that is not enumerable": () => Object.defineProperty({ shown: 1 }, "hidden", { value: 2 }),
  "a getter": () => ({ get random() { return Math.random(); } }),
  "a setter": () => ({ set value(_value: unknown) {} }),
  "a proxy": () => new Proxy({ value: 1 }, {}),
  "a Map with a property": () => Object.assign(new Map([[1, 2]]), { name: "more" }),
  "a Set with a property": () => Object.assign(new Set([1]), { name: "more" }),
  "a Table with a property": () => Object.assign(new Table([["a", 1]]), { b: 2 }),
  "a Table with a symbol for a property": () => Object.assign(new Table([["a", 1]]), { [Symbol("hidden")]: 2 }),
  "a class of its own that extends Table": () => new (class Sums extends Table<string, number> {})([["a", 1]]),
};
const unfit: Record<string, () => unknown> = {
  ...Object.fromEntries(Object.entries(more).map(([what, make]) => [what, () => ({ deep: [make()] })])),
  ...Object.fromEntries(Object.entries(more).filter(([what]) => !/Map|Set/.test(what)).map(([what, make]) => [`${what}, frozen`, () => Object.freeze({ deep: Object.freeze([Object.freeze(make())]) })])),
  "a regular expression": () => Object.freeze({ expression: /x/ }),
  "a function, deep in it": () => Object.freeze([Object.freeze({ deep: Object.freeze([() => 1]) })]),
  "a hole": () => Object.freeze({ list: Object.freeze(Object.assign([], { 2: 1 })) }),
  "itself": () => {
    const cyclic: { self?: unknown } = {};
    cyclic.self = Object.freeze([cyclic]);
    return Object.freeze(cyclic);
  },
};

const machine = defineMachine({
  name: "sealed",
  version: 1,
  initialState: (): State => ({ head: null, item: { tags: [] }, kept: null, table: new Table() }),
  commands: (command) => ({
    push: command((draft) => void (draft.head = { next: draft.head })),
    pushRow: command((draft) => void draft.table.set("head", { next: draft.table.get("head") ?? null })),
    keep: command((draft, kind: string) => void (draft.kept = (frozen[kind] ?? unfit[kind])?.(draft as State))),
    row: command((draft, kind: string) => void draft.table.set("row", (frozen[kind] ?? unfit[kind])?.(draft as State))),
    giveTable: command((draft, key: string) => {
      draft.table.set(key, 1);
      return Object.freeze([Object.freeze(current(draft.table))]);
    }),
    keepMore: command((draft, kind: string) => void (draft.kept = more[kind]?.())),
    rowMore: command((draft, kind: string) => void draft.table.set("row", more[kind]?.())),
    giveMore: command((_draft, kind: string) => more[kind]?.()),
    tag: command((draft, tag: string) => void draft.item.tags.push(tag)),
    give: command((draft, kind: string) => (frozen[kind] ?? unfit[kind])?.(draft as State)),
    fail: command((_draft, kind: string) => {
      throw odd[kind]?.();
    }),
    echo: command((draft, value: unknown) => {
      draft.table.set("echo", { value });
      return { value };
    }),
  }),
});

function start(): { applier: Applier<State>; run: (name: string, input?: unknown, requestId?: string) => CommandOutcome } {
  const applier = createApplier(machine);
  const history = new History();
  const run = (name: string, input?: unknown, requestId?: string): CommandOutcome =>
    applier.apply(history.entry([requestId === undefined ? { name, input } : { name, input, requestId }])).commands[0]?.outcome as CommandOutcome;
  return { applier, run };
}

/** As a joiner gets it, and as replicas compare it. */
function expectWritable(applier: Applier<State>): void {
  const sink: SnapshotSink = createApplier(machine).receive();
  const slices = applier.capture().slices(1_000);
  for (let slice = slices.next(); slice.done !== true; slice = slices.next()) sink.write(slice.value);
  const other = createApplier(machine);
  other.restore(sink.finish());
  expect(sameState(other.state, applier.state)).toBe(true);
  const digests = [applier, other].map((each) => {
    const run = each.digest();
    for (let digest = run.step(100); ; digest = run.step(100)) if (digest !== undefined) return digest;
  });
  expect(digests[0]).toBe(digests[1]);
}

function nested(levels: number): unknown {
  let value: unknown = [];
  for (let level = 1; level < levels; level++) value = [value];
  return value;
}

const sealedCopy = (value: unknown): unknown => structuredClone(value);

describe("what grows deeper with every command", () => {
  it.each(["push", "pushRow"])("is refused before it could not be written any more: %s", (name) => {
    const { applier, run } = start();
    const outcomes = Array.from({ length: 700 }, () => run(name));
    const accepted = outcomes.filter(({ ok }) => ok).length;
    expect(accepted).toBeGreaterThan(450);
    expect(outcomes.slice(accepted)).toHaveLength(700 - accepted);
    for (const outcome of outcomes.slice(accepted)) expect(outcome).toMatchObject({ ok: false, code: "MACHINE_FAULT", message: expect.stringContaining("nested deeper") as string });
    expectWritable(applier);
  });

  it("is measured all through, also where much of it was there before", () => {
    const large = seal(Array.from({ length: 100 }, () => nested(100)));
    expect(() => seal([large, nested(400)])).not.toThrow();
    expect(seal(nested(501))).toBeDefined();
    expect(() => seal(nested(502))).toThrow("nested deeper");
    let value: unknown = large;
    for (let level = 101; level < 501; level++) value = seal([value]);
    expect(() => seal([value])).toThrow("nested deeper");
  });

  it("is no deeper afterwards for having been looked at too deep within something else", () => {
    const part = seal(nested(300));
    let wrapper: unknown = part;
    for (let level = 0; level < 400; level++) wrapper = Object.freeze([wrapper]);
    expect(() => seal(wrapper)).toThrow("nested deeper");
    expect(seal([part])).toEqual([part]);
  });

  it("can be kept, answered and written at its deepest", () => {
    const { applier, run } = start();
    const deepest = seal(nested(499));
    expect(run("echo", deepest, "a request")).toMatchObject({ ok: true });
    expect(run("echo", deepest, "a request")).toMatchObject({ ok: true });
    expectWritable(applier);
  });
});

describe("what a handler keeps, stores or returns", () => {
  it.each(Object.keys(more))("is refused as %s", (kind) => {
    const { applier, run } = start();
    for (const name of ["keepMore", "rowMore", "giveMore"]) expect(run(name, kind, `a request to ${name}`)).toMatchObject({ ok: false, code: "MACHINE_FAULT", message: expect.stringContaining("cannot be replicated") as string });
    expectWritable(applier);
  });
});

describe("what a handler has frozen itself", () => {
  it.each(Object.keys(frozen))("is stored as it is then, and stays like that, with %s in it; or refused, if the draft ends within it", (kind) => {
    const { applier, run } = start();
    held = undefined;
    expect(run("tag", "one")).toMatchObject({ ok: true });
    const kept = run("keep", kind);
    if (kind.startsWith("a draft")) expect(kept).toMatchObject({ ok: false, code: "MACHINE_FAULT", message: expect.stringContaining("Do not freeze what has drafts in it") as string });
    else expect(kept).toMatchObject({ ok: true });
    expect(run("row", kind)).toMatchObject({ ok: true });
    const given = run("give", kind);
    const before = [sealedCopy(applier.state.kept), sealedCopy(applier.state.table.get("row")), sealedCopy(given)];
    expect(run("tag", "two")).toMatchObject({ ok: true });
    try {
      changeHeld();
    } catch {
      // It is frozen now.
    }
    expect(sameState([applier.state.kept, applier.state.table.get("row"), given], before)).toBe(true);
    expectWritable(applier);
  });

  it("is given as it is then where it is a Table that the next command of the entry changes", () => {
    const applier = createApplier(machine);
    const { commands } = applier.apply(new History().entry([{ name: "giveTable", input: "a" }, { name: "giveTable", input: "b" }]));
    const given = commands.map(({ outcome }) => (outcome.ok ? [...(outcome.result as [Table<string, number>])[0].keys()] : outcome));
    expect(given).toEqual([["a"], ["a", "b"]]);
  });

  it.each(Object.keys(unfit))("is refused with %s in it", (kind) => {
    const { applier, run } = start();
    for (const name of ["keep", "row", "give"]) expect(run(name, kind)).toMatchObject({ ok: false, code: "MACHINE_FAULT" });
    expectWritable(applier);
  });
});

describe("what a handler throws", () => {
  it.each(Object.keys(odd))("is a failure of its command alone: %s", (kind) => {
    const { run } = start();
    expect(run("fail", kind)).toMatchObject({ ok: false, code: "MACHINE_FAULT" });
    expect(run("tag", "next")).toMatchObject({ ok: true });
  });
});

describe("update() of what has no drafts", () => {
  it("gives a copy of dates and bytes, and stores it, or what is returned", () => {
    const table = new Table<string, Date | Uint8Array>([["day", new Date(0)], ["bytes", Uint8Array.of(1, 2)]]);
    const [day, bytes] = [table.get("day"), table.get("bytes")];
    expect([table.update("day", (value) => void (value as Date).setTime(5)), table.update("bytes", (value) => void ((value as Uint8Array)[0] = 9))]).toEqual([true, true]);
    expect([day, bytes]).toEqual([new Date(0), Uint8Array.of(1, 2)]);
    expect([table.get("day"), table.get("bytes")]).toEqual([new Date(5), Uint8Array.of(9, 2)]);
    table.update("day", () => new Date(7));
    expect(table.get("day")).toEqual(new Date(7));
  });
});
