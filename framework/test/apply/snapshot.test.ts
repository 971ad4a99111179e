/** Snapshots: exact, in slices, of one position whatever comes later; damaged ones refused. Digests: equal exactly if the states are. */
import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createApplier } from "../../src/apply/applier.js";
import { sameState } from "../../src/apply/same-state.js";
import type { Applier } from "../../src/apply/types.js";
import { defineMachine } from "../../src/machine/define-machine.js";
import { Table } from "../../src/machine/table.js";
import { History, replica } from "../support/entries.js";
import { plainValue } from "../support/plain-values.js";

interface State {
  readonly table: Table<string, unknown>;
  readonly nested: { readonly tables: Table<number, Table<string, unknown>>[] };
  readonly record: Record<string, unknown>;
  readonly map: Map<unknown, unknown>;
}

const machineOf = (version: number, name = "keeper") =>
  defineMachine({
    name,
    version,
    initialState: (): State => ({ table: new Table(), nested: { tables: [new Table(), new Table(), new Table()] }, record: {}, map: new Map() }),
    commands: (command) => ({
      put: command((draft, { key, value }: { key: string; value: unknown }) => void draft.table.set(key, value)),
      remove: command((draft, key: string) => draft.table.delete(key)),
      nest: command((draft, { i, key, value }: { i: number; key: string; value: unknown }) => {
        const at = draft.nested.tables[i % 3];
        const inner = new Table(at?.get(i)).set(key, value);
        at?.set(i, inner);
        draft.table.set(`inner ${i}`, { shares: inner });
      }),
      keep: command((draft, { key, value }: { key: string; value: unknown }) => {
        if (key === "__proto__") return;
        draft.record[key] = value;
        draft.map.set(key, value);
      }),
      later: command((_draft, at: number, context) => context.schedule(at, "put", { key: "timer", value: at })),
      fill: command((draft, count: number) => {
        for (let i = 0; i < count; i++) draft.table.set(`key ${String(i).padStart(8, "0")}`, { value: i });
      }),
    }),
  });

const machine = machineOf(1);
type Call = { readonly name: string; readonly input: unknown; readonly requestId?: string };

const withId = fc.option(fc.constantFrom("r1", "r2", "r3", "r4"), { nil: undefined });
const text = fc.string({ maxLength: 3 });
const call: fc.Arbitrary<Call> = fc
  .oneof(
    fc.record({ name: fc.constant("put"), input: fc.record({ key: text, value: plainValue }) }),
    fc.record({ name: fc.constant("remove"), input: text }),
    fc.record({ name: fc.constant("nest"), input: fc.record({ i: fc.nat(5), key: text, value: plainValue }) }),
    fc.record({ name: fc.constant("keep"), input: fc.record({ key: text, value: plainValue }) }),
    fc.record({ name: fc.constant("later"), input: fc.integer({ min: 1001, max: 9999 }) }),
  )
  .chain(({ name, input }) => withId.map((requestId) => (requestId === undefined ? { name, input } : { name, input, requestId })));

/** A state after a history: applies it, and keeps the history for going on. */
function grow(calls: readonly Call[][], history = new History(), applier: Applier<State> = createApplier(machine)): { applier: Applier<State>; history: History } {
  for (const [i, commands] of calls.entries()) {
    const members = i % 4 === 0 ? { members: [replica(1), replica((i % 3) + 1)] } : {};
    applier.apply(history.entry(commands, { timeMs: 1000 + i * 500, origin: replica((i % 3) + 1), ...members }));
  }
  return { applier, history };
}

const slicesOf = (applier: Applier<unknown>, sliceBytes: number): Uint8Array[] => [...{ [Symbol.iterator]: () => applier.capture().slices(sliceBytes) }];

function restored(slices: readonly Uint8Array[], applier: Applier<State> = createApplier(machine)): Applier<State> {
  const sink = applier.receive();
  for (const slice of slices) sink.write(slice);
  applier.restore(sink.finish());
  return applier;
}

function digestOf(applier: Applier<unknown>, keys = 7): string {
  const run = applier.digest();
  for (;;) {
    const digest = run.step(keys);
    if (digest !== undefined) return digest;
  }
}

