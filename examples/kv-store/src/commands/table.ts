/** The command table: the rows of all families by name, and the checks that come before any handler. */
import { unknownCommand, unknownSubcommand, wrongArity } from "./command-error.js";
import { connectionCommands } from "./connection.js";
import { expiryCommands } from "./expiry.js";
import { keyCommands } from "./keys.js";
import { serverCommands } from "./server.js";
import type { CommandSpec, CommandTable } from "./spec.js";
import { stringCommands } from "./strings.js";

const all: readonly CommandSpec[] = [...stringCommands, ...keyCommands, ...expiryCommands, ...connectionCommands, ...serverCommands];

const byName = index(all);

const subcommands: ReadonlyMap<CommandSpec, ReadonlyMap<string, CommandSpec>> = new Map(
  all.flatMap((spec) => (spec.subcommands === undefined ? [] : [[spec, index(spec.subcommands)] as const])),
);

const fullNames: ReadonlyMap<CommandSpec, string> = new Map(
  all.flatMap((spec) => [[spec, spec.name] as const, ...(spec.subcommands ?? []).map((sub) => [sub, `${spec.name}|${sub.name}`] as const)]),
);

export const commandTable: CommandTable = { all, fullName: (spec) => fullNames.get(spec) ?? spec.name, lookUp, find };

function lookUp(fullName: string): CommandSpec | undefined {
  const [name = "", subname] = fullName.toLowerCase().split("|");
  const spec = byName.get(name);
  if (subname === undefined || spec === undefined) return spec;
  return subcommands.get(spec)?.get(subname);
}

function find(args: readonly string[]): CommandSpec {
  const name = args[0] ?? "";
  // Many clients send lower case, as the table has it.
  const spec = byName.get(name) ?? byName.get(name.toLowerCase());
  if (spec === undefined) throw unknownCommand(args);
  const known = subcommands.get(spec);
  if (known === undefined || args.length < 2) return checkArity(spec, spec.name, args);
  const subname = args[1] ?? "";
  const sub = known.get(subname.toLowerCase());
  if (sub === undefined) throw unknownSubcommand(name, subname);
  return checkArity(sub, `${spec.name}|${sub.name}`, args);
}

function checkArity(spec: CommandSpec, fullName: string, args: readonly string[]): CommandSpec {
  const fits = spec.arity > 0 ? args.length === spec.arity : args.length >= -spec.arity;
  if (!fits) throw wrongArity(fullName);
  return spec;
}

function index(specs: readonly CommandSpec[]): ReadonlyMap<string, CommandSpec> {
  return new Map(specs.map((spec) => [spec.name, spec]));
}
