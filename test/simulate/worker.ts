/** Runs histories, one after the other, and tells how they went. */
import { parentPort, workerData } from "node:worker_threads";
import { runHistory, Violation, type HistoryResult } from "@lockstep/framework/testing";
import { CoreCoverage } from "./coverage.js";
import { sumNames, type Job, type Progress, type Report, type SumName } from "./job.js";
import { workloads } from "./workloads.js";

const reportEveryMs = 500;

function report(message: Report): void {
  parentPort?.postMessage(message);
}

function progressOf(results: readonly HistoryResult[]): Progress {
  const sums = Object.fromEntries(sumNames.map((name) => [name, results.reduce((sum, result) => sum + result[name], 0)])) as Record<SumName, number>;
  const faults: Record<string, number> = {};
  for (const result of results) for (const [name, times] of Object.entries(result.faults)) faults[name] = (faults[name] ?? 0) + times;
  return { kind: "progress", histories: results.length, sums, faults, longestRest: Math.max(0, ...results.map(({ roundsToRest }) => roundsToRest)) };
}

async function work({ machine, first, step, histories, untilMs, coverage }: Job): Promise<void> {
  const covered = coverage ? new CoreCoverage() : undefined;
  await covered?.start();
  let results: HistoryResult[] = [];
  let reportedMs = Date.now();
  for (let at = 0; at < histories && Date.now() < untilMs; at++) {
    const seed = first + at * step;
    try {
      results.push(await runHistory({ seed, workload: workloads[machine] }));
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      report({ kind: "failure", seed, rule: error.rule });
      break;
    }
    if (Date.now() - reportedMs < reportEveryMs) continue;
    report(progressOf(results));
    results = [];
    reportedMs = Date.now();
  }
  report(progressOf(results));
  report({ kind: "done", coverage: await covered?.stop() });
}

await work(workerData as Job);
