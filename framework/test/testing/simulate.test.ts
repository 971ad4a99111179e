/** simulate() on machines of applications: those that are right, and those that look where a handler must not look. */
import { describe, expect, it } from "vitest";
import { defineMachine, Table } from "../../src/index.js";
import { simulate, SimulationFailure } from "../../src/testing/index.js";

interface Log {
  readonly lines: Table<number, string>;
}

/** One command, which adds what `line` returns. */
function machineOf(line: (text: string) => string) {
  return defineMachine({
    name: "log",
    version: 1,
    initialState: (): Log => ({ lines: new Table() }),
    commands: (command) => ({
      add: command((draft, { text }: { text: string }, context) => {
        draft.lines.set(draft.lines.size, line(text));
        return context.position;
      }),
    }),
    queries: { size: (state) => state.lines.size },
  });
}

const commands = { add: (random: { between(low: number, high: number): number }) => ({ text: String(random.between(1, 9)) }) };

async function failureOf(run: Promise<unknown>): Promise<SimulationFailure> {
  const error = await run.then(() => undefined, (thrown: unknown) => thrown);
  if (!(error instanceof SimulationFailure)) throw new Error(`it did not fail so: ${String(error)}`);
  return error;
}

// Machines in tests are busy at times.
describe("simulate", () => {
  it("finds nothing wrong with a deterministic machine, which snapshots and view changes have happened to", async () => {
    const summary = await simulate(machineOf((text) => text), { commands, queries: { size: () => [] }, histories: 60 });
    expect(summary.histories).toBe(60);
    expect(summary.answered).toBeGreaterThan(60);
    expect(summary.snapshots).toBeGreaterThan(0);
    expect(summary.views).toBeGreaterThan(60);
  });

  let calls = 0;
  const seen = new Map<string, number>();
  it.each([
    // So coarse that the clocks of this machine would be the same for all.
    ["reads the wall clock", () => String(Math.floor(Date.now() / 3_600_000))],
    ["makes a Date", () => new Date().toISOString().slice(0, "2026-11-22T21".length)],
    ["reads the monotonic clock", () => String(Math.floor(performance.now() / 100_000))],
    ["throws dice of its own", () => String(Math.random())],
    ["counts its calls in a variable of its module", () => String(calls++)],
    ["remembers outside the state", (text: string) => {
      seen.set(text, (seen.get(text) ?? 0) + 1);
      return `${text} ${seen.get(text)}`;
    }],
  ])("finds a handler that %s, and shows a short history in which replicas differ", async (_what, line: (text: string) => string) => {
    const failure = await failureOf(simulate(machineOf(line), { commands }));
    expect(failure.message).toContain("is a handler not deterministic?");
    expect(failure.message).toMatch(/^seed \d+: invariant 1/);
    expect(failure.message).toMatch(/has \d{1,2} moments/);
    expect(failure.message).toContain("applied");
  });

  it("finds an initial state that looks at the clock, and the same again from the seed", async () => {
    const machine = defineMachine({
      name: "log", version: 1, initialState: () => ({ since: Math.floor(Date.now() / 3_600_000), lines: 0 }),
      commands: (command) => ({ add: command((draft, { text }: { text: string }) => { draft.lines += text.length; }) }),
    });
    const failure = await failureOf(simulate(machine, { commands }));
    expect(failure.message).toContain("is a handler not deterministic?");
    const again = await failureOf(simulate(machine, { commands, seed: failure.seed, histories: 1 }));
    expect(again.message).toBe(failure.message);
  });

  it("finds what a restart forgets, when a function makes a machine for each process", async () => {
    const make = () => {
      const first = new Map<string, number>();
      return defineMachine({
        name: "log", version: 1, initialState: () => ({ lines: 0, sum: 0 }),
        commands: (command) => ({ add: command((draft, { text }: { text: string }) => {
          draft.lines++;
          if (!first.has(text)) first.set(text, draft.lines);
          draft.sum += first.get(text) ?? 0;
        }) }),
      });
    };
    // The first that finds it; those before it have no restart at the right time.
    const failure = await failureOf(simulate(make, { commands, seed: 15 }));
    expect(failure.message).toContain("is a handler not deterministic?");
  });

  function machineThatShows(row: () => number) {
    return defineMachine({
      name: "shows", version: 1, initialState: (): Log => ({ lines: new Table() }),
      commands: (command) => ({ add: command((draft, { text }: { text: string }) => {
        draft.lines.set(draft.lines.size, text);
        return { text, shown: new Table<number, Table<string, number>>([[1, new Table([["row", row()]])]]) };
      }) }),
    });
  }

  it.each([["renews itself for ever", 1_000], ["takes very long", 86_400_000]])("does not wait for a timer that %s", async (_what, afterMs) => {
    const sweeping = defineMachine({
      name: "sweeping",
      version: 1,
      initialState: () => ({ begun: false, sweeps: 0 }),
      commands: (command) => ({
        begin: command((draft, _input: undefined, context) => {
          if (!draft.begun) context.schedule(context.now + afterMs, "sweep");
          draft.begun = true;
        }),
        sweep: command((draft, _input: undefined, context) => {
          draft.sweeps++;
          context.schedule(context.now + afterMs, "sweep");
        }),
      }),
    });
    let sweeps = 0;
    const summary = await simulate(sweeping, { commands: { begin: () => undefined }, histories: 3, check: (state) => { sweeps = state.sweeps; } });
    expect(summary.answered).toBeGreaterThan(3);
    expect(sweeps).toSatisfy((count: number) => afterMs === 1_000 ? count >= 30 : count === 0);
  });

  it("takes Tables for results as replicas do, and looks into them", async () => {
    expect((await simulate(machineThatShows(() => 1), { commands, histories: 3 })).histories).toBe(3);
    let shown = 0;
    const failure = await failureOf(simulate(machineThatShows(() => shown++), { commands }));
    expect(failure.message).toContain("got another outcome");
  });

  it("finds a state that its check refuses, and the same again from the seed", async () => {
    const check = ({ lines }: Log): void => { if (lines.size > 12) throw new Error(`${lines.size} lines are too many`); };
    const failure = await failureOf(simulate(machineOf((text) => text), { commands, check }));
    expect(failure.violation.rule).toBe("check");
    const again = await failureOf(simulate(machineOf((text) => text), { commands, check, seed: failure.seed, histories: 1 }));
    expect(again.message).toBe(failure.message);
  });

  it.each([
    ["no histories", { histories: 0 }, "histories must be a whole number above 0, not 0"],
    ["a number of histories that is none", { histories: "many" }, 'histories must be a whole number above 0, not "many"'],
    ["a seed that is none", { seed: "7", histories: 1 }, 'seed must be a whole number, not "7"'],
    ["a check that is misspelt", { chekc: () => { throw new Error("never called"); }, histories: 1 }, "chekc is not an option; there are commands, queries, check"],
    ["a check that is async", { check: async () => { await Promise.resolve(); throw new Error("never heard"); }, histories: 1 }, "`check` returned a promise"],
  ])("refuses %s, with which it would find nothing wrong with anything", async (_what, options, message) => {
    await expect(simulate(machineOf((text) => text), { commands, ...(options as object) })).rejects.toMatchObject({ code: "INVALID_INPUT", message: expect.stringContaining(message) as string });
  });

  it.each([
    ["throws", (draft: { n: number }) => { draft.n = (undefined as unknown as { n: number }).n; }, { n: 1 }, "MACHINE_FAULT"],
    ["is async", async (draft: { n: number }) => { await Promise.resolve(draft); }, { n: 1 }, "MACHINE_FAULT"],
    ["never gets an input that could be sent", (draft: { n: number }) => { draft.n++; }, { n: () => 1 }, "INVALID_INPUT"],
  ])("finds nothing right with a handler that %s, whatever the other ones do", async (_what, handler: (draft: { n: number }) => unknown, input: unknown, code) => {
    const machine = defineMachine({
      name: "half", version: 1, initialState: () => ({ n: 0 }),
      commands: (command) => ({ add: command((draft) => { draft.n++; }), work: command((draft, _input: unknown) => handler(draft) as undefined) }),
    });
    await expect(simulate(machine, { commands: { add: () => undefined, work: () => input }, histories: 3 })).rejects.toMatchObject({ code: "INVALID_INPUT", message: expect.stringContaining(`no call of work took effect: all ended with ${code}`) as string });
  });

  it("refuses calls that the machine does not have", async () => {
    await expect(simulate(machineOf((text) => text), { commands: { remove: () => 1 } as never })).rejects.toThrow("has no remove");
    await expect(simulate(machineOf((text) => text), { commands: {} })).rejects.toThrow("at least one command");
  });
});
