/** The development check finds handlers whose two runs differ, and names them; it leaves deterministic ones alone. */
import { original } from "immer";
import { describe, expect, it } from "vitest";
import { createApplier } from "../../src/apply/applier.js";
import type { Context } from "../../src/machine/types.js";
import type { CommittedEntry } from "../../src/log/entry.js";
import { defineMachine } from "../../src/machine/define-machine.js";
import { reject } from "../../src/machine/reject.js";
import { Table } from "../../src/machine/table.js";
import { History } from "../support/entries.js";

let outside = 0;
type Draft = { table: Table<string, unknown>; list: unknown[]; object: Record<string, number> };
const kinds: Record<string, (draft: Draft, context: Context) => unknown> = {
  "returns another result": () => outside++,
  "stores another value in a Table": (draft) => void draft.table.set("a", { deep: [outside++] }),
  "stores under another key": (draft) => void draft.table.set(`${outside++}`, 1),
  "changes a list by something outside": (draft) => void draft.list.push(outside++),
  "adds keys in another order": (draft) => void Object.assign(draft.object, outside++ % 2 === 0 ? { x: 1, y: 2 } : { y: 2, x: 1 }),
  "rejects with other details": () => {
    throw reject("no", outside++);
  },
  "rejects every second time": () => {
    if (outside++ % 2 === 0) throw reject("no");
  },
  "schedules at another time": (_draft, context) => void context.schedule(context.now + 1000 + outside++, "act", "is the same"),
  "keeps the time of day": (draft) => void draft.list.push(performance.now()),
  "is the same": (draft, context) => {
    draft.table.set(context.uuid(), [context.random(), new Date(context.now), new Uint8Array(2), new Date(Number.NaN), Number.NaN, new Map([[1, new Set([2])]])]);
    context.schedule(context.now + 1000, "act", "is the same");
    return { list: draft.list, uuid: context.uuid() };
  },
  "fails the same way": (draft) => {
    draft.list.push(1);
    throw new Error("a bug");
  },
};

const machine = defineMachine({
  name: "checked",
  version: 1,
  initialState: (): Draft => ({ table: new Table([["first", 1]]), list: [], object: {} }),
  commands: (command) => ({ act: command((draft, kind: string, context) => kinds[kind]?.(draft as Draft, context)) }),
});

describe("checkDeterminism", () => {
  const entry = (kind: string) => new History().entry([{ name: "act", input: kind }]);

  it.each(Object.keys(kinds).filter((kind) => !kind.includes("same")))("finds a handler that %s, and names it", (kind) => {
    const applier = createApplier(machine, { checkDeterminism: true });
    expect(() => applier.apply(entry(kind))).toThrow(expect.objectContaining({ code: "DIVERGED", message: expect.stringContaining("act is not deterministic") as string }));
    expect([applier.position, applier.state.list.length]).toEqual([0, 0]);
    expect(createApplier(machine).apply(entry(kind)).commands).toHaveLength(1);
  });

  it.each(Object.keys(kinds).filter((kind) => kind.includes("same")))("lets a handler pass that %s, with the outcome it has without the check", (kind) => {
    const [checked, unchecked] = [createApplier(machine, { checkDeterminism: true }), createApplier(machine)];
    expect(checked.apply(entry(kind))).toEqual(unchecked.apply(entry(kind)));
    expect(checked.state.list).toEqual(unchecked.state.list);
  });

  it("finds a handler that sees where an entry begins, by immer's original()", () => {
    const counter = defineMachine({
      name: "counter",
      version: 1,
      initialState: () => ({ count: 0 }),
      commands: (command) => ({ add: command((draft) => [++draft.count, original(draft)?.count]) }),
    });
    const entries = (): CommittedEntry => new History().entry([{ name: "add", input: undefined }, { name: "add", input: undefined }]);
    const applier = createApplier(counter, { checkDeterminism: true });
    expect(() => applier.apply(entries())).toThrow(expect.objectContaining({ code: "DIVERGED", message: expect.stringContaining("original()") as string }));
    expect([applier.position, applier.state.count]).toEqual([0, 0]);
    const [first, second] = createApplier(counter).apply(entries()).commands.map(({ outcome }) => outcome);
    expect([first, second]).toEqual([{ ok: true, result: [1, 0] }, { ok: true, result: [2, 0] }]);
  });
});
