/** How commands were batched into entries does not show in anything but their positions. */
import { current } from "immer";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createApplier } from "../../src/apply/applier.js";
import { agreedPart } from "../../src/apply/outcomes.js";
import { sameState } from "../../src/apply/same-state.js";
import type { AppliedCommand, Applier } from "../../src/apply/types.js";
import type { CommandCall } from "../../src/log/entry.js";
import type { AnyMachine } from "../../src/machine/types.js";
import { defineMachine } from "../../src/machine/define-machine.js";
import { reject } from "../../src/machine/reject.js";
import { Table } from "../../src/machine/table.js";
import { History } from "../support/entries.js";

interface Item {
  n: number;
  tags: string[];
}
interface State {
  readonly items: Table<string, Item>;
  readonly byName: Record<string, Item>;
  readonly last: { item?: Item };
  readonly sets: Map<string, Set<string>>;
  readonly order: string[];
}

/** Handlers that alias, move, nest, fail half-way and look at what earlier commands left. */
const machine = defineMachine({
  name: "batched",
  version: 1,
  initialState: (): State => ({ items: new Table(), byName: {}, last: {}, sets: new Map(), order: [] }),
  commands: (command) => ({
    create: command((draft, name: string) => {
      const item = { n: 0, tags: [name] };
      draft.byName[name] = item;
      draft.last.item = item;
      draft.items.set(name, item);
      draft.order.push(name);
    }),
    createShared: command((draft, name: string) => {
      draft.byName[name] = draft.last.item = { n: 100, tags: [] };
    }),
    bump: command((draft, name: string) => {
      const item = draft.byName[name];
      if (item === undefined) throw reject("absent", name);
      item.n++;
      item.tags.push(`bumped ${item.n}`);
      if (item.n % 3 === 0) throw new Error("half-way");
      return [item, draft.last.item?.n, draft.items.get(name)?.n];
    }),
    bumpLast: command((draft, name: string) => {
      if (draft.last.item !== undefined) draft.last.item.n += 10;
      draft.items.update(name, (item) => void item.tags.push("updated"));
      return draft.byName;
    }),
    move: command((draft, name: string) => {
      const [from = ""] = Object.keys(draft.byName);
      const item = draft.byName[from];
      if (item === undefined) throw reject("empty");
      draft.byName[name] = item;
      delete draft.byName[from];
      return Object.keys(draft.byName);
    }),
    tag: command((draft, name: string) => {
      const set = draft.sets.get(name) ?? new Set();
      set.add(`${set.size}`);
      draft.sets.set(name, set).set(`${name} too`, set);
      return [...draft.sets].map(([key, tags]) => [key, [...tags]]);
    }),
    store: command((draft, name: string) => {
      draft.items.set(name, draft.byName[name] ?? { n: -1, tags: [] });
      draft.items.delete(draft.order.shift() ?? "");
      return [...draft.items.keys()];
    }),
    later: command((draft, name: string, context) => {
      const id = context.schedule(5000 + draft.order.length, "create", name);
      if (draft.order.length % 2 === 1) throw reject("odd");
      return id;
    }),
    cancel: command((_draft, id: string, context) => [1, 2, 3].map((number) => context.cancel(`${number}@${id}`))),
  }),
  requestRetention: { maxRequests: 4 },
});

interface Flat {
  readonly rows: Table<string, Item>;
  readonly spare: Table<string, Item>;
  count: number;
  last: string | Item | null;
  other: string | Item | null;
  note?: string;
  readonly list: string[];
  readonly lone: { readonly rows: Table<string, number> };
}

/** Mostly what shares a draft: Tables, and properties without parts; and all that must not. */
const flat = defineMachine({
  name: "flat",
  version: 1,
  initialState: (): Flat => ({ rows: new Table(), spare: new Table(), count: 0, last: null, other: null, list: [], lone: { rows: new Table() } }),
  commands: (command) => ({
    put: command((draft, name: string) => {
      draft.rows.set(name, { n: ++draft.count, tags: [name] });
      return [draft.rows.size, draft.count];
    }),
    change: command((draft, name: string) => {
      draft.count++;
      return [draft.rows.update(name, (item) => void item.tags.push(`${draft.count}`)), draft.rows.get(name), current(draft.rows).size];
    }),
    refuseEarly: command((draft, name: string) => {
      if (draft.rows.has(name) || draft.list.length === 0) throw reject("early", [draft.count, draft.rows.size]);
      return draft.rows.delete("a");
    }),
    refuseLate: command((draft, name: string) => {
      if (draft.count % 2 === 0) draft.rows.delete(name);
      else draft.note = name;
      throw reject("late", Object.keys(draft));
    }),
    refuseAfterList: command((draft, name: string) => {
      draft.list.push(name);
      throw new Error("after the list");
    }),
    both: command((draft, name: string) => {
      draft.last = draft.other = draft.rows.get(name) ?? { n: 0, tags: [] };
      draft.count++;
    }),
    bothDrafts: command((draft) => {
      draft.other = draft.last;
    }),
    changeLast: command((draft, name: string) => {
      if (draft.last !== null && typeof draft.last === "object") draft.last.tags.push(name);
      return [draft.last, draft.other];
    }),
    forget: command((draft, name: string) => {
      draft.last = name;
      delete draft.note;
      return ["note" in draft, { ...draft }.other];
    }),
    exchange: command((draft) => {
      const rows = draft.rows;
      Object.assign(draft, { rows: draft.spare, spare: rows });
      draft.rows.set("exchanged", { n: -1, tags: [] });
    }),
    renew: command((draft, name: string) => {
      if (draft.spare.size > 0) draft.spare = new Table();
      return draft.spare.set(name, { n: 0, tags: [] }).size;
    }),
    note: command((draft, name: string) => void (draft.note = name)),
    refuseAfterDelete: command((draft, name: string) => {
      delete draft.note;
      throw reject("deleted", name);
    }),
    twice: command((draft) => Object.assign(draft, { spare: draft.rows }).rows.size),
    list: command((draft, name: string) => draft.list.push(name)),
    alone: command((draft, name: string) => draft.lone.rows.set(name, draft.lone.rows.size).size),
    bad: command((draft) => {
      draft.count++;
      draft.last = (() => 1) as never;
    }),
    hold: command((draft) => Object.freeze(draft)),
    all: command((draft) => [draft, current(draft), JSON.stringify(draft)]),
    later: command((draft, name: string, context) => {
      const id = context.schedule(5000 + draft.count, "put", name);
      if (draft.count % 3 === 1) throw reject("not now");
      return id;
    }),
  }),
});

