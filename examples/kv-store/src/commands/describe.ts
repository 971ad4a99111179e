/** What COMMAND and its subcommands tell clients about a command, from its row of the table. */
import { array, bulk, integer, map, set, simple, type Protocol, type Reply } from "../resp/reply.js";
import type { CommandGroup, CommandKind, CommandSpec } from "./spec.js";

/** COMMAND INFO's ten fields: name, arity, flags, first key, last key, step, categories, tips, key specifications, subcommands. */
export function describeCommand(spec: CommandSpec, protocol: Protocol, container?: string): Reply {
  const { first, last, step } = spec.keys ?? { first: 0, last: 0, step: 0 };
  return array([
    bulk(container === undefined ? spec.name : `${container}|${spec.name}`),
    integer(spec.arity),
    set(flags(spec).map(simple), protocol),
    integer(first),
    integer(last),
    integer(step),
    set(categories(spec).map(simple), protocol),
    array([]),
    array([]),
    array((spec.subcommands ?? []).map((sub) => describeCommand(sub, protocol, spec.name))),
  ]);
}

/** COMMAND DOCS's map of one command. */
export function documentCommand(spec: CommandSpec, protocol: Protocol): Reply {
  const fields: (readonly [Reply, Reply])[] = [
    [bulk("summary"), bulk(spec.summary)],
    [bulk("since"), bulk(spec.since)],
    [bulk("group"), bulk(spec.group)],
  ];
  if (spec.subcommands !== undefined) {
    const docs = spec.subcommands.map((sub) => [bulk(`${spec.name}|${sub.name}`), documentCommand(sub, protocol)] as const);
    fields.push([bulk("subcommands"), map(docs, protocol)]);
  }
  return map(fields, protocol);
}

function flags({ kind, fast }: CommandSpec): readonly string[] {
  return fast === undefined ? flagsOfKind[kind] : [...flagsOfKind[kind], "fast"];
}

function categories({ kind, group, fast }: CommandSpec): readonly string[] {
  return [...categoriesOfKind[kind], categoryOfGroup[group], fast === undefined ? "@slow" : "@fast"];
}

const flagsOfKind: Readonly<Record<CommandKind, readonly string[]>> = { read: ["readonly"], write: ["write"], local: ["loading", "stale"] };

const categoriesOfKind: Readonly<Record<CommandKind, readonly string[]>> = { read: ["@read"], write: ["@write"], local: [] };

const categoryOfGroup: Readonly<Record<CommandGroup, string>> = {
  string: "@string",
  generic: "@keyspace",
  connection: "@connection",
  server: "@admin",
};
