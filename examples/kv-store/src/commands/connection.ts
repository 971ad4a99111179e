/** Commands about the connection itself: PING, ECHO, HELLO, AUTH, CLIENT, SELECT, QUIT, … */
import { bulk, integer, map, array, nil, ok, pong, simple, verbatim, type Protocol, type Reply } from "../resp/reply.js";
import type { Session } from "../server/session.js";
import { redisVersion } from "../server/version.js";
import { argument, integerArgument, smallIntegerArgument } from "./arguments.js";
import { CommandError, unknownHelloOption, wrongArity } from "./command-error.js";
import { withHelp } from "./help.js";
import type { Call, CommandSpec, CommandTable } from "./spec.js";

function ping({ args }: Call): Reply {
  if (args.length > 2) throw wrongArity("ping");
  return args.length === 1 ? pong : bulk(argument(args, 1));
}

/** HELLO [version [AUTH user password] [SETNAME name]]: nothing changes unless all of it is right. */
function hello({ args, protocol: current, session }: Call): Reply {
  const protocol = args.length > 1 ? protocolVersion(argument(args, 1)) : current;
  let name: string | undefined;
  for (let at = 2; at < args.length; ) {
    const option = argument(args, at);
    const left = args.length - at - 1;
    if (option.toUpperCase() === "AUTH" && left >= 2) {
      checkCredentials(argument(args, at + 1));
      at += 3;
    } else if (option.toUpperCase() === "SETNAME" && left >= 1) {
      name = validName(argument(args, at + 1));
      at += 2;
    } else throw unknownHelloOption(option);
  }
  if (name !== undefined) session.name = name;
  session.protocol = protocol;
  return map(
    [
      [bulk("server"), bulk("redis")],
      [bulk("version"), bulk(redisVersion)],
      [bulk("proto"), integer(protocol)],
      [bulk("id"), integer(session.id)],
      [bulk("mode"), bulk("standalone")],
      // Every replica takes writes.
      [bulk("role"), bulk("master")],
      [bulk("modules"), array([])],
    ],
    protocol,
  );
}

function protocolVersion(text: string): Protocol {
  const version = integerArgument(text, () => new CommandError("ERR Protocol version is not an integer or out of range"));
  if (version !== 2n && version !== 3n) throw new CommandError("NOPROTO unsupported protocol version");
  return version === 2n ? 2 : 3;
}

/** There are no passwords: as in a Redis without any, the default user may come in with whatever it says. */
function checkCredentials(user: string): void {
  if (user !== "default") throw new CommandError("WRONGPASS invalid username-password pair or user is disabled.");
}

function auth({ args }: Call): Reply {
  if (args.length > 3) throw new CommandError("ERR syntax error");
  if (args.length === 2) {
    throw new CommandError(
      "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
    );
  }
  checkCredentials(argument(args, 1));
  return ok;
}

function select({ args }: Call): Reply {
  if (smallIntegerArgument(argument(args, 1)) !== 0) throw new CommandError("ERR DB index is out of range");
  return ok;
}

function quit({ session }: Call): Reply {
  session.closing = true;
  return ok;
}

function reset({ session }: Call): Reply {
  session.name = "";
  session.protocol = 2;
  return simple("RESET");
}

function validName(name: string): string {
  if (!/^[!-~]*$/.test(name)) throw new CommandError("ERR Client names cannot contain spaces, newlines or special characters.");
  return name;
}

function setInfo({ args, session }: Call): Reply {
  const attribute = argument(args, 2).toLowerCase();
  const value = argument(args, 3);
  if (attribute !== "lib-name" && attribute !== "lib-ver") throw new CommandError(`ERR Unrecognized option '${argument(args, 2)}'`);
  if (!/^[!-~]*$/.test(value)) throw new CommandError(`ERR ${attribute} cannot contain spaces, newlines or special characters.`);
  if (attribute === "lib-name") session.libraryName = value;
  else session.libraryVersion = value;
  return ok;
}

/** Redis's fields, as clients ask for one or the other. What this server has nothing of is 0, what it does not know -1. */
function describe(session: Session, commands: CommandTable): string {
  const now = Date.now();
  const seconds = (since: number): number => Math.max(0, Math.floor((now - since) / 1000));
  const { lastCommand } = session;
  return (
    `id=${session.id} addr=${session.address} laddr=${session.localAddress} fd=-1 name=${session.name} age=${seconds(session.connectedAtMs)} ` +
    `idle=${seconds(session.lastAtMs)} flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 ` +
    `tot-mem=${session.heldBytes()} events=r cmd=${lastCommand === undefined ? "NULL" : commands.fullName(lastCommand)} user=default redir=-1 ` +
    `resp=${session.protocol} lib-name=${session.libraryName} lib-ver=${session.libraryVersion}\n`
  );
}

const clientSubcommands = withHelp("client", [
  { name: "id", arity: 2, kind: "local", group: "connection", since: "5.0.0", summary: "Returns the client ID for the current connection", handler: ({ session }) => integer(session.id) },
  {
    name: "getname", arity: 2, kind: "local", group: "connection", since: "2.6.9", summary: "Get the current connection name",
    handler: ({ session, protocol }) => (session.name === "" ? nil(protocol) : bulk(session.name)),
  },
  {
    name: "setname", arity: 3, kind: "local", group: "connection", since: "2.6.9", summary: "Set the current connection name",
    handler: ({ args, session }) => {
      session.name = validName(argument(args, 2));
      return ok;
    },
  },
  { name: "setinfo", arity: 4, kind: "local", group: "connection", since: "7.2.0", summary: "Set client or connection specific info", handler: setInfo },
  {
    name: "info", arity: 2, kind: "local", group: "connection", since: "6.2.0", summary: "Returns information about the current client connection.",
    handler: ({ session, service, protocol }) => verbatim(describe(session, service.commands), protocol),
  },
  {
    name: "list", arity: -2, kind: "local", group: "connection", since: "2.4.0", summary: "Get the list of client connections",
    handler: ({ args, service, protocol }) => {
      if (args.length > 2) throw new CommandError("ERR syntax error");
      return verbatim([...service.sessions.values()].map((session) => describe(session, service.commands)).join(""), protocol);
    },
  },
]);

function needsSubcommand({ args }: Call): Reply {
  throw wrongArity(argument(args, 0).toLowerCase());
}

export const connectionCommands: readonly CommandSpec[] = [
  { name: "ping", arity: -1, kind: "local", group: "connection", since: "1.0.0", fast: true, summary: "Ping the server", handler: ping },
  { name: "echo", arity: 2, kind: "local", group: "connection", since: "1.0.0", fast: true, summary: "Echo the given string", handler: ({ args }) => bulk(argument(args, 1)) },
  { name: "hello", arity: -1, kind: "local", group: "connection", since: "6.0.0", fast: true, summary: "Handshake with Redis", handler: hello },
  { name: "auth", arity: -2, kind: "local", group: "connection", since: "1.0.0", fast: true, summary: "Authenticate to the server", handler: auth },
  { name: "select", arity: 2, kind: "local", group: "connection", since: "1.0.0", fast: true, summary: "Change the selected database for the current connection", handler: select },
  { name: "quit", arity: -1, kind: "local", group: "connection", since: "1.0.0", fast: true, summary: "Close the connection", handler: quit },
  { name: "reset", arity: 1, kind: "local", group: "connection", since: "6.2.0", fast: true, summary: "Reset the connection", handler: reset },
  {
    name: "client", arity: -2, kind: "local", group: "connection", since: "2.4.0", summary: "A container for client connection commands",
    handler: needsSubcommand, subcommands: clientSubcommands,
  },
];