/** A state that is no object. */
const list = defineMachine({
  name: "list",
  version: 1,
  initialState: (): Item[] => [],
  commands: (command) => ({
    both: command((draft, name: string) => {
      const item = { n: 0, tags: [name] };
      return draft.push(item, item);
    }),
    change: command((draft, name: string) => {
      draft[0]?.tags.push(name);
      return draft.map(({ tags }) => tags.length);
    }),
    shift: command((draft, name: string) => {
      draft.shift();
      if (name === "b") throw reject("b");
    }),
  }),
});

/** A state that is a Table. */
const table = defineMachine({
  name: "table",
  version: 1,
  initialState: () => new Table<string, Item>(),
  commands: (command) => ({
    put: command((draft, name: string) => draft.set(name, { n: draft.size, tags: [] }).size),
    change: command((draft, name: string) => draft.update(name, (item) => void item.tags.push(name))),
    refuse: command((draft, name: string) => {
      draft.delete("a");
      throw reject(name, draft.size);
    }),
  }),
});

function callOf(...commands: [string, ...string[]]): fc.Arbitrary<CommandCall> {
  return fc
    .tuple(fc.constantFrom(...commands), fc.constantFrom("a", "b", "c", "5000", "5001"), fc.option(fc.constantFrom("r1", "r2", "r3", "r4", "r5", "r6"), { nil: undefined }))
    .map(([command, input, requestId]) => (requestId === undefined ? { name: command, input } : { name: command, input, requestId }));
}

interface Run {
  readonly applier: Applier<unknown>;
  readonly applied: AppliedCommand[];
}

function run(machine: AnyMachine<unknown>, batches: readonly CommandCall[][]): Run {
  const applier = createApplier(machine);
  const history = new History();
  const applied = batches.flatMap((commands) => applier.apply(history.entry(commands)).commands);
  applied.push(...applier.apply(history.entry([], { timeMs: 6000 })).fired);
  return { applier, applied };
}

function split(calls: readonly CommandCall[], sizes: readonly number[]): CommandCall[][] {
  const batches: CommandCall[][] = [];
  let at = 0;
  for (const size of sizes) {
    batches.push(calls.slice(at, at + size));
    at += size;
  }
  return [...batches, calls.slice(at)];
}

/** Without messages, which are made where they are read. */
function agreed({ call, outcome, repeated }: AppliedCommand): unknown[] {
  return [call, agreedPart(outcome), repeated];
}

/** Takes half a second; a busy machine may take much longer, and that is not a failure. */
const timeoutMs = 60_000;

const [first, ...rest] = Object.keys(flat.commands) as [string, ...string[]];

describe("batching", { timeout: timeoutMs }, () => {
  it.each([
    ["of objects in many places", machine, callOf("create", "createShared", "bump", "bump", "bumpLast", "move", "tag", "store", "later", "cancel", "unknown")],
    ["of Tables and values", flat, callOf(first, ...rest, "put", "put", "change", "change", "refuseEarly", "renew", "renew")],
    ["that is a list", list, callOf("both", "change", "change", "shift")],
    ["that is a Table", table, callOf("put", "put", "put", "change", "change", "refuse")],
  ] as [string, AnyMachine<unknown>, fc.Arbitrary<CommandCall>][])("is invisible: any split into entries gives the same outcomes, state, timers and answers, in a state %s", (_, batched, call) => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 30 }), fc.array(fc.nat(12), { maxLength: 6 }), (calls, sizes) => {
        const one = run(batched, split(calls, sizes));
        const other = run(batched, calls.map((made) => [made]));
        expect(sameState(one.applied.map(agreed), other.applied.map(agreed))).toBe(true);
        expect(sameState(one.applier.state, other.applier.state)).toBe(true);
        for (const id of ["r1", "r2", "r3", "r4", "r5", "r6"]) expect(sameState(one.applier.answered(id), other.applier.answered(id))).toBe(true);
      }),
      { numRuns: 600 },
    );
  });
});
