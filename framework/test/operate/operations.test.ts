/** Records of what operators do, as the machines apply them: kept, bounded, and out of the way of the machine's own commands. */
import { describe, expect, it } from "vitest";
import { createApplier } from "../../src/apply/applier.js";
import { keptOperations, recordCall } from "../../src/apply/operations.js";
import { defineMachine } from "../../src/machine/define-machine.js";
import type { AnyMachine } from "../../src/machine/types.js";
import { History } from "../support/entries.js";
import { counters } from "../support/test-group.js";

const machine = counters() as unknown as AnyMachine<unknown>;
const record = (n: number, details = "") => recordCall({ what: "backup", who: `operator ${n}`, details, atMs: n });

describe("records of operations", () => {
  it("are the newest, with where and when they were applied, and change nothing else", () => {
    const [applier, history] = [createApplier(machine), new History()];
    const before = applier.state;
    for (let n = 1; n <= keptOperations + 30; n++) applier.apply(history.entry([record(n)], { timeMs: 1_000 + n }));
    expect(applier.state).toBe(before);
    expect(applier.operations).toHaveLength(keptOperations);
    expect(applier.operations[0]).toEqual({ position: 31, now: 1_031, what: "backup", who: "operator 31", details: "", atMs: 31 });
    expect(applier.operations.at(-1)?.position).toBe(keptOperations + 30);
  });

  it("are bounded in size, whoever sends them", () => {
    const [applier, history] = [createApplier(machine), new History()];
    applier.apply(history.entry([record(1, "x".repeat(100_000))]));
    expect(applier.operations[0]?.details).toHaveLength(2_000);
    const forged = [null, 7, {}, { ...(record(2).input as object), atMs: Number.NaN }, { ...(record(2).input as object), details: "x".repeat(100_000) }];
    const { commands } = applier.apply(history.entry(forged.map((input) => ({ ...record(2), input }))));
    expect(commands.map(({ outcome }) => outcome)).toEqual(forged.map(() => expect.objectContaining({ ok: false, code: "INVALID_INPUT" }) as unknown));
    expect(applier.operations).toHaveLength(1);
  });

  it("are part of snapshots and digests", () => {
    const [applier, history, other] = [createApplier(machine), new History(), createApplier(machine)];
    const digest = (of: typeof applier): string => {
      const run = of.digest();
      for (;;) {
        const done = run.step(100);
        if (done !== undefined) return done;
      }
    };
    const entry = history.entry([record(1)]);
    applier.apply(entry);
    other.apply({ ...entry, entry: { ...entry.entry, commands: [record(2)] } });
    expect(digest(other)).not.toBe(digest(applier));
    const sink = other.receive();
    const slices = applier.capture().slices(100);
    for (let slice = slices.next(); slice.done !== true; slice = slices.next()) sink.write(slice.value);
    other.restore(sink.finish());
    expect(other.operations).toEqual(applier.operations);
    expect(digest(other)).toBe(digest(applier));
  });

  it("cannot be a machine's command", () => {
    const define = (name: string) => () => defineMachine({ name: "m", version: 1, initialState: () => ({}), commands: (command) => ({ [name]: command(() => undefined) }) });
    expect(define("lockstep:record")).toThrow(/begins with "lockstep:" is the framework's/);
    expect(define("record")).not.toThrow();
  });
});
