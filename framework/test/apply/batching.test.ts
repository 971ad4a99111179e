/** How commands were batched into entries does not show in anything but their positions. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createApplier } from "../../src/apply/applier.js";
import { sameState } from "../../src/apply/same-state.js";
import type { AppliedCommand, Applier } from "../../src/apply/types.js";
import type { CommandCall } from "../../src/log/entry.js";
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

const name = fc.constantFrom("a", "b", "c");
const call: fc.Arbitrary<CommandCall> = fc
  .tuple(fc.constantFrom("create", "createShared", "bump", "bump", "bumpLast", "move", "tag", "store", "later", "cancel", "unknown"), fc.oneof(name, fc.constantFrom("5000", "5001")), fc.option(fc.constantFrom("r1", "r2", "r3", "r4", "r5", "r6"), { nil: undefined }))
  .map(([command, input, requestId]) => (requestId === undefined ? { name: command, input } : { name: command, input, requestId }));

interface Run {
  readonly applier: Applier<State>;
  readonly applied: AppliedCommand[];
}

function run(batches: readonly CommandCall[][]): Run {
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

/** Takes half a second; a busy machine may take much longer, and that is not a failure. */
const timeoutMs = 60_000;

describe("batching", { timeout: timeoutMs }, () => {
  it("is invisible: any split into entries gives the same outcomes, state, timers and answers", () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 30 }), fc.array(fc.nat(12), { maxLength: 6 }), (calls, sizes) => {
        const one = run(split(calls, sizes));
        const other = run(calls.map((made) => [made]));
        expect(sameState(one.applied, other.applied)).toBe(true);
        expect(sameState(one.applier.state, other.applier.state)).toBe(true);
        for (const id of ["r1", "r2", "r3", "r4", "r5", "r6"]) expect(sameState(one.applier.answered(id), other.applier.answered(id))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
