import { describe, expect, it } from "vitest";
import { Report, type Result } from "./report.js";

function missed(...results: readonly Partial<Result>[]): readonly string[] {
  const report = new Report("none");
  for (const [index, result] of results.entries()) report.add({ section: "s", what: `figure ${index}`, value: 1, unit: "x", ...result });
  return report.missed.map(({ what }) => what);
}

describe("a report of benchmarks", () => {
  it("names the figures that miss their goals", () => {
    expect(missed({}, { goal: {} }, { value: 5, goal: { atLeast: 5, atMost: 5 } })).toEqual([]);
    expect(missed({ value: 4, goal: { atLeast: 5 } }, { value: 6, goal: { atMost: 5 } }, { value: 6, goal: { atLeast: 5 } })).toEqual(["figure 0", "figure 1"]);
  });

  it("goes by the ratio where there is one", () => {
    expect(missed({ value: 1000, ratio: 0.8, goal: { atLeast: 0.9 } }, { value: 0.1, ratio: 1, goal: { atLeast: 0.9 } })).toEqual(["figure 0"]);
  });

  it("takes what is no number for a miss", () => {
    expect(missed({ ratio: Number.NaN, goal: { atMost: 2 } }, { value: Number.NaN, goal: { atLeast: 2 } })).toEqual(["figure 0", "figure 1"]);
  });
});
