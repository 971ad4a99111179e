/**
 * npm run simulate [-- --seconds N | --histories N] [--seed S] [--workers N] [--missed] [--machine lock]     searches for histories that go wrong
 * npm run simulate -- --seed S --trace [--machine lock]                                                      one history, as a timeline
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { UsageError, runCommand } from "../command-line.js";
import { explain, trace } from "./replay.js";
import type { Coverage, Failure, Job, Report } from "./job.js";
import { Totals } from "./totals.js";
import { isMachineName, workloads, type MachineName } from "./workloads.js";

const usage = "Usage: npm run simulate -- [--seconds N | --histories N] [--seed S] [--workers N] [--missed] [--machine laboratory|lock] | --seed S --trace [--machine …]";

interface Wanted {
  readonly seconds: number | undefined;
  readonly histories: number | undefined;
  readonly seed: number | undefined;
  readonly workers: number;
  readonly missed: boolean;
  readonly trace: boolean;
  readonly machine: MachineName;
}

function wanted(args: readonly string[]): Wanted {
  const { values } = parseArgs({ args: [...args], options: { seconds: { type: "string" }, histories: { type: "string" }, seed: { type: "string" }, workers: { type: "string" }, missed: { type: "boolean" }, trace: { type: "boolean" }, machine: { type: "string" } } });
  const { seconds, histories, seed, workers, missed = false, trace: traced = false, machine = "laboratory" } = values;
  const given = { seconds: number("seconds", seconds), histories: number("histories", histories), seed: number("seed", seed) };
  if (traced && given.seed === undefined) throw new UsageError("--trace shows one history: say which with --seed");
  if (!isMachineName(machine)) throw new UsageError(`--machine must be ${Object.keys(workloads).join(" or ")}, not ${machine}`);
  return { ...given, machine, workers: number("workers", workers) ?? availableParallelism(), missed, trace: traced };
}

function number(name: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  if (!/^\d{1,9}$/.test(given) || Number(given) === 0) throw new UsageError(`--${name} must be a whole number of at least 1, not ${given}`);
  return Number(given);
}

async function search({ machine, seconds, histories, seed, workers, missed }: Wanted): Promise<boolean> {
  const first = seed ?? 1 + Math.floor(Math.random() * 900_000_000);
  const untilMs = Date.now() + (seconds ?? (histories === undefined ? 60 : 86_400)) * 1_000;
  const totals = new Totals();
  const failures: Failure[] = [];
  let coverage: Coverage | undefined;
  console.log(`Histories from seed ${first} on, ${workers} at a time.`);
  const running = Array.from({ length: workers }, (_, index) => {
    const share = histories === undefined ? Number.MAX_SAFE_INTEGER : Math.ceil((histories - index) / workers);
    const job: Job = { machine, first: first + index, step: workers, histories: share, untilMs, coverage: index === 0 };
    const worker = new Worker(new URL("worker.js", import.meta.url), { workerData: job });
    return new Promise<void>((resolve, reject) => {
      worker.on("error", reject).on("exit", () => resolve()).on("message", (report: Report) => {
        if (report.kind === "progress") totals.add(report);
        else if (report.kind === "failure") failures.push(report);
        else coverage ??= report.coverage;
      });
    });
  });
  const progress = setInterval(() => { show(totals.line()); }, 1_000);
  await Promise.all(running).finally(() => { clearInterval(progress); });
  show("");
  console.log(totals.summary());
  if (coverage !== undefined) console.log(describe(coverage, missed));
  for (const { seed: failed } of failures.slice(0, 1)) await explain(machine, failed);
  console.log(failures.length === 0 ? "No violation." : `\nViolations in seeds ${failures.map(({ seed: failed, rule }) => `${failed} (${rule})`).join(", ")}.`);
  return failures.length === 0;
}

function describe({ branches, taken, missed }: Coverage, list: boolean): string {
  const line = `branches of the core: ${taken} of ${branches} taken (${((taken * 100) / branches).toFixed(1)} %), in the first worker`;
  return list ? `${line}; not taken:\n  ${missed.join("\n  ")}` : `${line}; --missed lists the others`;
}

/** In place on a terminal; elsewhere nothing, so that logs stay readable. */
function show(line: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`);
}

// Whoever reads only the first lines has seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => { process.exit(error.code === "EPIPE" ? 0 : 1); });

await runCommand(usage, async (args) => {
  const options = wanted(args);
  const well = options.trace ? await trace(options.machine, options.seed ?? 1) : await search(options);
  return well ? 0 : 1;
});
