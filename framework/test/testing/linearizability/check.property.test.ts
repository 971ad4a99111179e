/** Random histories: those of a real object are accepted, spoilt ones refused, and small ones judged as the definition does. */
import { describe, expect, it } from "vitest";
import {
  checkLinearizable, counterModel, mapEntryModel, registerModel,
  type CounterInput, type MapEntryInput, type MapEntryOutput, type Model, type Operation, type RegisterInput, type RegisterOutput,
} from "../../../src/testing/linearizability/index.js";
import { Random } from "../../../src/testing/random.js";
import { historyOfOneObject, isLinearizableByTrial, type Shape } from "./histories.js";

const firstSeed = Number(process.env["LOCKSTEP_SEED"] ?? 1);
const seeds = (count: number): number[] => Array.from({ length: count }, (_, index) => firstSeed + index);

const registerInput = (random: Random, nth: number): RegisterInput => (random.chance(0.5) ? { type: "read" } : { type: "write", value: nth });
const counterInput = (random: Random): CounterInput => (random.chance(0.3) ? "read" : "increment");
const mapEntryInput = (random: Random): MapEntryInput => random.pick<MapEntryInput>([
  { type: "read" }, { type: "write", value: random.between(1, 3) }, { type: "delete" },
  { type: "cas", expected: random.pick([null, 1, 2, 3]) ?? null, value: random.between(1, 3) },
]) ?? { type: "read" };

const small = { clients: 4, keys: 1, operations: 7, unknownChance: 0.2, maxUnknown: 3 };
const usual = { clients: 6, keys: 3, operations: 200, unknownChance: 0.1, maxUnknown: 15 };
const large = { clients: 20, keys: 1, operations: 4_000, unknownChance: 0.01, maxUnknown: 30 };

/** One output becomes one that cannot be: of `impossible`. */
function spoil<I, O>(random: Random, operations: readonly Operation<I, O>[], impossible: (operation: Operation<I, O>) => O | undefined): Operation<I, O>[] {
  const choices = operations.filter((operation) => operation.output !== undefined && impossible(operation) !== undefined);
  const spoilt = random.pick(choices);
  expect(spoilt, "there is something to spoil").toBeDefined();
  return operations.map((operation) => (operation === spoilt ? { ...operation, output: impossible(operation) } : operation));
}

function acceptsAndRefuses<S, I, O>(model: Model<S, I, O>, input: Shape<I>["input"], impossible: (operation: Operation<I, O>) => O | undefined): void {
  for (const seed of seeds(60)) {
    const random = new Random(seed);
    const operations = historyOfOneObject(model, random, { ...usual, input });
    const result = checkLinearizable(model, operations);
    expect(result.kind, `seed ${seed}: ${result.kind === "violation" ? result.timeline : ""}`).toBe("linearizable");
    expect(checkLinearizable(model, spoil(random, operations, impossible)).kind, `seed ${seed}, spoilt`).toBe("violation");
  }
}

function judgesAsByTrial<S, I, O>(model: Model<S, I, O>, input: Shape<I>["input"]): void {
  const verdicts = new Map<string, number>();
  for (const seed of seeds(1_000)) {
    const random = new Random(seed);
    const operations = historyOfOneObject(model, random, { ...small, input });
    // Some get the output of another: at times it fits, often it does not.
    const mixed = operations.map((operation): Operation<I, O> => {
      const other = random.chance(0.4) ? random.pick(operations.filter((one) => one.output !== undefined && canReturn(model, operation.input, one))) : undefined;
      return other === undefined || operation.output === undefined ? operation : { ...operation, output: other.output };
    });
    const expected = isLinearizableByTrial(model, mixed) ? "linearizable" : "violation";
    expect(checkLinearizable(model, mixed).kind, `seed ${seed}: ${JSON.stringify(mixed)}`).toBe(expected);
    verdicts.set(expected, (verdicts.get(expected) ?? 0) + 1);
  }
  expect(verdicts.get("linearizable")).toBeGreaterThan(30);
  expect(verdicts.get("violation")).toBeGreaterThan(30);
}

/** The same kind of operation: what comes back is of the same type. */
function canReturn<S, I, O>(model: Model<S, I, O>, input: I, { input: other }: Operation<I, O>): boolean {
  return model.inputKey(input).split(" ")[0] === model.inputKey(other).split(" ")[0];
}

/** One of the last increments returns what one of the first returned. */
function giveTwice(operations: readonly Operation<CounterInput, number>[]): Operation<CounterInput, number>[] {
  const increments = operations.filter(({ input, output }) => input === "increment" && output !== undefined);
  return operations.map((operation) => (operation === increments.at(-100) ? { ...operation, output: increments[100]?.output } : operation));
}

/** One of the last reads returns what one of the first returned. */
function readStale(operations: readonly Operation<RegisterInput, RegisterOutput>[]): Operation<RegisterInput, RegisterOutput>[] {
  const reads = operations.filter(({ input, output }) => input.type === "read" && output !== undefined);
  return operations.map((operation) => (operation === reads.at(-100) ? { ...operation, output: reads[100]?.output } : operation));
}

describe("random histories", () => {
  it("of a register are accepted, and refused with a read of what nobody wrote", () => {
    acceptsAndRefuses<Parameters<typeof registerModel.step>[0], RegisterInput, RegisterOutput>(registerModel, registerInput, ({ input }) => (input.type === "read" ? { read: -1 } : undefined));
  });

  it("of a counter are accepted, and refused with a number that is too high", () => {
    acceptsAndRefuses(counterModel, counterInput, () => 1_000);
  });

  it("of a map's entry are accepted, and refused with a read of what nobody wrote", () => {
    acceptsAndRefuses<Parameters<typeof mapEntryModel.step>[0], MapEntryInput, MapEntryOutput>(mapEntryModel, mapEntryInput, ({ input }) => (input.type === "read" ? { read: 9 } : undefined));
  });

  it("that are small are judged as by trying all orders", () => {
    judgesAsByTrial<Parameters<typeof registerModel.step>[0], RegisterInput, RegisterOutput>(registerModel, (random) => registerInput(random, random.between(1, 3)));
    judgesAsByTrial(counterModel, counterInput);
    judgesAsByTrial<Parameters<typeof mapEntryModel.step>[0], MapEntryInput, MapEntryOutput>(mapEntryModel, mapEntryInput);
  });

  it("of thousands of operations on one key, twenty at a time and thirty of unknown outcome, are judged in seconds", () => {
    for (const seed of seeds(1)) {
      const random = new Random(seed);
      const registers = historyOfOneObject(registerModel, random, { ...large, input: registerInput });
      const counters = historyOfOneObject(counterModel, random, { ...large, input: counterInput });
      const entries = historyOfOneObject(mapEntryModel, random, { ...large, input: mapEntryInput });
      expect(checkLinearizable(registerModel, registers).kind, `seed ${seed}, register`).toBe("linearizable");
      expect(checkLinearizable(counterModel, counters).kind, `seed ${seed}, counter`).toBe("linearizable");
      expect(checkLinearizable(mapEntryModel, entries).kind, `seed ${seed}, map entry`).toBe("linearizable");
      expect(checkLinearizable(counterModel, giveTwice(counters)).kind, `seed ${seed}, counter, one number given twice`).toBe("violation");
      expect(checkLinearizable(registerModel, readStale(registers)).kind, `seed ${seed}, register, one stale read`).not.toBe("linearizable");
    }
  });
});
