/**
 * One replica of the memory benchmark, in a process of its own on a node of a cluster: fills its state on order, and says how much
 * memory it holds, now and at its peak since last asked.
 */
import { createInterface } from "node:readline";
import { Table, corosync, createReplica, defineMachine } from "@lockstep/framework";

export interface MemoryOrder {
  readonly kind: "fill" | "measure" | "stop";
  readonly keys: number;
}

export interface MemoryFigures {
  readonly keys: number;
  /** Resident set after a full garbage collection, MB. */
  readonly rssMb: number;
  /** Highest resident set since the last order, or since the process began, MB; looked at every 5 ms. */
  readonly peakMb: number;
}

const machine = defineMachine({
  name: "bench-memory",
  version: 1,
  initialState: () => ({ table: new Table<string, string>() }),
  commands: (command) => ({
    /** Keys of 14 bytes and values of 86. */
    fill: command((draft, { from, to }: { from: number; to: number }) => {
      for (let index = from; index < to; index++) draft.table.set(`key-${String(index).padStart(10, "0")}`, String(index).padStart(86, "v"));
    }),
  }),
  queries: { size: (state) => state.table.size },
});

const [group = "bench-memory"] = process.argv.slice(2);
let peak = 0;
const look = (): void => { peak = Math.max(peak, process.memoryUsage.rss()); };
// From the beginning: what a joiner takes over is there before it is ready.
setInterval(look, 5).unref();
const replica = await createReplica(machine, { group, transport: corosync(), limits: { logRetentionBytes: 1_000_000 } });
await replica.ready({ timeoutMs: 60_000 });
say(await figures());

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as MemoryOrder;
  if (order.kind === "stop") break;
  if (order.kind === "fill") for (let from = 0; from < order.keys; from += 500) await replica.submit.fill({ from, to: from + 500 });
  say(await figures());
}
await replica.stop();
process.stdin.destroy();

async function figures(): Promise<MemoryFigures> {
  look();
  const peakMb = peak / 1e6;
  globalThis.gc?.();
  await new Promise((resolve) => { setImmediate(resolve); });
  globalThis.gc?.();
  peak = 0;
  return { keys: await replica.query.size(), rssMb: process.memoryUsage.rss() / 1e6, peakMb };
}

function say(message: MemoryFigures): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