/** Each takes less than half a second; a busy machine may take much longer, and that is not a failure. */
const timeoutMs = 60_000;

describe("a snapshot", { timeout: timeoutMs }, () => {
  it("restores everything exactly, and both go on alike", () => {
    fc.assert(
      fc.property(fc.array(fc.array(call, { maxLength: 5 }), { maxLength: 8 }), fc.array(fc.array(call, { maxLength: 5 }), { maxLength: 3 }), fc.constantFrom(1, 40, 1000, 1e6), (before, after, sliceBytes) => {
        const { applier, history } = grow(before);
        const other = restored(slicesOf(applier, sliceBytes));
        const ids = ["r1", "r2", "r3", "r4"];
        const check = (): void => {
          expect(sameState(other.state, applier.state)).toBe(true);
          expect([other.position, other.now, other.nextTimerAt, other.answered("r1")]).toEqual([applier.position, applier.now, applier.nextTimerAt, applier.answered("r1")]);
          expect([1, 2, 3].map((slot) => other.lastApplied(replica(slot).incarnation))).toEqual([1, 2, 3].map((slot) => applier.lastApplied(replica(slot).incarnation)));
          expect(isDeepStrictEqual(ids.map((id) => other.answered(id)), ids.map((id) => applier.answered(id)))).toBe(true);
          expect(digestOf(other)).toBe(digestOf(applier, 1000));
        };
        check();
        for (const commands of after) {
          const entry = history.entry(commands, { timeMs: 9000 });
          expect(isDeepStrictEqual(other.apply(entry), applier.apply(entry))).toBe(true);
        }
        check();
      }),
      { numRuns: 80 },
    );
  });

  it("is of its position, whatever is applied while it is sent", () => {
    const { applier, history } = grow([[{ name: "fill", input: 5000 }]]);
    const digest = digestOf(applier);
    const slices = applier.capture().slices(10_000);
    const sent: Uint8Array[] = [];
    for (let next = slices.next(); next.done !== true; next = slices.next()) {
      sent.push(next.value);
      applier.apply(history.entry([{ name: "fill", input: 100 }, { name: "put", input: { key: `key ${sent.length}`, value: "new" } }, { name: "remove", input: "key 00004000" }]));
    }
    expect(sent.length).toBeGreaterThan(10);
    const other = restored(sent);
    expect([other.position, digestOf(other)]).toEqual([1, digest]);
  });

  it("tells about how large it will be", () => {
    for (const rows of [0, 10, 20_000]) {
      const { applier } = grow([[{ name: "fill", input: rows }, { name: "put", input: { key: "key", value: "value" } }]]);
      const bytes = slicesOf(applier, 10_000).reduce((sum, slice) => sum + slice.byteLength, 0);
      expect(Math.abs(applier.capture().aboutBytes() - bytes), `${bytes} bytes`).toBeLessThan(200 + bytes / 5);
    }
  });

  it("comes in slices of about the size asked for, larger values too", () => {
    const { applier } = grow([[{ name: "fill", input: 20_000 }, { name: "put", input: { key: "large", value: "x".repeat(100_000) } }]]);
    const sizes = slicesOf(applier, 16_384).map((slice) => slice.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2 * 16_384 + 4);
    expect(sizes.slice(0, -1).every((size) => size >= 16_384)).toBe(true);
    expect(sizes.length).toBeGreaterThan(20);
  });

  it("may be cut anywhere on its way", () => {
    const { applier } = grow([[{ name: "fill", input: 50 }]]);
    const bytes = Buffer.concat(slicesOf(applier, 1000));
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 20 }), (cuts) => {
        const ends = [...cuts, bytes.length].toSorted((a, b) => a - b);
        expect(digestOf(restored(ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))))).toBe(digestOf(applier));
      }),
      { numRuns: 30 },
    );
  });

  it("does not depend on the slices that brought it once they were written", () => {
    const { applier } = grow([[{ name: "put", input: { key: "bytes", value: new Uint8Array([1, 2, 3]) } }]]);
    const sink = applier.receive();
    for (const slice of slicesOf(applier, 7)) {
      const lent = Uint8Array.from(slice);
      sink.write(lent);
      lent.fill(0);
    }
    const other = createApplier(machine);
    other.restore(sink.finish());
    expect(digestOf(other)).toBe(digestOf(applier));
  });

  it("that is not whole, or not one, is refused, and nothing changes", () => {
    const { applier } = grow([[{ name: "fill", input: 300 }, { name: "nest", input: { i: 1, key: "a", value: 1 } }]]);
    const whole = slicesOf(applier, 500);
    const broken: [string, Uint8Array[]][] = [
      ["nothing", []],
      ["without its end", whole.slice(0, -1)],
      ["with a slice left out", whole.toSpliced(3, 1)],
      ["with a slice twice", whole.toSpliced(3, 0, whole[3] as Uint8Array)],
      ["that goes on", [...whole, whole[0] as Uint8Array]],
      ["with bytes after it", [...whole, new Uint8Array(3)]],
      ["that begins in the middle", whole.slice(1)],
    ];
    for (const [name, slices] of broken) {
      const target = createApplier(machine);
      expect(() => restored(slices, target), name).toThrow(expect.objectContaining({ code: "MALFORMED_MESSAGE" }));
      expect([target.position, target.state.table.size]).toEqual([0, 0]);
    }
  });

  it("whose whole records are too many, or another Table's, is refused", () => {
    const { applier } = grow([[{ name: "nest", input: { i: 1, key: "a", value: 1 } }, { name: "nest", input: { i: 1, key: "b", value: 2 } }]]);
    const records = slicesOf(applier, 1);
    const state = records[1] as Uint8Array;
    const row = records.at(-3) as Uint8Array;
    const lastTable = records.at(-4) as Uint8Array;
    const broken: [string, Uint8Array[], string][] = [
      ["the state twice", records.toSpliced(1, 0, state), "records of"],
      ["the state behind the end", [...records, state], "goes on after its end"],
      ["a row in the Table before", records.toSpliced(-4, 2, row, lastTable), "rows of"],
    ];
    for (const [name, slices, why] of broken) {
      const target = createApplier(machine);
      expect(() => restored(slices, target), name).toThrow(expect.objectContaining({ code: "MALFORMED_MESSAGE", message: expect.stringContaining(why) as string }));
      expect([target.position, target.state.table.size]).toEqual([0, 0]);
    }
  });

  it("with any byte changed is refused, or its digest tells if the state is another", () => {
    const { applier } = grow([[{ name: "fill", input: 5 }, { name: "nest", input: { i: 1, key: "a", value: -0 } }]]);
    const digest = digestOf(applier);
    const bytes = Buffer.concat(slicesOf(applier, 1e6));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Buffer.from(bytes);
        damaged[at] = (damaged[at] as number) ^ flip;
        const target = createApplier(machine);
        const sink = target.receive();
        try {
          sink.write(damaged);
          target.restore(sink.finish());
        } catch (error) {
          expect(error).toMatchObject({ name: "LockstepError" });
        }
        // A few bytes of an encoding are not read; changing them changes nothing.
        if (digestOf(target) === digest) expect([target.position, target.now, sameState(target.state, applier.state)]).toEqual([applier.position, applier.now, true]);
      }),
      { numRuns: 400 },
    );
  });

  it("whose damage makes a Table contain itself is refused", () => {
    const { applier } = grow([[{ name: "nest", input: { i: 1, key: "a", value: 1 } }]]);
    const bytes = Buffer.concat(slicesOf(applier, 1e6));
    // References are written as the key "\0" with [6, number]: make each of them refer to each table in turn.
    const starts = [...bytes.keys()].filter((i) => bytes.subarray(i, i + 4).equals(Buffer.from([0xa1, 0x00, 0x92, 0x06])));
    expect(starts.length).toBeGreaterThan(3);
    const refused = starts.flatMap((start) => Array.from({ length: 6 }, (_, number) => {
      const damaged = Buffer.from(bytes);
      damaged[start + 4] = number;
      try {
        return digestOf(restored([damaged])).length === 64 ? "" : "no digest";
      } catch (error) {
        return (error as Error).message;
      }
    }));
    expect(refused.some((message) => message.includes("contains itself"))).toBe(true);
  });

  it("and a digest can be made of Tables in each other, however deep", () => {
    const deep = defineMachine({
      name: "deep",
      version: 1,
      initialState: () => ({ history: new Table<string, unknown>() }),
      commands: (command) => ({ wrap: command((draft, levels: number) => {
        for (let level = 0; level < levels; level++) draft.history = new Table<string, unknown>([["level", level], ["before", draft.history], ["also", draft.history]]);
      }) }),
    });
    const history = new History();
    const applier = createApplier(deep);
    for (let i = 0; i < 4; i++) expect(applier.apply(history.entry([{ name: "wrap", input: 5_000 }])).commands[0]?.outcome).toMatchObject({ ok: true });
    const other = createApplier(deep);
    const sink = other.receive();
    for (const slice of slicesOf(applier, 64 * 1024)) sink.write(slice);
    other.restore(sink.finish());
    expect(digestOf(other, 500)).toBe(digestOf(applier, Infinity));
  });

  it.each([[machineOf(2)], [machineOf(1, "another")]])("of another machine or version is refused", (other) => {
    const { applier } = grow([]);
    const sink = createApplier(other).receive();
    expect(() => slicesOf(applier, 100).forEach((slice) => sink.write(slice))).toThrow(expect.objectContaining({ code: "MACHINE_MISMATCH" }));
  });

  it("never takes the applied position back, and restore() takes nothing else", () => {
    const { applier, history } = grow([[]]);
    const sink = applier.receive();
    for (const slice of slicesOf(applier, 100)) sink.write(slice);
    const token = sink.finish();
    expect([token.position, token.lastApplied(replica(1).incarnation), token.lastApplied("none")]).toEqual([1, 1, 0]);
    applier.apply(history.entry([]));
    expect(() => applier.restore(token)).toThrow(expect.objectContaining({ code: "INVARIANT_VIOLATED" }));
    expect(() => applier.restore({ position: 9, lastApplied: () => 0 })).toThrow(expect.objectContaining({ code: "INVARIANT_VIOLATED" }));
  });
});

