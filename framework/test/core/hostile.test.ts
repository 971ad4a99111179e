/** The core under everything that Corosync was seen to do to it. One seed is one history. Whole replicas: test/testing/history.test.ts. */
import { describe, expect, it } from "vitest";
import { Violation } from "../simulation/checkers.js";
import { runHistory, type HistoryResult } from "../simulation/history.js";

const firstSeed = Number(process.env["LOCKSTEP_SEED"] ?? 1);
/** Enough for every kind of history to come up several times, in a few seconds. */
const seedsOfATestRun = 1_000;
const traceLines = 200;

describe("the core, in hostile histories", () => {
  it("keeps the protocol's invariants, and comes to rest when the faults stop", () => {
    const total = { histories: 0, answered: 0, snapshots: 0, longestRest: 0 };
    const startedMs = performance.now();
    for (let seed = firstSeed; seed < firstSeed + seedsOfATestRun; seed++) {
      const { answered, snapshots, roundsToRest } = runOrExplain(seed);
      total.histories++;
      total.answered += answered;
      total.snapshots += snapshots;
      total.longestRest = Math.max(total.longestRest, roundsToRest);
    }
    console.log(`${total.histories} histories from seed ${firstSeed}, ${Math.round((total.histories * 1_000) / (performance.now() - startedMs))} per second: ${total.answered} entries answered, ${total.snapshots} snapshots taken, at rest after ${total.longestRest} rounds at most`);
    // The histories must be about something.
    expect(total.answered).toBeGreaterThan(total.histories);
    expect(total.snapshots).toBeGreaterThan(0);
  });

  it("gives the same history for the same seed", () => {
    const traces = [1, 2].map(() => {
      const lines: string[] = [];
      runHistory(7, (line) => lines.push(line));
      return lines.join("\n");
    });
    expect(traces[0]).toBe(traces[1]);
    expect(traces[0]?.length).toBeGreaterThan(1_000);
  });
});

function runOrExplain(seed: number): HistoryResult {
  try {
    return runHistory(seed);
  } catch (error) {
    const lines: string[] = [];
    let again: unknown;
    try {
      runHistory(seed, (line) => lines.push(line));
    } catch (same) {
      again = same;
    }
    const what = again instanceof Violation || again instanceof Error ? (again.stack ?? again.message) : String(error);
    throw new Error(`seed ${seed}: ${what}\nThe end of its history (LOCKSTEP_SEED=${seed} runs it again):\n${lines.slice(-traceLines).join("\n")}`, { cause: error });
  }
}
