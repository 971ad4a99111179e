/** The program `lockstep`: reads the command line, does one thing, says what it did. */
import { resolve } from "node:path";
import { isLockstepError } from "../errors.js";
import { askReplica } from "./control-client.js";
import { planNewStart, startAnew } from "./new-start.js";
import { OptionError, parseOptions, usage, type Options } from "./options.js";
import { planRestore, restore } from "./restore.js";
import { inspectStore } from "./store-report.js";
import { verifyBackup } from "./verify-backup.js";
import {
  backupFacts, backupPlanned, backupTaken, backupVerified, newStartPlanned, restored, restorePlanned, startedAnew, statusTold, storeFacts, storeInspected,
} from "./words.js";

type Of<R extends Options["run"]> = Extract<Options, { readonly run: R }>;

function say(lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}

function sayJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

async function backup({ data, to, by, dryRun }: Of<"backup">): Promise<void> {
  const [directory, path] = [resolve(data), resolve(to)];
  if (dryRun) say(backupPlanned(await askReplica(directory, { command: "planBackup", to: path })));
  else say(backupTaken(await askReplica(directory, { command: "backup", to: path, by })));
}

async function verify({ file, json }: Of<"verify">): Promise<void> {
  const verified = await verifyBackup(file);
  if (json) sayJson(backupFacts(verified));
  else say(backupVerified(file, verified));
}

async function makeRestore({ file, data, group, slot, slots, policy, by, dryRun }: Of<"restore">): Promise<void> {
  const plan = await planRestore(file, { directory: data, group, slot, slots, policy });
  if (dryRun) return say(restorePlanned(plan));
  await restore(file, plan, by, Date.now());
  say(restored(plan));
}

async function inspect({ data, json }: Of<"inspect" | "status">): Promise<void> {
  const report = await inspectStore(data);
  if (json) sayJson(storeFacts(report));
  else say(storeInspected(report));
}

async function status({ data, json }: Of<"inspect" | "status">): Promise<void> {
  const inspection = await askReplica(resolve(data), { command: "status" });
  if (json) sayJson(inspection);
  else say(statusTold(inspection));
}

/** Not done unless it is asked for twice. */
async function newStart({ data, slots, by, mode }: Of<"new-start">): Promise<number> {
  if (mode === "yes") {
    say(startedAnew(await startAnew(data, slots, by, Date.now())));
    return 0;
  }
  say(newStartPlanned(await planNewStart(data, slots)));
  if (mode === "dryRun") return 0;
  process.stderr.write("lockstep: this cannot be undone. To do it, say the same with --yes.\n");
  return 2;
}

function run(options: Options): Promise<number | void> {
  switch (options.run) {
    case "help": return help();
    case "backup": return backup(options);
    case "verify": return verify(options);
    case "restore": return makeRestore(options);
    case "inspect": return inspect(options);
    case "status": return status(options);
    case "new-start": return newStart(options);
    default: return options satisfies never;
  }
}

async function help(): Promise<void> {
  process.stdout.write(usage);
}

/** Resolves to the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return (await run(parseOptions(args))) ?? 0;
  } catch (error) {
    if (error instanceof OptionError) {
      process.stderr.write(`lockstep: ${error.message}\nSee lockstep --help.\n`);
      return 2;
    }
    const what = isLockstepError(error) ? `${error.message} (${error.code})` : error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (args.includes("--json")) sayJson({ ok: false, code: isLockstepError(error) ? error.code : "INTERNAL", message: error instanceof Error ? error.message : String(error) });
    process.stderr.write(`lockstep: ${what}\n`);
    return 1;
  }
}
