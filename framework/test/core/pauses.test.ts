/** Exchanges that are of no use come ever more seldom, and a commit makes the pauses short again. */
import { describe, expect, it } from "vitest";
import { Interpreter } from "../scenarios/interpreter.js";

const tickMs = 100;

/** The pauses, milliseconds, between requests of replica 1 for another exchange. */
function pauses(interpreter: Interpreter, count: number): number[] {
  const found: number[] = [];
  for (let passedMs = 0; found.length < count && passedMs < 120_000; passedMs += tickMs) {
    if (!interpreter.run(`tick ${tickMs}`).some((line) => line.startsWith("1 > rejoin"))) continue;
    found.push(passedMs);
    passedMs = 0;
  }
  return found;
}

describe("a view that commits nothing", () => {
  it("is given up for another after a while that grows to some thirty seconds, and is short again after a commit", () => {
    const interpreter = new Interpreter();
    for (const command of ["nodes 1 2 3 durability disk", "start 1 2 3", "ring 8 1 2 3", "run", "stuck 2 3", "submit 1 a", "run"]) interpreter.run(command);
    const growing = pauses(interpreter, 10);
    const said = growing.join(" ");
    // Twice silenceTimeoutMs, and a pause that doubles.
    expect(growing, said).toEqual(growing.toSorted((one, other) => one - other));
    expect(growing[1], said).toBeLessThan(5_000);
    expect(growing.at(-1), said).toBeGreaterThan(30_000);
    expect(growing.at(-1), said).toBeLessThan(36_000);

    for (const command of ["unstuck 2 3", "run", "tick 500", "stuck 2 3", "submit 1 b", "run"]) interpreter.run(command);
    const [first = Infinity] = pauses(interpreter, 1);
    expect(first).toBeLessThan(5_000);
  });
});
