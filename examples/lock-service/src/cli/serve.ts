/** `lockstep-lock serve`: starts what the options ask for, says what runs, and stops cleanly. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { corosync, isLockstepError, type Logger } from "@lockstep/framework";
import { DataError, explainStores, shellWord } from "../data-error.js";
import { Access } from "../server/access.js";
import type { LockServer } from "../server/lock-server.js";
import { readTlsFiles, type TlsFiles, type TlsOptions } from "../server/tls.js";
import { readTokenFile } from "../server/token-file.js";
import { replicaDirectory, startEmbedded } from "../start-embedded.js";
import { startServer } from "../start-server.js";
import { explainListenError } from "./listen-error.js";
import { defaultDirectory, parseServeOptions, serveUsage, type ClusteredOptions, type EmbeddedOptions } from "./serve-options.js";

const isWindows = process.platform === "win32";

export async function run(args: readonly string[]): Promise<number> {
  const options = parseServeOptions(args);
  if (options.run === "help") {
    process.stdout.write(serveUsage);
    return 0;
  }
  goOnUnheard();
  try {
    return options.run === "embedded" ? await runEmbedded(options) : await runClustered(options);
  } catch (error) {
    throw new Error(explainListenError(error) ?? describe(error), { cause: error });
  }
}

/** Resolves when it has been stopped. */
async function runEmbedded({ ports, ...options }: EmbeddedOptions): Promise<number> {
  const directory = options.directory === undefined ? undefined : resolve(options.directory);
  const secured = await secure(options);
  const group = await startEmbedded(ports, { ...startOptions(options.host, options.group, secured), directory, logger: quietLogger });
  const { servers } = group;
  say(`lockstep-lock: ${servers.length} replicas in this process. Every one answers every call.`);
  servers.forEach(({ url }, i) => say(`  replica ${i + 1} of ${servers.length} on ${url}`));
  if (directory === undefined) say(`Data is held in memory, and gone when this process ends. Without --memory it is kept in ./${defaultDirectory}.`);
  else sayWhereData(directory);
  sayWhatToTry(servers, options.authFile !== undefined);
  say("Ctrl-C stops them all.");
  warnIfOpen(options);
  reloadOnHangup(servers, secured, options);
  for (const server of servers) void reportStop(server);
  return stopped(() => group.close());
}

function sayWhereData(directory: string): void {
  say(`Data is kept in ${directory}.`);
  say("  to keep nothing on disk:  lockstep-lock serve --memory, or npm run start:lock-service -- --memory");
  say(`  to throw it away:         Ctrl-C, then rm -r ${shellWord(directory)}`);
}

async function runClustered({ port, policy, directory: given, ...options }: ClusteredOptions): Promise<number> {
  const { host, group } = options;
  const directory = given === undefined ? undefined : resolve(given);
  if (directory !== undefined && existsSync(replicaDirectory(directory, 1))) {
    throw new DataError(`${directory} holds the data of replicas in one process. A replica on Corosync needs a directory of its own: choose another with --data.`);
  }
  const secured = await secure(options);
  const server = await startServer({ ...startOptions(host, group, secured), transport: corosync(), quorum: policy, port, ...(directory === undefined ? {} : { directory }) })
    .catch((error: unknown) => { throw (directory === undefined ? undefined : explainStores(() => directory, 1, [{ replica: 1, error }])) ?? error; });
  const { replica } = server;
  say(`lockstep-lock: replica ${replica.inspect().slot} of group ${group} on ${server.url}, with Corosync.`);
  if (directory === undefined) say("Data is held in memory: a majority of the nodes must go on running. With --data DIR, on every node, it is kept on disk.");
  else say(`Data is kept in ${directory}.`);
  sayWhatToTry([server], options.authFile !== undefined);
  say("Ctrl-C stops this replica; the others go on.");
  warnIfOpen(options);
  sayRole(replica.role, replica.inspect().reason);
  replica.onRoleChange(sayRole);
  reloadOnHangup([server], secured, options);
  // A supervisor starts it again; it joins as a new incarnation.
  return Promise.race([stopped(() => server.close()), reportStop(server)]);
}

interface Secured {
  readonly access: Access;
  readonly tls: TlsFiles | undefined;
}

interface SecurityOptions {
  readonly authFile: string | undefined;
  readonly tls: TlsOptions | undefined;
}