describe("a digest", { timeout: timeoutMs }, () => {
  it("differs whenever any part of the state does", () => {
    const put = (key: string, value: unknown): Call[] => [{ name: "put", input: { key, value } }];
    const states: Call[][][] = [
      [put("a", 1)], [put("a", "1")], [put("a", 1n)], [put("b", 1)], [put("a", -0)], [put("a", 0)], [put("a", undefined)], [put("a", null)], [put("a", [])], [put("a", {})],
      [put("a", new Map())], [put("a", new Set())], [put("a", new Uint8Array(1))], [put("a", Buffer.alloc(1))], [put("a", { x: undefined })], [put("a", [[1], 2])], [put("a", [1, [2]])],
      [[{ name: "put", input: { key: "a", value: 1 }, requestId: "r" }]], [[{ name: "put", input: { key: "a", value: 1 }, requestId: "s" }]], [[{ name: "later", input: 2000 }]], [[{ name: "later", input: 2001 }]],
      [[{ name: "keep", input: { key: "a", value: 1 } }]], [[{ name: "nest", input: { i: 1, key: "a", value: 1 } }]], [[{ name: "nest", input: { i: 4, key: "a", value: 1 } }]], [[]],
      [put("a", 1), []],
    ];
    const digests = states.map((calls) => digestOf(grow(calls).applier));
    expect(new Set(digests).size).toBe(states.length);
  });

  it("does not depend on the order in which an object got its keys, nor on the entries that changes came in", () => {
    const a: Call = { name: "put", input: { key: "k", value: { x: 1, y: { p: 1, q: 2 } } } };
    const b: Call = { name: "put", input: { key: "k", value: { y: { q: 2, p: 1 }, x: 1 } } };
    expect(digestOf(grow([[a]]).applier)).toBe(digestOf(grow([[b]]).applier));
  });

  it("is of the position at which it was begun", () => {
    const { applier, history } = grow([[{ name: "fill", input: 1000 }]]);
    const expected = digestOf(applier);
    const run = applier.digest();
    for (let digest = run.step(50); ; digest = run.step(50)) {
      if (digest !== undefined) {
        expect([run.position, digest, run.step(1)]).toEqual([1, expected, expected]);
        return;
      }
      applier.apply(history.entry([{ name: "fill", input: 10 }, { name: "remove", input: "key 00000500" }]));
    }
  });
});
