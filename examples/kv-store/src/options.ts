/** The command line: what it may say, what it means, and what is wrong with it. Nothing is started here. */
import { parseArgs } from "node:util";
import type { ReadConsistency } from "./server/service.js";

export const usage = `lockstep-kv: a replicated key-value server that speaks the Redis protocol.

  lockstep-kv [--port 6379] [--ports 6379,6380,6381] [--data DIR | --memory]
      Replicas in this process, one for each port: three, from --port on, unless --ports says otherwise.
      Their data is kept in ./lockstep-kv-data, unless --data or --memory says otherwise.

  lockstep-kv --transport corosync [--port 6379] [--data DIR]
      One replica, on a node of a Corosync cluster. Run it on each node.
      Without --data its data is in memory: what it answered is there as long as a majority of the nodes has it.

Options
  --host ADDRESS      address to listen on; default 127.0.0.1. There are no passwords: keep others out of the network.
  --port PORT         port to listen on, or the first of three; default 6379; 0 takes any that is free
  --ports P,P,P       ports of the replicas in this process
  --data DIR          keep the data in this directory, on a local disk; made if it is missing. On a cluster: every node
                      has one, or none has
  --memory            keep nothing on disk
  --reads HOW         linearizable (default): a read sees every write answered before it, on whichever replica
                      sequential: a replica answers at once from what it has applied, possibly of the past
  --transport NAME    memory (default) or corosync
  --group NAME        the group to join; default lockstep-kv. Replicas of one group hold the same data.
  --policy NAME       who may write after a failure, with corosync: majority (default) of the configured nodes,
                      or corosync, as its votequorum decides
  --help              this text
  --version           the version
`;

interface CommonOptions {
  readonly host: string;
  readonly group: string;
  readonly reads: ReadConsistency;
  /** Where the data is kept; undefined: in memory. */
  readonly directory: string | undefined;
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

export type Options = EmbeddedOptions | ClusteredOptions | { readonly run: "help" } | { readonly run: "version" };

/** Says what is wrong and what would be right. */
export class OptionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "OptionError";
  }
}

const defaultPort = 6379;
/** Under the current directory, as redis-server and etcd have it: easy to see, and gone with the directory it was tried in. */
export const defaultDirectory = "lockstep-kv-data";
const embeddedReplicas = 3;
/** A majority of more takes longer to hear from, and gains nothing in one process. */
const maximumReplicas = 7;
/** CPG_MAX_NAME_LENGTH less its NUL. */
const groupBytes = 127;

const definitions = {
  host: { type: "string", default: "127.0.0.1" },
  port: { type: "string" },
  ports: { type: "string" },
  reads: { type: "string", default: "linearizable" },
  transport: { type: "string", default: "memory" },
  group: { type: "string", default: "lockstep-kv" },
  policy: { type: "string" },
  data: { type: "string" },
  memory: { type: "boolean", default: false },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
} as const;

/** @throws OptionError */
export function parseOptions(args: readonly string[]): Options {
  const values = readValues(args);
  if (values.help) return { run: "help" };
  if (values.version) return { run: "version" };
  const group = values.group;
  if (group === "" || Buffer.byteLength(group) > groupBytes || group.includes("\0")) {
    throw new OptionError(`--group must have 1 to ${groupBytes} bytes, and no NUL`);
  }
  if (values.host === "") throw new OptionError("--host must be an address of this machine, such as 127.0.0.1");
  const transport = oneOf("--transport", values.transport, ["memory", "corosync"]);
  const common = {
    host: values.host, group,
    reads: oneOf("--reads", values.reads, ["linearizable", "sequential"]),
    directory: parseDirectory(values, transport === "memory" ? defaultDirectory : undefined),
  };
  return transport === "memory" ? embedded(common, values) : clustered(common, values);
}

function parseDirectory({ data, memory }: { readonly data?: string | undefined; readonly memory: boolean }, otherwise: string | undefined): string | undefined {
  if (data === "") throw new OptionError("--data must name a directory");
  if (data !== undefined && memory) throw new OptionError("give --data to keep the data, or --memory to keep nothing on disk, not both");
  return memory ? undefined : (data ?? otherwise);
}

interface Values {
  readonly port?: string | undefined;
  readonly ports?: string | undefined;
  readonly policy?: string | undefined;
}

function embedded(common: CommonOptions, { port, ports, policy }: Values): EmbeddedOptions {
  if (policy !== undefined) throw new OptionError("--policy is for --transport corosync: replicas in one process always need a majority");
  if (port !== undefined && ports !== undefined) throw new OptionError("give --port or --ports, not both");
  if (ports !== undefined) return { run: "embedded", ...common, ports: parsePorts(ports) };
  const first = port === undefined ? defaultPort : parsePort("--port", port);
  const offsets = Array.from({ length: embeddedReplicas }, (_, i) => i);
  if (first + embeddedReplicas - 1 > 65_535) throw new OptionError(`--port ${first} leaves no room for ${embeddedReplicas} ports in a row; take a lower one`);
  return { run: "embedded", ...common, ports: offsets.map((offset) => (first === 0 ? 0 : first + offset)) };
}

function clustered(common: CommonOptions, { port, ports, policy = "majority" }: Values): ClusteredOptions {
  if (ports !== undefined) throw new OptionError("--ports is for replicas in one process; with --transport corosync there is one replica on a node: use --port");
  return {
    run: "clustered",
    ...common,
    port: port === undefined ? defaultPort : parsePort("--port", port),
    policy: oneOf("--policy", policy, ["majority", "corosync"]),
  };
}

function readValues(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: definitions, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new OptionError(error instanceof Error ? error.message : String(error));
  }
}

function parsePorts(text: string): readonly number[] {
  const ports = text.split(",").map((port) => parsePort("--ports", port.trim()));
  if (ports.length > maximumReplicas) throw new OptionError(`--ports takes at most ${maximumReplicas} ports, not ${ports.length}`);
  const named = ports.filter((port) => port !== 0);
  if (new Set(named).size < named.length) throw new OptionError(`--ports ${text} names a port twice; every replica needs its own`);
  return ports;
}

function parsePort(option: string, text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65_535)) throw new OptionError(`${option} takes port numbers from 0 to 65535, not ${JSON.stringify(text)}`);
  return port;
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new OptionError(`${option} takes ${allowed.join(" or ")}, not ${JSON.stringify(value)}`);
  return found;
}
