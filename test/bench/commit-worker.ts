/**
 * One replica of the commit benchmark, on one node. Speaks lines of JSON: says when it is ready, runs what it is told, says what
 * it measured.
 */
import { createInterface } from "node:readline";
import type { Limits } from "@lockstep/framework";
import { Table, corosync, createReplica, defineMachine } from "@lockstep/framework";

export interface Order {
  readonly kind: "throughput" | "latency" | "stop";
  readonly seconds: number;
  /** Submissions waiting at any time. */
  readonly clients: number;
}

export interface Measured {
  readonly commands: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of this process over the run, as a share of one core. */
  readonly cpu: number;
  readonly rssMb: number;
}

const keys = 10_000;
/** What makes one encoded command 100 bytes long: name, key and framing take the rest. */
const value = "v".repeat(72);

const store = defineMachine({
  name: "bench",
  version: 1,
  initialState: () => ({ table: new Table<string, string>() }),
  commands: (command) => ({
    set: command((draft, { k, v }: { k: string; v: string }) => {
      draft.table.set(k, v);
    }),
  }),
});

const [group = "bench", limits = "{}"] = process.argv.slice(2);
const replica = await createReplica(store, { group, transport: corosync(), limits: JSON.parse(limits) as Partial<Limits> });
await replica.ready({ timeoutMs: 30_000 });
say({ ready: true });

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  if (order.kind === "stop") break;
  say(await run(order));
}
await replica.stop();
process.stdin.destroy();

async function run({ seconds, clients }: Order): Promise<Measured> {
  const latencies: number[] = [];
  const start = performance.now();
  const end = start + seconds * 1000;
  const cpu = process.cpuUsage();
  await Promise.all(Array.from({ length: clients }, async (_, client) => {
    for (let index = client; performance.now() < end; index += clients) {
      const sent = performance.now();
      await replica.submit.set({ k: `key-${index % keys}`, v: value });
      latencies.push(performance.now() - sent);
    }
  }));
  const elapsed = (performance.now() - start) / 1000;
  const used = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return { commands: latencies.length, seconds: elapsed, p50Ms: at(0.5), p99Ms: at(0.99), cpu: (used.user + used.system) / 1e6 / elapsed, rssMb: process.memoryUsage().rss / 1e6 };
}

function say(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
