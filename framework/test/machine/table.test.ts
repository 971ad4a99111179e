/** Table against a sorted model, in and outside drafts; old versions stay as they were. */
import * as fc from "fast-check";
import { current } from "immer";
import { describe, expect, it } from "vitest";
import { drafts } from "../../src/machine/drafts.js";
import { seal } from "../../src/machine/seal.js";
import { Table } from "../../src/machine/table.js";
import type { TableKey } from "../../src/machine/table-key.js";

const part = fc.oneof(fc.constantFrom<string | number>("", "a", "ab", "b", "\uffff", 0, -0, 1, -1, 0.5, Infinity, -Infinity), fc.string({ maxLength: 3 }), fc.integer({ min: -20, max: 20 }));
const key: fc.Arbitrary<TableKey> = fc.oneof(part, fc.array(part, { maxLength: 3 }));

/** An independent statement of the order: numbers, strings, tuples; tuples by their first difference, then by length. */
function order(a: TableKey, b: TableKey): number {
  const rank = (k: TableKey): number => ["number", "string", "object"].indexOf(typeof k);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (Array.isArray(a) && Array.isArray(b)) {
    const at = a.findIndex((element, i) => i >= b.length || order(element as TableKey, b[i] as TableKey) !== 0);
    return at === -1 ? a.length - b.length : at >= b.length ? 1 : order(a[at] as TableKey, b[at] as TableKey);
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

type Value = { readonly n: number } | undefined;
type Model = [TableKey, Value][];
type Change = { readonly op: "set" | "delete"; readonly key: TableKey; readonly value: Value } | { readonly op: "clear" };

/** Often undefined: the tree stores nodes of undefined values differently. */
const value: fc.Arbitrary<Value> = fc.oneof(fc.constant(undefined), fc.record({ n: fc.integer() }));

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ op: fc.constant("set" as const), key, value }) },
  { weight: 6, arbitrary: fc.record({ op: fc.constant("delete" as const), key, value: fc.constant(undefined) }) },
  { weight: 1, arbitrary: fc.constant({ op: "clear" as const }) },
);

const positiveZero = (k: TableKey): TableKey => (typeof k === "number" ? k + 0 : typeof k === "string" ? k : k.map((p) => (p === 0 ? 0 : p)));

function changeModel(model: Model, changes: readonly Change[]): Model {
  let next = model;
  for (const made of changes) {
    next = made.op === "clear" ? [] : next.filter(([k]) => order(k, made.key) !== 0);
    if (made.op === "set") next = [...next, [positiveZero(made.key), made.value] as [TableKey, Value]].sort(([a], [b]) => order(a, b));
  }
  return next;
}

type Values = Table<TableKey, Value>;

function changeTable(table: Values, changes: readonly Change[]): void {
  for (const made of changes) {
    if (made.op === "clear") table.clear();
    else if (made.op === "delete") table.delete(made.key);
    else table.set(made.key, made.value);
  }
}

const contents = (table: Values): Model => [...table];

/** Each takes less than half a second; a busy machine may take much longer, and that is not a failure. */
const timeoutMs = 60_000;

