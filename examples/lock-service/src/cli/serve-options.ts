/** The command line of `lockstep-lock serve`: what it may say, what it means, and what is wrong with it. Nothing is started here. */
import { parseArgs } from "node:util";
import { defaultGroup, defaultPort } from "../start-server.js";
import { UsageError } from "./usage-error.js";
import type { TlsOptions } from "../server/tls.js";

export const serveUsage = `lockstep-lock serve: runs the lock service.

  lockstep-lock serve [--port 7400] [--ports 7400,7401,7402] [--data DIR | --memory]
      Replicas in this process, one for each port: three, from --port on, unless --ports says otherwise.
      Their data is kept in ./lockstep-lock-data, unless --data or --memory says otherwise.

  lockstep-lock serve --transport corosync [--port 7400] [--host ADDRESS] [--data DIR]
      One replica, on a node of a Corosync cluster. Run it on each node.
      Without --data its data is in memory: what it answered is there as long as a majority of the nodes has it.

Options
  --host ADDRESS      address to listen on; default 127.0.0.1
  --port PORT         port to listen on, or the first of three; default 7400; 0 takes any that is free
  --ports P,P,P       ports of the replicas in this process
  --data DIR          keep the data in this directory, on a local disk; made if it is missing. On a cluster: every node
                      has one, or none has
  --memory            keep nothing on disk
  --auth FILE         ask for tokens: {"tokens": [{"name": "billing", "token": "…", or "sha256": "…",
                      "permissions": [{"prefix": "billing/", "allow": ["read", "lock", "admin"]}]}]}
                      SIGHUP reads it, and the certificates, again (not on Windows)
  --tls-cert FILE     serve HTTPS with this certificate (PEM, the whole chain) …
  --tls-key FILE      … and this key (PEM)
  --tls-ca FILE       ask clients for certificates, signed by one of these
  --transport NAME    memory (default) or corosync
  --group NAME        the group to join; default lockstep-lock. Replicas of one group hold the same locks.
  --policy NAME       who may grant after a failure, with corosync: majority (default) of the configured nodes,
                      or corosync, as its votequorum decides
  --help              this text
`;

interface CommonOptions {
  readonly host: string;
  readonly group: string;
  /** Where the data is kept; undefined: in memory. */
  readonly directory: string | undefined;
  readonly authFile: string | undefined;
  readonly tls: TlsOptions | undefined;
}

export interface EmbeddedOptions extends CommonOptions {
  readonly run: "embedded";
  /** One replica for each. */
  readonly ports: readonly number[];
}

export interface ClusteredOptions extends CommonOptions {
  readonly run: "clustered";
  readonly port: number;
  readonly policy: "majority" | "corosync";
}

export type ServeOptions = EmbeddedOptions | ClusteredOptions | { readonly run: "help" };

/** Under the current directory: easy to see, and gone with the directory it was tried in. */
export const defaultDirectory = "lockstep-lock-data";
const embeddedReplicas = 3;
/** A majority of more takes longer to hear from, and gains nothing in one process. */
const maximumReplicas = 7;
/** CPG_MAX_NAME_LENGTH less its NUL. */
const groupBytes = 127;

const definitions = {
  host: { type: "string", default: "127.0.0.1" },
  port: { type: "string" },
  ports: { type: "string" },
  transport: { type: "string", default: "memory" },
  group: { type: "string", default: defaultGroup },
  policy: { type: "string" },
  data: { type: "string" },
  memory: { type: "boolean", default: false },
  auth: { type: "string" },
  "tls-cert": { type: "string" },
  "tls-key": { type: "string" },
  "tls-ca": { type: "string" },
  help: { type: "boolean", default: false },
} as const;

type Values = ReturnType<typeof readValues>;

/** @throws UsageError */
export function parseServeOptions(args: readonly string[]): ServeOptions {
  const values = readValues(args);
  if (values.help) return { run: "help" };
  const { host, group, auth } = values;
  if (group === "" || Buffer.byteLength(group) > groupBytes) throw new UsageError(`--group must have 1 to ${groupBytes} bytes`);
  if (host === "") throw new UsageError("--host must be an address of this machine, such as 127.0.0.1");
  if (auth === "") throw new UsageError("--auth must name a file");
  const transport = oneOf("--transport", values.transport, ["memory", "corosync"]);
  const common = { host, group, directory: parseDirectory(values, transport === "memory" ? defaultDirectory : undefined), authFile: auth, tls: parseTls(values) };
  return transport === "memory" ? embedded(common, values) : clustered(common, values);
}

function parseDirectory({ data, memory }: Values, otherwise: string | undefined): string | undefined {
  if (data === "") throw new UsageError("--data must name a directory");
  if (data !== undefined && memory) throw new UsageError("give --data to keep the data, or --memory to keep nothing on disk, not both");
  return memory ? undefined : (data ?? otherwise);
}

function parseTls({ "tls-cert": certFile, "tls-key": keyFile, "tls-ca": caFile }: Values): TlsOptions | undefined {
  if (certFile === undefined && keyFile === undefined && caFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) throw new UsageError("HTTPS needs --tls-cert and --tls-key, both");
  return { certFile, keyFile, caFile };
}

function embedded(common: CommonOptions, { port, ports, policy }: Values): EmbeddedOptions {
  if (policy !== undefined) throw new UsageError("--policy is for --transport corosync: replicas in one process always need a majority");
  if (port !== undefined && ports !== undefined) throw new UsageError("give --port or --ports, not both");
  if (ports !== undefined) return { run: "embedded", ...common, ports: parsePorts(ports) };
  const first = port === undefined ? defaultPort : parsePort("--port", port);
  const offsets = Array.from({ length: embeddedReplicas }, (_, i) => i);
  if (first + embeddedReplicas - 1 > 65_535) throw new UsageError(`--port ${first} leaves no room for ${embeddedReplicas} ports in a row; take a lower one`);
  return { run: "embedded", ...common, ports: offsets.map((offset) => (first === 0 ? 0 : first + offset)) };
}

function clustered(common: CommonOptions, { port, ports, policy = "majority" }: Values): ClusteredOptions {
  if (ports !== undefined) throw new UsageError("--ports is for replicas in one process; with --transport corosync there is one replica on a node: use --port");
  return { run: "clustered", ...common, port: port === undefined ? defaultPort : parsePort("--port", port), policy: oneOf("--policy", policy, ["majority", "corosync"]) };
}

function readValues(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: definitions, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function parsePorts(text: string): readonly number[] {
  const ports = text.split(",").map((port) => parsePort("--ports", port.trim()));
  if (ports.length > maximumReplicas) throw new UsageError(`--ports takes at most ${maximumReplicas} ports, not ${ports.length}`);
  const named = ports.filter((port) => port !== 0);
  if (new Set(named).size < named.length) throw new UsageError(`--ports ${text} names a port twice; every replica needs its own`);
  return ports;
}

function parsePort(option: string, text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65_535)) throw new UsageError(`${option} takes port numbers from 0 to 65535, not ${JSON.stringify(text)}`);
  return port;
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new UsageError(`${option} takes ${allowed.join(" or ")}, not ${JSON.stringify(value)}`);
  return found;
}
