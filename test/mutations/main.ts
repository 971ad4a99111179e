/**
 * npm run mutations -- [--only ID[,ID]] [--histories N] [--seed S] [--list]
 *
 * Makes the mistakes of the catalogue, one at a time, and looks whether the simulations and transcripts find them. First of all
 * the code without a mistake must pass. Without --only, writes the table in docs/mutations.md. Exit code 1: a mistake was not
 * found, or cannot be made any more, or the code fails without one.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { UsageError, runCommand } from "../command-line.js";
import { catalogue } from "./catalogue/index.js";
import type { Level, Mutation } from "./mutation.js";
import { judge, printLine, writeTable, type Result } from "./results.js";
import { runTrial } from "./run-trial.js";
import { nameOf, type Trial } from "./trial.js";
import { NoLongerApplies, Workspace } from "./workspace.js";

const usage = "Usage: npm run mutations -- [--only ID[,ID]] [--histories N] [--seed S] [--list]";
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
/** Without --histories. A history of replicas takes as long as a dozen of cores. */
const defaultHistories: Readonly<Record<Level, number>> = { core: 50_000, replica: 4_000 };
/** How many the code must pass without a mistake, at most: npm test and npm run simulate look for longer. */
const soundHistories: Readonly<Record<Level, number>> = { core: 2_000, replica: 200 };

interface Wanted {
  readonly mutations: readonly Mutation[];
  readonly all: boolean;
  readonly histories: Readonly<Record<Level, number>>;
  readonly seed: number;
  readonly list: boolean;
}

function wanted(args: readonly string[]): Wanted {
  const { values } = parseArgs({ args: [...args], options: { only: { type: "string" }, histories: { type: "string" }, seed: { type: "string" }, list: { type: "boolean" } } });
  const { only, histories, seed, list = false } = values;
  const ids = only?.split(",");
  const unknown = ids?.find((id) => !catalogue.some((mutation) => mutation.id === id));
  if (unknown !== undefined) throw new UsageError(`there is no mutation ${unknown}; --list shows all`);
  const given = histories === undefined ? undefined : wholeNumber("histories", histories);
  return {
    mutations: catalogue.filter(({ id }) => ids === undefined || ids.includes(id)), all: ids === undefined, list,
    histories: given === undefined ? defaultHistories : { core: given, replica: given }, seed: wholeNumber("seed", seed ?? "1"),
  };
}

function wholeNumber(name: string, given: string): number {
  if (!/^\d{1,9}$/.test(given) || Number(given) === 0) throw new UsageError(`--${name} must be a whole number of at least 1, not ${given}`);
  return Number(given);
}

/** Where a mistake is looked for, in this order. */
function trialsOf({ caught }: Mutation, directory: string, { seed, histories }: Wanted): Trial[] {
  switch (caught.by) {
    case "histories": {
      const random: Trial = { kind: "histories", directory, level: caught.level, seed, histories: histories[caught.level] };
      return caught.otherwise === undefined ? [random] : [random, { kind: "scenario", directory, name: caught.otherwise }];
    }
    case "scenario": return [{ kind: "scenario", directory, name: caught.name }];
    case "test": return [{ kind: "test", directory, file: caught.file }];
    case "nothing": return [{ kind: "histories", directory, level: caught.level, seed, histories: histories[caught.level] }];
    default: return caught satisfies never;
  }
}

/** Without a mistake everything must go well, wherever a mistake will be looked for. */
async function isSound(workspace: Workspace, options: Wanted): Promise<boolean> {
  const histories = { core: Math.min(soundHistories.core, options.histories.core), replica: Math.min(soundHistories.replica, options.histories.replica) };
  const trials = options.mutations.flatMap((mutation) => trialsOf(mutation, workspace.directory, { ...options, histories }));
  return workspace.withEdits([], async () => {
    for (const trial of new Map(trials.map((one) => [JSON.stringify(one), one])).values()) {
      const outcome = await runTrial(trial);
      if (outcome.kind === "survived") continue;
      console.log(`✗ without a mistake this fails already: ${nameOf(trial)}: ${outcome.what}`);
      return false;
    }
    return true;
  });
}

async function tryMutation(workspace: Workspace, mutation: Mutation, options: Wanted): Promise<Result> {
  const { edits } = mutation;
  try {
    return await workspace.withEdits(edits, async () => {
      let result: Result | undefined;
      for (const trial of trialsOf(mutation, workspace.directory, options)) {
        result = judge(mutation, trial, await runTrial(trial));
        if (result.good) return result;
      }
      return result ?? { mutation, good: false, verdict: "**not looked for**", details: undefined };
    });
  } catch (error) {
    if (!(error instanceof NoLongerApplies)) throw error;
    return { mutation, good: false, verdict: "**no longer applies**", details: error.message };
  }
}

async function run(options: Wanted): Promise<boolean> {
  const workspace = new Workspace(root);
  try {
    if (!(await isSound(workspace, options))) return false;
    const results: Result[] = [];
    for (const mutation of options.mutations) {
      const result = await tryMutation(workspace, mutation, options);
      printLine(result);
      results.push(result);
    }
    const line = summarise(results);
    console.log(line);
    if (options.all) writeTable(join(root, "docs", "mutations.md"), results, line);
    return results.every(({ good }) => good);
  } finally {
    workspace.remove();
  }
}

function summarise(results: readonly Result[]): string {
  const by = (kind: Result["by"]): number => results.filter((result) => result.good && result.by === kind).length;
  const bad = results.filter(({ good }) => !good).length;
  const nothing = results.filter(({ mutation, good }) => good && mutation.caught.by === "nothing").length;
  return `${results.length} mistakes: ${by("histories")} found in random histories, ${by("scenario") + by("test")} by transcripts and tests of single parts, ${nothing} that change nothing, ${bad} not found.`;
}

await runCommand(usage, async (args) => {
  const options = wanted(args);
  if (!options.list) return (await run(options)) ? 0 : 1;
  for (const { id, rule } of options.mutations) console.log(`${id}: ${rule}`);
  return 0;
});
