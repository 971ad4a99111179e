/**
 * One replica of the benchmark of large states, in a process of its own on a node of a cluster: fills its state on order, and says how
 * much memory it held and for how long its event loop was held since it was last asked.
 */
import { PerformanceObserver } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { Table, corosync, createReplica, defineMachine } from "@lockstep/framework";
import { HoldMeter } from "./hold-meter.js";

export interface LargeOrder {
  /** measure also forgets what was measured before. */
  readonly kind: "fill" | "write" | "measure" | "stop";
  /** fill: keys. write: single commands. */
  readonly count: number;
}

export interface LargeFigures {
  readonly keys: number;
  readonly position: number;
  /** Resident set now, MB. */
  readonly rssMb: number;
  /** Highest resident set, MB; looked at every 5 ms. */
  readonly peakMb: number;
  /** How late a timer of 1 ms was at worst: nothing else could run meanwhile, or the machine had other work. */
  readonly longestHoldMs: number;
  /** The most CPU that the loop's thread took between two turns of that timer. */
  readonly longestCpuMs: number;
  /** The longest pause for collecting garbage, waiting for a core included. */
  readonly longestGcMs: number;
  /** Taken in from others to catch up, since the process began. */
  readonly transferBytes: number;
  /** From the process's start until it was active with all that the group had. */
  readonly secondsToReady: number;
}

/** Keys of 14 bytes and values of 986. */
const valueBytes = 986;

/** One flat string: a concatenation would share most of its bytes with all the others. */
function value(index: number): string {
  const bytes = Buffer.alloc(valueBytes, "v");
  bytes.write(String(index));
  return bytes.toString("latin1");
}

const machine = defineMachine({
  name: "bench-large",
  version: 1,
  initialState: () => ({ table: new Table<string, string>() }),
  commands: (command) => ({
    fill: command((draft, { from, to }: { from: number; to: number }) => {
      for (let index = from; index < to; index++) draft.table.set(`key-${String(index).padStart(10, "0")}`, value(index));
    }),
    put: command((draft, { key, value }: { key: string; value: string }) => { draft.table.set(key, value); }),
  }),
  queries: { size: (state) => state.table.size },
});

const [group = "bench-large", logRetentionBytes = "1000", directory = ""] = process.argv.slice(2);
let peak = 0;
let longestGcMs = 0;
const holds = new HoldMeter();
new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) longestGcMs = Math.max(longestGcMs, duration); }).observe({ entryTypes: ["gc"] });
setInterval(() => { peak = Math.max(peak, process.memoryUsage.rss()); }, 5).unref();

const replica = await createReplica(machine, {
  group, transport: corosync(), limits: { logRetentionBytes: Number(logRetentionBytes), digestIntervalMs: 0 }, ...(directory === "" ? {} : { durability: "disk", directory }),
});
holds.reset();
await replica.ready({ timeoutMs: 600_000 });
const secondsToReady = performance.now() / 1000;
say(await figures());

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as LargeOrder;
  if (order.kind === "stop") break;
  if (order.kind === "fill") for (let from = 0; from < order.count; from += 200) await replica.submit.fill({ from, to: Math.min(order.count, from + 200) });
  if (order.kind === "write") await write(order.count);
  say(await figures());
}
await replica.stop();
process.stdin.destroy();

/** As many clients at once as fit a few batches. */
async function write(count: number): Promise<void> {
  for (let from = 0; from < count; from += 1_000) {
    await Promise.all(Array.from({ length: Math.min(1_000, count - from) }, (_, index) => replica.submit.put({ key: `w-${from + index}`, value: "w".repeat(86) })));
  }
}

async function figures(): Promise<LargeFigures> {
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  const found = {
    keys: await replica.query.size(), position: replica.inspect().positions.applied, rssMb: process.memoryUsage.rss() / 1e6, peakMb: peak / 1e6,
    longestHoldMs: holds.longestMs, longestCpuMs: holds.longestCpuMs, longestGcMs, transferBytes: replica.inspect().totals.transferBytesTaken, secondsToReady,
  };
  globalThis.gc?.();
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  holds.reset();
  longestGcMs = 0;
  peak = 0;
  return found;
}

function say(message: LargeFigures): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
