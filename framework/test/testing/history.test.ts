/** Whole replicas under everything that Corosync was seen to do, and their clients. One seed is one history. */
import { describe, expect, it } from "vitest";
import { LaboratoryWorkload, runHistory, type HistoryResult } from "../../src/testing/index.js";

const firstSeed = Number(process.env["LOCKSTEP_SEED"] ?? 1);
/** Enough for every kind of fault to come up many times, in a few seconds. */
const seedsOfATestRun = 250;

function run(seed: number, trace?: (line: string) => void): Promise<HistoryResult> {
  return runHistory({ seed, workload: (random) => new LaboratoryWorkload(random), ...(trace === undefined ? {} : { trace }) });
}

describe("whole replicas, in hostile histories", () => {
  it("keep the protocol's invariants and their clients' answers, and come to rest when the faults stop", async () => {
    const results: HistoryResult[] = [];
    for (let seed = firstSeed; seed < firstSeed + seedsOfATestRun; seed++) {
      results.push(await run(seed).catch((error: unknown) => { throw new Error(`seed ${seed}: ${String(error)} (LOCKSTEP_SEED=${seed} begins with it)`, { cause: error }); }));
    }
    const sum = (what: (result: HistoryResult) => number): number => results.reduce((total, result) => total + what(result), 0);
    // The histories must be about something.
    expect(sum(({ answered }) => answered)).toBeGreaterThan(seedsOfATestRun);
    expect(sum(({ unknown }) => unknown)).toBeGreaterThan(0);
    expect(sum(({ snapshots }) => snapshots)).toBeGreaterThan(0);
    expect(sum(({ views }) => views)).toBeGreaterThan(seedsOfATestRun);
  });

  it("go the same way for the same seed", async () => {
    const traces: string[] = [];
    for (let time = 0; time < 2; time++) {
      const lines: string[] = [];
      await run(7, (line) => lines.push(line));
      traces.push(lines.join("\n"));
    }
    expect(traces[0]).toBe(traces[1]);
    expect(traces[0]?.length).toBeGreaterThan(1_000);
  });
});