async function secure({ authFile, tls }: SecurityOptions): Promise<Secured> {
  return { access: new Access(authFile === undefined ? undefined : await readTokenFile(authFile)), tls: tls === undefined ? undefined : await readTlsFiles(tls) };
}

function startOptions(host: string, group: string, { access, tls }: Secured) {
  return { host, group, access, ...(tls === undefined ? {} : { tls }) };
}

/** Tokens and certificates from their files; what is wrong with the new leaves the old in place. */
function reloadOnHangup(servers: readonly LockServer[], { access }: Secured, { authFile, tls }: SecurityOptions): void {
  if (isWindows) return;
  const reload = async (): Promise<void> => {
    const tokens = authFile === undefined ? undefined : await readTokenFile(authFile);
    const files = tls === undefined ? undefined : await readTlsFiles(tls);
    access.replace(tokens);
    if (files !== undefined) for (const server of servers) server.replaceTls(files);
    say(authFile === undefined && tls === undefined ? "SIGHUP: there is nothing to read again." : "SIGHUP: tokens and certificates were read again.");
  };
  process.on("SIGHUP", () => {
    reload().catch((error: unknown) => process.stderr.write(`lockstep-lock: SIGHUP: ${describe(error)}\nWhat was in use before stays in use.\n`));
  });
}

function sayWhatToTry(servers: readonly LockServer[], authenticated: boolean): void {
  const [first, last] = [servers.at(0)?.url ?? "", servers.at(-1)?.url ?? ""];
  const insecure = first.startsWith("https") ? "k" : "";
  const curl = `curl -s${insecure}${authenticated ? ' -H "Authorization: Bearer $TOKEN"' : ""}`;
  say("Try, in another terminal:");
  say(`  S=$(${curl} -X POST ${first}/v1/sessions | sed 's/.*"session":"\\([^"]*\\)".*/\\1/')`);
  say(`  ${curl} -X PUT ${first}/v1/sessions/$S/requests/r1 -H 'content-type: application/json' -d '{"locks":[{"lock":"x"}]}'`);
  say(`  ${curl} ${last}/v1/locks/x`);
  say(`  ${curl} -X DELETE ${last}/v1/sessions/$S`);
}

function warnIfOpen({ host, authFile, tls }: SecurityOptions & { readonly host: string }): void {
  if (host === "localhost" || host === "::1" || host.startsWith("127.")) return;
  if (authFile === undefined) say(`Note: without --auth, whoever reaches ${host} can take and release every lock.`);
  else if (tls === undefined) say(`Note: without --tls-cert, whoever sees the traffic to ${host} sees the tokens.`);
}

function sayRole(role: string, reason: string | undefined): void {
  say(reason === undefined ? `Now ${role}.` : `Now ${role}: ${reason}`);
}

/** Resolves to 1 if the replica ended by an error; not at all if it was stopped. */
async function reportStop({ replica, port }: LockServer): Promise<number> {
  const error = await replica.stopped;
  if (error === undefined) return new Promise(() => undefined);
  process.stderr.write(`lockstep-lock: the replica on port ${port} has stopped: ${describe(error)}\n`);
  return 1;
}

/** On Windows SIGHUP says that the console's window is closed, which leaves some seconds, and SIGBREAK is Ctrl-Break, which ends a process otherwise. */
const endSignals: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", ...(isWindows ? ["SIGHUP", "SIGBREAK"] as const : [])];

/** Resolves when a signal has asked for the end, and all is stopped. */
function stopped(stop: () => Promise<void>): Promise<number> {
  return new Promise((resolve, reject) => {
    let stopping = false;
    const onSignal = (): void => {
      // Asked twice: no more waiting.
      if (stopping) process.exit(130);
      stopping = true;
      say("Stopping.");
      stop().then(() => resolve(0), reject);
    };
    for (const signal of endSignals) process.on(signal, onSignal);
  });
}

/** Whoever read it has gone: `| head`, a terminal that was closed. That is no reason for a server to end. */
function goOnUnheard(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function describe(error: unknown): string {
  if (isLockstepError(error)) return `${error.message} (${error.code})`;
  return error instanceof Error ? error.message : String(error);
}

const ignore = (): void => undefined;

/** What replicas in one process report on the terminal: errors, a line each. A first start without data is no news here. */
const quietLogger: Logger = {
  debug: ignore, info: ignore, warn: ignore,
  error: (fields, message) => { process.stderr.write(`lockstep-lock: ${message} ${JSON.stringify(fields)}\n`); },
};