describe("Table", { timeout: timeoutMs }, () => {
  it("is the same as a sorted list after any changes in drafts, and old versions never change", () => {
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 40 }), { maxLength: 8 }), (steps) => {
        let state: { readonly deep: { readonly table: Values } } = seal({ deep: { table: new Table() } });
        let model: Model = [];
        const versions: [Values, Model][] = [];
        for (const changes of steps) {
          versions.push([state.deep.table, model]);
          state = seal(drafts.produce(state, (draft) => changeTable(draft.deep.table, changes)));
          model = changeModel(model, changes);
          expect(contents(state.deep.table)).toEqual(model);
          expect(state.deep.table.size).toBe(model.length);
        }
        for (const [table, was] of versions) expect(contents(table)).toEqual(was);
      }),
      { numRuns: 150 },
    );
  });

  it("is the same as a sorted list with hundreds of keys, where nodes split and merge, while versions share them", () => {
    const keys = fc.array(fc.record({ op: fc.constantFrom("set" as const, "set" as const, "delete" as const), key: fc.integer({ min: 0, max: 3000 }), value }), { minLength: 500, maxLength: 1500 });
    fc.assert(
      fc.property(keys, keys, (first, second) => {
        const before = seal(new Table<TableKey, Value>());
        const middle = seal(drafts.produce(before, (draft) => changeTable(draft, first)));
        const after = seal(drafts.produce(middle, (draft) => changeTable(draft, second)));
        const model = (changes: readonly { op: string; key: number; value: Value }[], from: Map<number, Value>): Map<number, Value> => {
          const map = new Map(from);
          for (const made of changes) if (made.op === "set") map.set(made.key, made.value);
          else map.delete(made.key);
          return map;
        };
        const sorted = (map: Map<number, Value>): Model => [...map].sort(([a], [b]) => a - b);
        const [middleModel, afterModel] = [model(first, new Map()), model(second, model(first, new Map()))];
        expect(contents(before)).toEqual([]);
        expect(contents(after)).toEqual(sorted(afterModel));
        expect(contents(middle)).toEqual(sorted(middleModel));
      }),
      { numRuns: 30 },
    );
  });

  it("scans any range in both directions as a filtered list", () => {
    const bound = fc.option(key, { nil: undefined });
    fc.assert(
      fc.property(fc.array(key, { maxLength: 60 }), bound, bound, bound, fc.option(fc.nat(10), { nil: undefined }), fc.boolean(), (keys, from, to, before, limit, reverse) => {
        const options = { ...(from !== undefined && { from }), ...(to !== undefined && { to }), ...(before !== undefined && { before }), ...(limit !== undefined && { limit }), reverse };
        const table = new Table(keys.map((k) => [k, { n: 1 }] as const));
        const all = [...table.keys()].filter((k) => (from === undefined || order(k, from) >= 0) && (to === undefined || order(k, to) <= 0) && (before === undefined || order(k, before) < 0));
        expect([...table.keys(options)]).toEqual((reverse ? all.toReversed() : all).slice(0, limit));
      }),
      { numRuns: 500 },
    );
  });

  it("scans the keys with a prefix, in both directions", () => {
    const begins = (k: TableKey, prefix: TableKey): boolean =>
      typeof prefix === "string" ? typeof k === "string" && k.startsWith(prefix) : Array.isArray(k) && Array.isArray(prefix) && prefix.every((p, i) => i < k.length && order(k[i] as TableKey, p as TableKey) === 0);
    fc.assert(
      fc.property(fc.array(key, { maxLength: 60 }), fc.oneof(fc.constantFrom("", "a", "\uffff"), fc.array(part, { maxLength: 2 })), fc.boolean(), (keys, prefix, reverse) => {
        const table = new Table(keys.map((k) => [k, { n: 1 }] as const));
        const all = [...table.keys()].filter((k) => begins(k, prefix));
        expect([...table.keys({ prefix, reverse })]).toEqual(reverse ? all.toReversed() : all);
      }),
      { numRuns: 500 },
    );
  });

  it("refuses bounds of a scan that are misspelt, or none, instead of going through everything", () => {
    const table = new Table<string, number>([["a", 1], ["b", 2]]);
    const wrong: [unknown, string][] = [[{ form: "b" }, "form is not an option of a scan; there are from, to, before, prefix, reverse, limit"], ["b", "not a string"], [null, "not null"]];
    for (const walk of ["keys", "values", "entries"] as const) {
      for (const [options, saying] of wrong) {
        expect(() => table[walk](options as object)).toThrow(expect.objectContaining({ code: "INVALID_INPUT", message: expect.stringContaining(saying) as string }));
      }
    }
  });

  it("shows a scan the entries as they were when it began, whatever is changed meanwhile", () => {
    const table = seal(Table.fromSorted(Array.from({ length: 500 }, (_, i) => i), Array.from({ length: 500 }, (_, i) => i)));
    drafts.produce(table, (draft) => {
      draft.set(1000, 1);
      let seen = 0;
      for (const [k] of draft.entries()) {
        expect(k).toBe(seen === 500 ? 1000 : seen);
        draft.delete(k);
        draft.set(k + 0.5, 0);
        seen++;
      }
      expect(seen).toBe(501);
      expect([...draft.keys()]).toEqual([...Array.from({ length: 500 }, (_, i) => i + 0.5), 1000.5]);
    });
  });

  it("gives new tables with and without a key, first and last, and copies that cost nothing", () => {
    const table = seal(new Table<string, number>([["b", 2], ["a", 1]]));
    const more = table.with("c", 3);
    const copy = new Table(table).set("z", 0);
    expect([[...table], [...more.without("a").keys()], [...copy.keys()]]).toEqual([[["a", 1], ["b", 2]], ["b", "c"], ["a", "b", "z"]]);
    expect([more.first(), more.last(), new Table().first(), new Table().last()]).toEqual([["a", 1], ["c", 3], undefined, undefined]);
    expect([table.get("a"), table.has("x"), table.get("x")]).toEqual([1, false, undefined]);
  });

  it("deletes the entries before any key, as a filtered list, and leaves old versions alone", () => {
    fc.assert(
      fc.property(fc.array(key, { maxLength: 60 }), key, (keys, end) => {
        const table = seal(new Table(keys.map((k) => [k, { n: 1 }] as const)));
        const all = [...table.keys()];
        let deleted = 0;
        const after = seal(drafts.produce(table, (draft) => void (deleted = draft.deleteBefore(end))));
        const left = all.filter((k) => order(k, end) >= 0);
        expect([[...after.keys()], after.size, deleted, [...table.keys()]]).toEqual([left, left.length, all.length - left.length, all]);
      }),
    );
  });

  it("says whether an undefined value is there", () => {
    const table = new Table<string, undefined>([["a", undefined]]);
    expect([table.has("a"), table.has("b"), table.size, table.delete("b"), table.delete("a"), table.size]).toEqual([true, false, 1, false, true, 0]);
  });

  it("stores what drafts are at that moment, and freezes what it stores", () => {
    const state = seal({ list: [{ n: 1 }], table: new Table<string, unknown>(), inner: new Table<string, number>([["x", 1]]) });
    const mine = { n: [1] };
    const next = seal(
      drafts.produce(state, (draft) => {
        draft.inner.set("y", 2);
        draft.table.set("list", draft.list).set("inner", { is: draft.inner }).set("mine", mine);
        draft.list.push({ n: 2 });
        draft.inner.set("z", 3);
      }),
    );
    expect(next.table.get("list")).toEqual([{ n: 1 }]);
    expect([...(next.table.get("inner") as { is: Table<string, number> }).is.keys()]).toEqual(["x", "y"]);
    expect([...next.inner.keys()]).toEqual(["x", "y", "z"]);
    expect(() => mine.n.push(2)).toThrow(TypeError);
    expect(() => drafts.produce(next, (draft) => void draft.table.set("f", () => 1))).toThrow(expect.objectContaining({ code: "INVALID_INPUT" }));
  });

  it("updates objects through drafts and primitives through returned values, and says when there is nothing to update", () => {
    const state = seal({ accounts: new Table<string, { deep: { n: number } }>([["a", { deep: { n: 1 } }]]), counts: new Table<string, number>([["a", 1]]) });
    const next = seal(
      drafts.produce(state, (draft) => {
        expect(draft.accounts.update("a", (account) => void account.deep.n++)).toBe(true);
        expect(draft.accounts.update("a", (account) => ({ ...account, deep: { n: account.deep.n * 10 } }))).toBe(true);
        expect(draft.counts.update("a", (count) => count + 1)).toBe(true);
        expect(draft.counts.update("b", (count) => count + 1)).toBe(false);
      }),
    );
    expect([next.accounts.get("a"), next.counts.get("a"), state.accounts.get("a"), state.counts.get("a")]).toEqual([{ deep: { n: 20 } }, 2, { deep: { n: 1 } }, 1]);
  });

  it("changes Tables inside a Table's values through update()", () => {
    const state = seal(new Table<string, Table<string, number>>([["a", new Table<string, number>([["x", 1]])]]));
    const next = seal(drafts.produce(state, (draft) => void draft.update("a", (inner) => void inner.set("y", 2))));
    expect([[...(next.get("a") ?? [])], [...(state.get("a") ?? [])]]).toEqual([[["x", 1], ["y", 2]], [["x", 1]]]);
    expect(() => drafts.produce(next, (draft) => void draft.get("a")?.set("z", 1))).toThrow(/use update\(\)/);
  });

  it("cannot be changed once it is part of a state, except in a draft", () => {
    const table = new Table<string, number>([["a", 1]]).set("b", 2);
    seal({ table });
    for (const act of [() => table.set("c", 3), () => table.delete("a"), () => table.clear(), () => table.update("a", () => 2)]) expect(act).toThrow(expect.objectContaining({ code: "MACHINE_FAULT" }));
    expect([...table.keys()]).toEqual(["a", "b"]);
    expect(table.delete("not there")).toBe(false);
  });

  it("parts from the draft when a copy made with immer's current() is stored", () => {
    const state = seal({ table: new Table<string, number>([["a", 1]]), copy: undefined as Table<string, number> | undefined });
    const next = seal(
      drafts.produce(state, (draft) => {
        draft.table.set("b", 2);
        draft.copy = seal(current(draft).table);
        draft.table.set("c", 3);
      }),
    );
    expect([[...(next.copy?.keys() ?? [])], [...next.table.keys()]]).toEqual([["a", "b"], ["a", "b", "c"]]);
  });

  it.each([[Number.NaN], [undefined], [null], [true], [{}], [["a", Number.NaN]], [[["nested"]]], [[undefined]], [1n], [Symbol("x")]])("refuses %s as a key, saying what a key is", (bad) => {
    const table = new Table<TableKey, number>();
    const badKey = bad as unknown as TableKey;
    for (const act of [() => table.set(badKey, 1), () => table.get(badKey), () => table.has(badKey), () => table.delete(badKey), () => [...table.keys({ to: [0] as TableKey, from: badKey ?? (null as never) })]]) {
      expect(act).toThrow(expect.objectContaining({ code: "INVALID_INPUT", message: expect.stringContaining("is not a key of a Table") as string }));
    }
  });

  it("refuses a tuple with a hole, wherever a key is given, and takes one of any class as a plain one: what it stores can be written", () => {
    class Path extends Array<string> {}
    const table = new Table<TableKey, number>();
    for (const key of [Array<string>(2), Object.assign([], { 1: "b" }) as string[]]) {
      for (const use of [() => table.set(key, 1), () => table.get(key), () => table.has(key), () => table.delete(key), () => [...table.entries({ from: key })], () => Table.fromSorted([key], [1])]) {
        expect(use).toThrow("is not a key of a Table");
      }
    }
    table.set(Path.from(["a", "b"]), 1);
    expect(table.get(["a", "b"])).toBe(1);
    expect(Object.getPrototypeOf(table.first()?.[0])).toBe(Array.prototype);
  });

  it("keeps its own copy of a tuple key", () => {
    const mutable: [string, number] = ["a", 1];
    const table = new Table([[mutable, 1]]);
    mutable[1] = 2;
    expect([table.get(["a", 1]), table.get(["a", 2])]).toEqual([1, undefined]);
    const zero = new Table([[Object.freeze([-0]), 1]]).set([-0, -0], 1);
    expect([...zero.keys()]).toStrictEqual([[0], [0, 0]]);
  });

  it.each([4_095, 4_096, 4_097, 50_000])("fromSorted makes one Table of %i rows, and refuses one more that is not in order", (count) => {
    const keys = Array.from({ length: count }, (_, i) => i * 2);
    const table = seal(Table.fromSorted(keys, keys));
    expect([table.size, table.get(2 * (count - 1)), table.get(1)]).toEqual([count, 2 * (count - 1), undefined]);
    expect([...table.keys()]).toEqual(keys);
    const changed = drafts.produce(table, (draft) => {
      for (const key of keys) if (key % 3 === 0) draft.set(key + 1, key);
      draft.delete(0);
    });
    expect([...changed.keys()]).toEqual(keys.flatMap((key) => (key % 3 === 0 ? [key, key + 1] : [key])).slice(1));
    expect([...table.keys()], "the one before is as it was").toEqual(keys);
    expect(() => Table.fromSorted([...keys, 1], [...keys, 1])).toThrow(expect.objectContaining({ code: "INVALID_INPUT" }));
  });
  it.each([[[1, 1]], [[2, 1]], [["a", 1]], [[1, Number.NaN]]])("fromSorted refuses keys out of order: %j", (keys) => {
    expect(() => Table.fromSorted<TableKey, number>(keys, [0, 0])).toThrow(expect.objectContaining({ code: "INVALID_INPUT" }));
  });

  it("fromSorted refuses another number of values, and takes none at all", () => {
    expect(() => Table.fromSorted([1], [])).toThrow(/1 keys, but 0 values/);
    expect(Table.fromSorted([], []).size).toBe(0);
  });
});
