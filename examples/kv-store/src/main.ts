#!/usr/bin/env node
/** The program: reads the command line, starts what it asks for, says what runs, and stops cleanly. */
import { resolve } from "node:path";
import { corosync, isLockstepError } from "@lockstep/framework";
import { refuseGroupData } from "./data-directory.js";
import { explainStore, shellWord } from "./data-error.js";
import { explainListenError } from "./listen-error.js";
import { OptionError, defaultDirectory, parseOptions, usage, type ClusteredOptions, type EmbeddedOptions } from "./options.js";
import { quietLogger } from "./quiet-logger.js";
import type { KvServer } from "./server/kv-server.js";
import { lockstepVersion } from "./server/version.js";
import { startEmbedded } from "./start-embedded.js";
import { startServer } from "./start-server.js";

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function runEmbedded({ ports, ...options }: EmbeddedOptions): Promise<void> {
  const directory = options.directory === undefined ? undefined : resolve(options.directory);
  const group = await startEmbedded(ports, { ...options, directory, logger: quietLogger });
  const { servers } = group;
  say(`lockstep-kv: ${servers.length} replicas in this process. Every one takes reads and writes.`);
  servers.forEach(({ port }, i) => say(`  replica ${i + 1} of ${servers.length} on ${options.host}:${port}`));
  await sayWhereData(directory, servers);
  say("Try, in another terminal:");
  say(`  ${client(options.host, servers.at(0))} set x 1`);
  say(`  ${client(options.host, servers.at(-1))} get x`);
  say("Ctrl-C stops them all.");
  warnIfOpen(options.host);
  for (const server of servers) void reportStop(server);
  stopOnSignal(() => group.close());
}

async function sayWhereData(directory: string | undefined, servers: readonly KvServer[]): Promise<void> {
  if (directory === undefined) {
    say(`Data is held in memory, and gone when this process ends. Without --memory it is kept in ./${defaultDirectory}.`);
    return;
  }
  const state = await servers[0]?.replica.query.current({ consistency: "linearizable" });
  const keys = state?.values.size ?? 0;
  say(`Data is kept in ${directory}, which has ${keys === 1 ? "1 key" : `${keys} keys`}.`);
  say("  to keep nothing on disk:  lockstep-kv --memory, or npm start -- --memory");
  say(`  to throw it away:         Ctrl-C, then rm -r ${shellWord(directory)}`);
}

async function runClustered({ port, host, group, policy, reads, directory: given }: ClusteredOptions): Promise<void> {
  const directory = given === undefined ? undefined : resolve(given);
  if (directory !== undefined) await refuseGroupData(directory);
  const server = await startServer({ transport: corosync(), group, quorum: policy, host, port, reads, ...(directory === undefined ? {} : { directory }) })
    .catch((error: unknown) => { throw (directory === undefined ? undefined : explainStore(directory, error)) ?? error; });
  const { replica } = server;
  say(`lockstep-kv: replica ${replica.inspect().slot} of group ${group} on ${host}:${server.port}, with Corosync.`);
  if (directory === undefined) say("Data is held in memory: a majority of the nodes must go on running. With --data DIR, on every node, it is kept on disk.");
  else say(`Data is kept in ${directory}.`);
  say(`Try, here and on another node:`);
  say(`  ${client(host, server)} set x 1`);
  say(`  ${client(host, server)} get x`);
  say("Ctrl-C stops this replica; the others go on.");
  warnIfOpen(host);
  sayRole(replica.role, replica.inspect().reason);
  replica.onRoleChange(sayRole);
  stopOnSignal(() => server.close());
  // A supervisor starts it again; it joins as a new incarnation.
  if (await reportStop(server)) process.exit(1);
}

function sayRole(role: string, reason: string | undefined): void {
  say(reason === undefined ? `Now ${role}.` : `Now ${role}: ${reason}`);
}

function client(host: string, server: KvServer | undefined): string {
  return `redis-cli${host === "127.0.0.1" ? "" : ` -h ${host}`} -p ${server?.port ?? 0}`;
}

function warnIfOpen(host: string): void {
  if (host === "localhost" || host === "::1" || host.startsWith("127.")) return;
  say(`Note: there are no passwords. Whoever reaches ${host} can read and write everything.`);
}

/** Resolves to true if the replica ended by an error. */
async function reportStop({ replica, port }: KvServer): Promise<boolean> {
  const error = await replica.stopped;
  if (error === undefined) return false;
  process.stderr.write(`lockstep-kv: the replica on port ${port} has stopped: ${describe(error)}\n`);
  return true;
}

/** On Windows SIGHUP says that the console's window is closed, which leaves some seconds, and SIGBREAK is Ctrl-Break; both end a process otherwise. */
const endSignals: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", ...(process.platform === "win32" ? ["SIGHUP", "SIGBREAK"] as const : [])];

function stopOnSignal(stop: () => Promise<void>): void {
  let stopping = false;
  const onSignal = (): void => {
    // Asked twice: no more waiting.
    if (stopping) process.exit(130);
    stopping = true;
    say("Stopping.");
    stop().then(() => process.exit(0), fail);
  };
  for (const signal of endSignals) process.on(signal, onSignal);
}

function describe(error: unknown): string {
  if (isLockstepError(error)) return `${error.message} (${error.code})`;
  return error instanceof Error ? error.message : String(error);
}

function fail(error: unknown): never {
  process.stderr.write(`lockstep-kv: ${explainListenError(error) ?? describe(error)}\n`);
  process.exit(1);
}

/** Whoever read it has gone: `| head`, a terminal that was closed. That is no reason for a server to end. */
function goOnUnheard(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
}

async function main(): Promise<void> {
  goOnUnheard();
  const options = parseOptions(process.argv.slice(2));
  switch (options.run) {
    case "help":
      process.stdout.write(usage);
      return;
    case "version":
      say(`lockstep-kv ${lockstepVersion}`);
      return;
    case "embedded":
      return runEmbedded(options);
    case "clustered":
      return runClustered(options);
  }
}

main().catch((error: unknown) => {
  if (!(error instanceof OptionError)) fail(error);
  process.stderr.write(`lockstep-kv: ${error.message}\nSee lockstep-kv --help.\n`);
  process.exit(2);
});
