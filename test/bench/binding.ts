/**
 * The binding against C on raw libcpg: the same sizes, the same window, alternating runs on one cluster. On one node, whose daemon and client
 * have a core each, as on a host; and on three, whose six processes share the machine's cores, so that there is a queue for these.
 */
import type { Cluster } from "../cluster/cluster.js";
import { Floor } from "./floor.js";
import { median, type Report } from "./report.js";

/** [bytes, window of each sender]: about as much under way as keeps the ring busy, and for small messages also less, where each turn counts. */
const floods = [[64, 128], [64, 1024], [1600, 64], [8192, 32], [50_000, 8]] as const;
// Many short ones: a single round of either program is up to a fifth off its median.
const seconds = 2;
const rounds = 11;

export async function benchBinding(cluster: Cluster, report: Report): Promise<void> {
  using floor = new Floor(cluster);
  const nodes = cluster.nodeIds.length;
  const section = `Binding against C on libcpg: ${nodes === 1 ? "one node" : `${String(nodes)} nodes on one machine, all sending`}`;
  for (const [bytes, window] of floods) {
    const rates = { c: [] as number[], binding: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      for (const program of ["c", "binding"] as const) rates[program].push(await floor.flood(program, bytes, window, seconds));
    }
    const [c, binding] = [median(rates.c), median(rates.binding)];
    const ratios = rates.binding.map((rate, round) => rate / (rates.c[round] ?? Number.NaN));
    report.add({ section, what: `${bytes} B, window ${window} (${((binding * bytes) / 1e6).toFixed(1)} MB/s)`, value: binding, unit: "messages/s", against: { what: "C", value: c }, ratio: binding / c, spread: { min: Math.min(...ratios), max: Math.max(...ratios) }, goal: { atLeast: 0.9 } });
  }
}
