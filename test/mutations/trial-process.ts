/** A process of its own that runs a compiled workspace: histories until one goes wrong, one transcript, or one test. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Level } from "./mutation.js";
import type { Outcome, Report, Trial } from "./trial.js";

const progressEvery = 50;

function tell(report: Report): void {
  process.send?.(report);
}

async function load<T>(directory: string, path: string): Promise<T> {
  return (await import(pathToFileURL(join(directory, "dist", path)).href)) as T;
}

type RunHistory = (seed: number) => Promise<unknown>;

/** One history from one seed; throws a Violation when it goes wrong. */
const runners: Readonly<Record<Level, (directory: string) => Promise<RunHistory>>> = {
  core: async (directory) => {
    const { runHistory } = await load<{ runHistory: (seed: number) => unknown }>(directory, "test/simulation/history.js");
    return (seed) => Promise.resolve().then(() => runHistory(seed));
  },
  replica: async (directory) => {
    const { runHistory, LaboratoryWorkload } = await load<typeof import("@lockstep/framework/testing")>(directory, "src/testing/index.js");
    return (seed) => runHistory({ seed, workload: (random) => new LaboratoryWorkload(random) });
  },
};

async function runHistories({ directory, level, seed, histories }: Extract<Trial, { kind: "histories" }>): Promise<Outcome> {
  const run = await runners[level](directory);
  for (let count = 1; count <= histories; count++) {
    try {
      await run(seed + count - 1);
    } catch (error) {
      if (isViolation(error)) return { kind: "caught", histories: count, seed: seed + count - 1, what: error.message };
      return { kind: "broke", what: `seed ${seed + count - 1}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}` };
    }
    if (count % progressEvery === 0) tell({ kind: "progress", histories: count });
  }
  return { kind: "survived", histories };
}

function isViolation(error: unknown): error is Error {
  return error instanceof Error && error.name === "Violation";
}

interface ScenarioModules {
  readonly Interpreter: new () => { run(command: string): string[] };
  readonly commandsOf: (lines: readonly string[]) => string[];
  readonly parseTranscript: (text: string) => { readonly lines: readonly string[]; readonly expected: readonly string[] }[];
}

async function runScenario({ directory, name }: Extract<Trial, { kind: "scenario" }>): Promise<Outcome> {
  const { Interpreter } = await load<ScenarioModules>(directory, "test/scenarios/interpreter.js");
  const { commandsOf, parseTranscript } = await load<ScenarioModules>(directory, "test/scenarios/transcript.js");
  const interpreter = new Interpreter();
  for (const { lines, expected } of parseTranscript(readFileSync(join(directory, "scenarios", `${name}.txt`), "utf8"))) {
    const commands = commandsOf(lines);
    try {
      const happened = commands.flatMap((command) => interpreter.run(command));
      const differs = firstDifference(happened, expected);
      if (differs !== undefined) return { kind: "caught", histories: 0, seed: undefined, what: `after “${commands.join("; ")}”: ${differs}` };
    } catch (error) {
      // A command may make no sense any more where the mistake has led.
      return { kind: "caught", histories: 0, seed: undefined, what: `after “${commands.join("; ")}”: ${error instanceof Error ? error.message : String(error)}` };
    }
  }
  return { kind: "survived", histories: 0 };
}

function firstDifference(happened: readonly string[], expected: readonly string[]): string | undefined {
  for (let at = 0; at < Math.max(happened.length, expected.length); at++) {
    if (happened[at] !== expected[at]) return `${happened[at] ?? "nothing"}, instead of ${expected[at] ?? "nothing"}`;
  }
  return undefined;
}

function runTest({ directory, file }: Extract<Trial, { kind: "test" }>): Outcome {
  const vitest = join(directory, "node_modules", "vitest", "vitest.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [vitest, "run", "--root", directory, `test/${file}`], { cwd: directory, encoding: "utf8", timeout: 80_000, env: { ...process.env, NO_COLOR: "1" } });
  if (status === 0) return { kind: "survived", histories: 0 };
  // A file that does not load has found nothing.
  const failed = /^\s*FAIL\s+(.* > .*)$/m.exec(stdout + stderr)?.[1];
  return failed === undefined ? { kind: "broke", what: stdout + stderr } : { kind: "caught", histories: 0, seed: undefined, what: failed };
}

async function run(trial: Trial): Promise<Outcome> {
  switch (trial.kind) {
    case "histories": return runHistories(trial);
    case "scenario": return runScenario(trial);
    case "test": return runTest(trial);
    default: return trial satisfies never;
  }
}

process.once("message", (trial: Trial) => {
  const outcome = run(trial).catch((error: unknown): Outcome => ({ kind: "broke", what: String(error) }));
  void outcome.then(tell).finally(() => process.disconnect());
});
