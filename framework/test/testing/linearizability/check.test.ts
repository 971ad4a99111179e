import { describe, expect, it } from "vitest";
import {
  checkLinearizable, counterModel, mapEntryModel, registerModel,
  type CounterInput, type Linearizability, type MapEntryInput, type MapEntryOutput, type Operation, type RegisterInput, type RegisterOutput,
} from "../../../src/testing/linearizability/index.js";
import { history, type Line } from "./histories.js";

const read = { type: "read" } as const;
const write = (value: number): RegisterInput => ({ type: "write", value });
const saw = (value: number | null): RegisterOutput => ({ read: value });

function register(...lines: Line<RegisterInput, RegisterOutput>[]): Linearizability<RegisterInput, RegisterOutput> {
  return checkLinearizable(registerModel, history(...lines));
}

function counter(...lines: Line<CounterInput, number>[]): Linearizability<CounterInput, number> {
  return checkLinearizable(counterModel, history(...lines));
}

function mapEntry(...lines: Line<MapEntryInput, MapEntryOutput>[]): Linearizability<MapEntryInput, MapEntryOutput> {
  return checkLinearizable(mapEntryModel, history(...lines));
}

describe("a history of a register", () => {
  it("is linearizable if a read overlaps a write and sees either value", () => {
    expect(register(["a", 1, 5, write(1), "written"], ["b", 2, 3, read, saw(null)], ["b", 4, 6, read, saw(1)]).kind).toBe("linearizable");
  });

  it("is refused for a stale read", () => {
    const result = register(["a", 1, 2, write(1), "written"], ["a", 3, 4, write(2), "written"], ["b", 5, 6, read, saw(1)]);
    expect(result).toMatchObject({ kind: "violation", key: "x" });
  });

  it("is refused for a lost write", () => {
    expect(register(["a", 1, 2, write(1), "written"], ["b", 3, 4, read, saw(null)]).kind).toBe("violation");
  });

  it("is refused if a read sees a value and a later one does not, though the write is still under way", () => {
    const seen = ["b", 2, 3, read, saw(1)] as const;
    expect(register(["a", 1, 9, write(1), "written"], seen, ["c", 4, 5, read, saw(null)]).kind).toBe("violation");
    expect(register(["a", 1, undefined, write(1), undefined], seen, ["c", 4, 5, read, saw(null)]).kind).toBe("violation");
    expect(register(["a", 1, 9, write(1), "written"], seen, ["c", 2, 5, read, saw(null)]).kind).toBe("linearizable");
  });

  it("is linearizable if a write of unknown outcome takes effect at any time after its call, or never", () => {
    const lost = ["a", 3, undefined, write(1), undefined] as const;
    expect(register(lost, ["b", 4, 5, read, saw(null)]).kind).toBe("linearizable");
    expect(register(lost, ["b", 4, 5, read, saw(null)], ["b", 60, 70, read, saw(1)]).kind).toBe("linearizable");
    expect(register(lost, ["b", 1, 2, read, saw(1)]).kind).toBe("violation");
  });

  it("takes an operation that returned without its outcome for one of unknown outcome", () => {
    expect(register(["a", 1, 2, write(1), undefined], ["b", 3, 4, read, saw(null)], ["b", 5, 6, read, saw(1)]).kind).toBe("linearizable");
  });

  it("is refused if a write of unknown outcome took effect twice", () => {
    const twice = register(
      ["a", 1, undefined, write(1), undefined], ["b", 2, 3, read, saw(1)], ["b", 4, 5, write(2), "written"], ["b", 6, 7, read, saw(1)],
    );
    expect(twice.kind).toBe("violation");
  });

  it("leaves the order open between operations of the same time", () => {
    expect(register(["a", 1, 2, write(1), "written"], ["b", 2, 3, read, saw(null)]).kind).toBe("linearizable");
  });

  it("is checked key by key", () => {
    const operations = history<RegisterInput, RegisterOutput>(["a", 1, 2, write(1), "written"], ["b", 3, 4, read, saw(null)]);
    const apart = operations.map((operation, index): Operation<RegisterInput, RegisterOutput> => ({ ...operation, key: `k${index}` }));
    expect(checkLinearizable(registerModel, apart).kind).toBe("linearizable");
  });
});

