/** Commands about the server: INFO, COMMAND, CONFIG GET, TIME. */
import { matchesGlob } from "../machine/glob.js";
import { bulk, integer, map, array, nil, verbatim, type Reply } from "../resp/reply.js";
import type { Service } from "../server/service.js";
import { wrongArity } from "./command-error.js";
import { describeCommand, documentCommand } from "./describe.js";
import { withHelp } from "./help.js";
import { infoText } from "./info.js";
import type { Call, CommandSpec } from "./spec.js";

function info({ args, protocol, service }: Call): Reply {
  return verbatim(infoText(service, args.slice(1)), protocol);
}

function listCommands({ protocol, service }: Call): Reply {
  return array(service.commands.all.map((spec) => describeCommand(spec, protocol)));
}

function commandInfo({ args, protocol, service }: Call): Reply {
  if (args.length === 2) return array(service.commands.all.map((spec) => describeCommand(spec, protocol)));
  return array(args.slice(2).map((name) => {
    const spec = service.commands.lookUp(name);
    return spec === undefined ? nil(protocol) : describeCommand(spec, protocol);
  }));
}

function commandDocs({ args, protocol, service }: Call): Reply {
  const names = args.length === 2 ? service.commands.all.map((spec) => spec.name) : args.slice(2);
  const docs = names.flatMap((name) => {
    const spec = service.commands.lookUp(name);
    return spec === undefined ? [] : [[bulk(name.toLowerCase()), documentCommand(spec, protocol)] as const];
  });
  return map(docs, protocol);
}

/** Those settings that clients and tools ask for before they start. */
function configuration({ durable, limits }: Service): ReadonlyMap<string, string> {
  return new Map([
    ["appendonly", durable ? "yes" : "no"],
    ["databases", "1"],
    ["maxclients", String(limits.connections)],
    ["maxmemory", "0"],
    ["proto-max-bulk-len", String(limits.request.bulkBytes)],
    ["save", ""],
    ["tcp-keepalive", String(Math.floor(limits.keepAliveMs / 1000))],
    ["timeout", "0"],
  ]);
}

function configGet({ args, protocol, service }: Call): Reply {
  const patterns = args.slice(2).map((pattern) => pattern.toLowerCase());
  const wanted = [...configuration(service)].filter(([name]) => patterns.some((pattern) => matchesGlob(pattern, name)));
  return map(wanted.map(([name, value]) => [bulk(name), bulk(value)] as const), protocol);
}

/** Wall clock of this node: seconds, and microseconds within the second. */
function time(): Reply {
  const now = Date.now();
  return array([bulk(String(Math.floor(now / 1000))), bulk(String((now % 1000) * 1000))]);
}

const commandSubcommands = withHelp("command", [
  { name: "count", arity: 2, kind: "local", group: "server", since: "2.8.13", summary: "Get total number of Redis commands", handler: ({ service }) => integer(service.commands.all.length) },
  { name: "docs", arity: -2, kind: "local", group: "server", since: "7.0.0", summary: "Get array of specific Redis command documentation", handler: commandDocs },
  { name: "info", arity: -2, kind: "local", group: "server", since: "2.8.13", summary: "Get array of specific Redis command details", handler: commandInfo },
  {
    name: "list", arity: 2, kind: "local", group: "server", since: "7.0.0", summary: "Get an array of Redis command names",
    handler: ({ service }) => array(service.commands.all.map((spec) => bulk(spec.name))),
  },
]);

const configSubcommands = withHelp("config", [
  { name: "get", arity: -3, kind: "local", group: "server", since: "2.0.0", summary: "Get the values of configuration parameters", handler: configGet },
]);

export const serverCommands: readonly CommandSpec[] = [
  { name: "info", arity: -1, kind: "local", inTurn: true, group: "server", since: "1.0.0", summary: "Get information and statistics about the server", handler: info },
  {
    name: "command", arity: -1, kind: "local", group: "server", since: "2.8.13", summary: "Get array of Redis command details",
    handler: listCommands, subcommands: commandSubcommands,
  },
  {
    name: "config", arity: -2, kind: "local", group: "server", since: "2.0.0", summary: "A container for server configuration commands",
    handler: () => { throw wrongArity("config"); }, subcommands: configSubcommands,
  },
  { name: "time", arity: 1, kind: "local", group: "server", since: "2.6.0", fast: true, summary: "Return the current server time", handler: time },
];
