/** The command line of `lockstep`. */
import { hostname, userInfo } from "node:os";
import { parseArgs } from "node:util";
import { canBeRecorded, longest } from "../apply/operations.js";
import { isLockstepError } from "../errors.js";
import { checkGroup, checkSlots } from "../replica-options.js";

export class OptionError extends Error {}

export type Options =
  | { readonly run: "help" }
  | { readonly run: "backup"; readonly data: string; readonly to: string; readonly by: string; readonly dryRun: boolean }
  | { readonly run: "verify"; readonly file: string; readonly json: boolean }
  | {
    readonly run: "restore"; readonly file: string; readonly data: string; readonly group: string; readonly slot: number; readonly slots: readonly number[];
    readonly policy: string; readonly by: string; readonly dryRun: boolean;
  }
  | { readonly run: "inspect" | "status"; readonly data: string; readonly json: boolean }
  | { readonly run: "new-start"; readonly data: string; readonly slots: readonly number[] | undefined; readonly by: string; readonly mode: "dryRun" | "yes" | "ask" };

export const usage = `lockstep: backup and rescue of replicas that keep their data on disk

  lockstep backup --data DIR --to FILE [--by NAME] [--dry-run]
      Asks the replica that runs on DIR for a backup of the whole group's state, while everything goes on.
  lockstep verify FILE [--json]
      Looks at all of a backup, and says what is in it.
  lockstep restore FILE --data DIR --group G --slot N --slots 1,2,3 [--policy majority|corosync] [--by NAME] [--dry-run]
      Makes the directory of one replica from a backup. DIR must be empty or missing.
      One that was broken off can be run again.
  lockstep inspect --data DIR [--json]
      Looks at all that is in a directory on which no replica runs. Changes nothing.
  lockstep status --data DIR [--json]
      Asks the replica that runs on DIR how it is.
  lockstep new-start --data DIR [--slots 1,4,5] [--by NAME] (--dry-run | --yes)
      After a majority is lost for good: lets the group go on from this one replica. What only the others had is lost.

  --by NAME   who is doing this, for the record that the group keeps; default: user@host
  --dry-run   says what would be done and what would be lost, and changes nothing
  --json      for programs

It exits with 0 if it is done, 1 if not, 2 if the command line is wrong. docs/operations.md says which command helps when.
`;

const definitions = {
  data: { type: "string" },
  to: { type: "string" },
  group: { type: "string" },
  slot: { type: "string" },
  slots: { type: "string" },
  policy: { type: "string" },
  by: { type: "string" },
  "dry-run": { type: "boolean" },
  yes: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;
type Name = keyof typeof definitions;
type Values = ReturnType<typeof parse>["values"];

const takes: Readonly<Record<string, { readonly options: readonly Name[]; readonly file: boolean }>> = {
  backup: { options: ["data", "to", "by", "dry-run"], file: false },
  verify: { options: ["json"], file: true },
  restore: { options: ["data", "group", "slot", "slots", "policy", "by", "dry-run"], file: true },
  inspect: { options: ["data", "json"], file: false },
  status: { options: ["data", "json"], file: false },
  "new-start": { options: ["data", "slots", "by", "dry-run", "yes"], file: false },
};

/** @throws OptionError */
export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args);
  const [command, file, ...more] = positionals;
  if (values.help === true || command === "help") return { run: "help" };
  if (command === undefined) throw new OptionError("say what to do: backup, verify, restore, inspect, status or new-start");
  const wants = Object.hasOwn(takes, command) ? takes[command] : undefined;
  if (wants === undefined) throw new OptionError(`there is no command ${JSON.stringify(command)}`);
  const stray = wants.file ? more[0] : file;
  if (stray !== undefined) throw new OptionError(`lockstep ${command} has no use for ${JSON.stringify(stray)}`);
  for (const name of Object.keys(values) as Name[]) if (!wants.options.includes(name)) throw new OptionError(`lockstep ${command} takes no --${name}`);
  return optionsOf(command, file, values);
}

function optionsOf(command: string, file: string | undefined, values: Values): Options {
  const json = values.json ?? false;
  const dryRun = values["dry-run"] ?? false;
  switch (command) {
    case "backup": return { run: "backup", data: needed("--data DIR", values.data), to: needed("--to FILE", values.to), by: operator(values.by), dryRun };
    case "verify": return { run: "verify", file: needed("the backup's FILE", file), json };
    case "restore": return restoreOptions(needed("the backup's FILE", file), values, dryRun);
    case "inspect":
    case "status": return { run: command, data: needed("--data DIR", values.data), json };
    default: {
      if (dryRun && values.yes === true) throw new OptionError("give --dry-run to see what would be done, or --yes to do it, not both");
      const slots = values.slots === undefined ? undefined : slotList(values.slots);
      return { run: "new-start", data: needed("--data DIR", values.data), slots, by: operator(values.by), mode: dryRun ? "dryRun" : values.yes === true ? "yes" : "ask" };
    }
  }
}

function restoreOptions(file: string, values: Values, dryRun: boolean): Options {
  const group = needed("--group G", values.group);
  checked(() => checkGroup(group));
  const slots = slotList(needed("--slots 1,2,3 (all of the group's)", values.slots));
  const given = needed("--slot N (this replica's)", values.slot);
  const slot = slotNumber("--slot", given);
  if (!slots.includes(slot)) throw new OptionError(`--slot ${slot} must be one of --slots ${slots.join(",")}`);
  const { policy = "majority" } = values;
  if (policy !== "majority" && policy !== "corosync") throw new OptionError(`--policy takes majority or corosync, not ${JSON.stringify(policy)}`);
  return { run: "restore", file, data: needed("--data DIR", values.data), group, slot, slots, policy, by: operator(values.by), dryRun };
}

function parse(args: readonly string[]) {
  try {
    const parsed = parseArgs({ args: [...args], options: definitions, strict: true, allowPositionals: true, tokens: true });
    const named = parsed.tokens.flatMap((token) => (token.kind === "option" ? [token.name] : []));
    const twice = named.find((name, index) => named.indexOf(name) !== index);
    // The last one would count: it may be another directory than was meant.
    if (twice !== undefined) throw new OptionError(`--${twice} is given twice`);
    return parsed;
  } catch (error) {
    throw new OptionError(error instanceof Error ? error.message : String(error));
  }
}

function needed(what: string, value: string | undefined): string {
  if (value === undefined || value === "") throw new OptionError(`${what} is missing`);
  return value;
}

function slotList(text: string): readonly number[] {
  return checked(() => checkSlots(text.split(",").map((part) => slotNumber("--slots", part.trim()))));
}

function slotNumber(option: string, text: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new OptionError(`${option} takes node ids (whole numbers from 1 on), not ${JSON.stringify(text)}`);
  return Number(text);
}

function operator(given: string | undefined): string {
  if (given !== undefined && !canBeRecorded(given)) throw new OptionError(`--by must name somebody, in one line of at most ${longest.who} characters`);
  return given ?? `${userName()}@${hostname()}`;
}

/** There may be no name for a user id, as in containers. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.getuid?.() ?? "unknown"}`;
  }
}

function checked<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw isLockstepError(error, "CONFIGURATION_INVALID") ? new OptionError(error.message) : error;
  }
}
