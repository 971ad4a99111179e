/** `npm run cluster -- …`: a Corosync cluster on this machine for people to try things on. It stays up between commands. */
import { createReadStream } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { corosyncAvailable } from "./available.js";
import { Cluster } from "./cluster.js";
import { ClusterError } from "./processes.js";
import { loadState } from "./state.js";
import { takeDown } from "./take-down.js";
import { takeTurn } from "./turn.js";

const directory = join(tmpdir(), "lockstep-cluster-cli");

const help = `A Corosync cluster on this machine: each node has its own network, its own daemon, and shares the files.

  up [--nodes 3] [--token 1000]   start; the token timeout is in milliseconds
  down                            take everything down
  status                          daemons, rings, quorum, faults
  exec N COMMAND…                 run a command on node N; its exit code is passed on
  cut N                           pull node N's cable
  block FROM TO                   node TO no longer gets packets from node FROM
  loss N PERCENT                  lose this share of the packets that come to node N
  heal [N]                        end cuts, blocks and losses, of node N or all
  kill N | start N                kill the Corosync daemon of node N, start it again
  pause N | resume N              freeze the daemon of node N, let it go on
  logs N                          print the log of node N

State and logs are in ${directory}
`;

type Action = (args: readonly string[]) => Promise<number> | Promise<void>;

const actions: Readonly<Record<string, Action>> = {
  up,
  down: async (args) => {
    expectCount(args, 0, 0);
    const state = loadState(directory);
    if (state === undefined) return print("No cluster is up.");
    takeDown(state, false);
    return print("Down.");
  },
  status: async (args) => {
    expectCount(args, 0, 0);
    await showStatus(attached());
  },
  exec: async (args) => {
    const [nodeId = "", command = "", ...rest] = args;
    if (command === "") throw new ClusterError("exec wants a node and a command: exec 2 corosync-quorumtool -s");
    return execute(attached(), numberOf(nodeId, "node"), command, rest);
  },
  cut: onNode(async (cluster, nodeId) => cluster.cut(nodeId)),
  block: async (args) => {
    expectCount(args, 2, 2);
    const cluster = attached();
    await cluster.block({ from: numberOf(args[0], "node"), to: numberOf(args[1], "node") });
    await showStatus(cluster);
  },
  loss: async (args) => {
    expectCount(args, 2, 2);
    const cluster = attached();
    await cluster.loss(numberOf(args[0], "node"), numberOf(args[1], "percentage"));
    await showStatus(cluster);
  },
  heal: async (args) => {
    expectCount(args, 0, 1);
    const cluster = attached();
    await cluster.heal(args[0] === undefined ? undefined : numberOf(args[0], "node"));
    await showStatus(cluster);
  },
  kill: onNode(async (cluster, nodeId) => cluster.node(nodeId).killDaemon()),
  start: onNode(async (cluster, nodeId) => { cluster.node(nodeId).startDaemon(); }),
  pause: onNode(async (cluster, nodeId) => cluster.node(nodeId).pauseDaemon()),
  resume: onNode(async (cluster, nodeId) => { cluster.node(nodeId).resumeDaemon(); }),
  logs: async (args) => {
    expectCount(args, 1, 1);
    const { logFile } = attached().node(numberOf(args[0], "node"));
    await pipeline(createReadStream(logFile), process.stdout, { end: false });
  },
};

/** What others need not wait for. */
const onlyLook: ReadonlySet<string> = new Set(["status", "exec", "logs"]);

async function up(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { nodes: { type: "string", default: "3" }, token: { type: "string", default: "1000" } } });
  if (loadState(directory) !== undefined) throw new ClusterError("A cluster is up already: see status, or take it down first.");
  const cluster = await Cluster.start({ nodes: numberOf(values.nodes, "number of nodes"), totem: { token: numberOf(values.token, "token timeout") }, stayIn: directory });
  await showStatus(cluster);
}

/** Most commands name a node, do one thing to it, and show what is so now. Rings take a moment to follow. */
function onNode(act: (cluster: Cluster, nodeId: number) => Promise<void>): Action {
  return async (args) => {
    expectCount(args, 1, 1);
    const cluster = attached();
    await act(cluster, numberOf(args[0], "node"));
    await showStatus(cluster);
  };
}

async function execute(cluster: Cluster, nodeId: number, command: string, args: readonly string[]): Promise<number> {
  const child = cluster.node(nodeId).spawn(command, args, { stdio: "inherit" });
  // The terminal tells the command too: it decides what an interrupt means, and this process follows.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => { if (name !== "SIGINT") child.kill(name); });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => { resolve(code ?? 128 + (signal === "SIGINT" ? 2 : signal === "SIGTERM" ? 15 : 9)); });
  });
}

async function showStatus(cluster: Cluster): Promise<void> {
  for (const { nodeId, daemon, ring, members, quorate } of await cluster.status()) {
    const { linkDown, deafTo, lossPercent } = cluster.faults(nodeId);
    const view = ring === undefined ? "" : `ring ${ring} of ${members.join(" ")}, ${quorate ? "quorate" : "no quorum"}`;
    const faults = [linkDown ? "cut" : "", deafTo.length > 0 ? `hears nothing from ${deafTo.join(" ")}` : "", lossPercent > 0 ? `loses ${String(lossPercent)} %` : ""];
    print([`node ${String(nodeId)}: ${daemon}`, view, ...faults].filter((part) => part !== "").join(", "));
  }
}

function attached(): Cluster {
  if (loadState(directory) === undefined) throw new ClusterError("No cluster is up. Start one: npm run cluster -- up");
  return Cluster.attach(directory);
}

function numberOf(text: string | undefined, what: string): number {
  const value = Number(text);
  if (text === undefined || text.trim() === "" || !Number.isFinite(value)) throw new ClusterError(`"${text ?? ""}" is no ${what}: give a number.`);
  return value;
}

function expectCount(args: readonly string[], least: number, most: number): void {
  if (args.length < least || args.length > most) throw new ClusterError(`Wrong number of arguments. See: npm run cluster -- help`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(args: readonly string[]): Promise<number> {
  const [name = "help", ...rest] = args;
  if (["help", "--help", "-h"].includes(name)) {
    process.stdout.write(help);
    return 0;
  }
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (action === undefined) throw new ClusterError(`There is no command "${name}". See: npm run cluster -- help`);
  const reason = corosyncAvailable();
  if (reason !== undefined) throw new ClusterError(reason);
  if (!onlyLook.has(name)) await takeTurn(directory);
  return await action(rest) ?? 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const expected = error instanceof ClusterError || (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS") === true;
  process.stderr.write(expected ? `${(error as Error).message}\n` : `${String((error as Error).stack)}\n`);
  process.exitCode = 1;
}
