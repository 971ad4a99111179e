/** HELP of commands that have subcommands: errors about a subcommand that is not known refer to it. */
import { array, simple } from "../resp/reply.js";
import type { CommandSpec } from "./spec.js";

const indent = "    ";

/** The subcommands, and HELP, which lists them in Redis's form. */
export function withHelp(command: string, subcommands: readonly [CommandSpec, ...CommandSpec[]]): readonly CommandSpec[] {
  const lines = [
    `${command.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
    ...subcommands.flatMap(({ name, summary }) => [name.toUpperCase(), `${indent}${summary.replace(/\.$/, "")}.`]),
    "HELP", `${indent}Prints this help.`,
  ];
  const reply = array(lines.map(simple));
  const [{ group }] = subcommands;
  return [...subcommands, { name: "help", arity: 2, kind: "local", group, since: "5.0.0", summary: "Show helpful text about the different subcommands", handler: () => reply }];
}
