// Compares the binding with the C floor on one three-node cluster (test/cluster, built): alternating runs, ratios of medians.
//
//   node compare.mjs [SECONDS [ROUNDS]]      needs root, Corosync and a C compiler
//
// Prints one JSON line a comparison: ratio is the binding's median over the floor's, above 1 is better for rates and worse for times.
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Cluster } from "../../test/dist/cluster/cluster.js";

const here = fileURLToPath(new URL(".", import.meta.url));
const [seconds, rounds] = [Number(process.argv[2] ?? 3), Number(process.argv[3] ?? 3)];
/** The same bytes under way whatever the size, within what Corosync takes: [bytes, window of each sender]. */
const floods = [[64, 128], [1600, 64], [8192, 32], [50_000, 8]];

const directory = mkdtempSync(join(tmpdir(), "lockstep-bench-"));
const floor = join(directory, "floor");
const compiled = spawnSync(process.env.CC ?? "cc", ["-O2", "-o", floor, join(here, "floor.c"), "-ldl"], { stdio: "inherit" });
if (compiled.status !== 0) throw new Error("floor.c did not compile");
const programs = { c: [floor], binding: [process.execPath, join(here, "flood.mjs")] };

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

function start(node, program, args) {
  const [command, ...first] = programs[program];
  return node.spawn(command, [...first, ...args], { stdio: ["pipe", "pipe", "inherit"] });
}

async function output(child) {
  let text = "";
  child.stdout.on("data", (data) => (text += data));
  await once(child, "close");
  return text.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
}

async function flood(cluster, program, bytes, window) {
  const group = `flood-${program}-${bytes}-${Date.now()}`;
  const children = cluster.nodeIds.map((id) => start(cluster.node(id), program, ["flood", group, bytes, window, seconds].map(String)));
  const results = (await Promise.all(children.map(output))).flat();
  return results.reduce((sum, { messagesPerSecond }) => sum + messagesPerSecond, 0) / results.length;
}

async function ping(cluster, program) {
  const group = `ping-${program}-${Date.now()}`;
  const pong = start(cluster.node(2), program, ["pong", group]);
  await once(pong.stdout, "data");
  const results = await output(start(cluster.node(1), program, ["ping", group, "64", "1000"]));
  pong.stdin.end();
  await once(pong, "close");
  return results;
}

const cluster = await Cluster.start();
try {
  for (const [bytes, window] of floods) {
    const rates = { c: [], binding: [] };
    for (let round = 0; round < rounds; round += 1) {
      for (const program of ["c", "binding"]) rates[program].push(await flood(cluster, program, bytes, window));
    }
    const [c, binding] = [median(rates.c), median(rates.binding)].map(Math.round);
    console.log(JSON.stringify({ what: "messages per second", bytes, window, c, binding, megabytesPerSecond: Number(((binding * bytes) / 1e6).toFixed(1)), ratio: Number((binding / c).toFixed(2)) }));
  }
  const times = { c: [], binding: [] };
  for (let round = 0; round < rounds; round += 1) for (const program of ["c", "binding"]) times[program].push(await ping(cluster, program));
  for (const [index, what] of ["own delivery", "another node's answer"].entries()) {
    const [c, binding] = ["c", "binding"].map((program) => median(times[program].map((results) => results[index]?.p50Ms ?? NaN)));
    console.log(JSON.stringify({ what: `${what}, p50 ms`, c, binding, ratio: Number((binding / c).toFixed(2)) }));
  }
} finally {
  await cluster.stop();
  rmSync(directory, { recursive: true, force: true });
}
