/** One history again, from its seed: as a timeline, or shrunk to what is needed to fail. */
import { execFileSync } from "node:child_process";
import { maxMoments, runHistory, shrink, violationOf, Violation } from "@lockstep/framework/testing";
import { workloads, type MachineName } from "./workloads.js";

/** Prints every line of it. False if it failed. */
export async function trace(machine: MachineName, seed: number): Promise<boolean> {
  const workload = workloads[machine];
  try {
    const result = await runHistory({ seed, workload, trace: (line) => console.log(line) });
    console.log(`\nSeed ${seed} went well: ${JSON.stringify(result)}`);
    return true;
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    console.log(`\nSeed ${seed} failed. ${error.message}`);
    return false;
  }
}

/** Prints what failed, and the shortest history that still does. */
export async function explain(machine: MachineName, seed: number): Promise<void> {
  const workload = workloads[machine];
  const violation = await violationOf({ seed, workload });
  if (violation === undefined) return console.log(`Seed ${seed} does not fail again: something in it is not determined by its seed, which is a defect of the simulator.`);
  console.log(`\nSeed ${seed}, ${commit()}: ${violation.message}\n\nLooking for the shortest history that fails so …`);
  const shrunk = await shrink({ seed, workload }, violation, maxMoments);
  const lines: string[] = [];
  await violationOf({ seed, workload, without: shrunk.without, trace: (line) => { lines.push(line); } });
  console.log(`${shrunk.moments} moments are enough (${shrunk.tries} tries):\n\n${lines.join("\n")}\n\n${shrunk.violation.message}`);
  console.log(`\nAll of it: npm run simulate -- ${machine === "laboratory" ? "" : `--machine ${machine} `}--seed ${seed} --trace`);
}

function commit(): string {
  try {
    return `commit ${execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim()}`;
  } catch {
    return "not in a git checkout";
  }
}