describe("a history of a counter", () => {
  it("is linearizable if every increment returns another number, in an order that fits", () => {
    expect(counter(["a", 1, 4, "increment", 2], ["b", 2, 3, "increment", 1], ["c", 5, 6, "read", 2]).kind).toBe("linearizable");
  });

  it("is refused if one increment counts twice", () => {
    expect(counter(["a", 1, 2, "increment", 1], ["b", 3, 4, "read", 2]).kind).toBe("violation");
  });

  it("is refused if two increments return the same", () => {
    expect(counter(["a", 1, 4, "increment", 1], ["b", 2, 3, "increment", 1]).kind).toBe("violation");
  });

  it("counts an increment of unknown outcome once at most", () => {
    const lost = ["a", 1, undefined, "increment", undefined] as const;
    expect(counter(lost, ["b", 2, 3, "increment", 2]).kind).toBe("linearizable");
    expect(counter(lost, ["b", 2, 3, "increment", 3]).kind).toBe("violation");
  });
});

describe("a history of a map's entry", () => {
  const cas = (expected: number | null, value: number): MapEntryInput => ({ type: "cas", expected, value });

  it("is linearizable if of two compare-and-sets from the same value one wins", () => {
    expect(mapEntry(["a", 1, 3, cas(null, 1), true], ["b", 2, 4, cas(null, 2), false], ["c", 5, 6, read, saw(1)]).kind).toBe("linearizable");
  });

  it("is refused if both win", () => {
    expect(mapEntry(["a", 1, 3, cas(null, 1), true], ["b", 2, 4, cas(null, 2), true]).kind).toBe("violation");
  });

  it("is refused if a delete finds what another has deleted before", () => {
    expect(mapEntry(["a", 1, 2, write(1), "written"], ["a", 3, 4, { type: "delete" }, true], ["b", 5, 6, { type: "delete" }, true]).kind).toBe("violation");
    expect(mapEntry(["a", 1, 2, write(1), "written"], ["a", 3, 4, { type: "delete" }, true], ["b", 5, 6, { type: "delete" }, false]).kind).toBe("linearizable");
  });
});

describe("a refusal", () => {
  const lines = [
    ["a", 1, 2, write(1), "written"], ["b", 3, 8, write(2), "written"], ["c", 4, 5, read, saw(2)], ["a", 6, 7, read, saw(1)], ["c", 9, 10, read, saw(1)],
  ] as const;

  it("shows the shortest history that nothing explains, as a timeline", () => {
    const result = register(...lines);
    expect(result.kind === "violation" ? result.timeline : result).toBe([
      "Key x: no order of its operations explains what came back (4 operations).",
      "                                    called  returned  client  operation",
      "  |----|                            1       2         a       write 1 → written",
      "            ---------------------?  3       ?         b       write 2 → ?",
      "                  |----|            4       5         c       read → 2",
      "                            |----|  6       7         a       read → 1   ← not explained",
    ].join("\n"));
  });

  it("says undecided when the limit is reached, never ok", () => {
    const many = Array.from({ length: 40 }, (_, n): [string, number, number, RegisterInput, RegisterOutput] => [`c${n}`, 1 + n / 100, 10 + n / 100, write(n), "written"]);
    const operations = history<RegisterInput, RegisterOutput>(...many, ["r", 20, 21, read, saw(77)]);
    expect(checkLinearizable(registerModel, operations, { limit: 1_000 })).toMatchObject({ kind: "undecided", key: "x", configurations: expect.any(Number) });
  });

  it("is not what a history gets that makes no sense", () => {
    expect(() => register(["a", 2, 1, read, saw(null)])).toThrow(RangeError);
  });
});
