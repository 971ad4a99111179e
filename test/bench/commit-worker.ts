/**
 * One replica of the commit benchmark, on one node. Speaks lines of JSON: says when it is ready, runs what it is told, says what
 * it measured.
 */
import { createInterface } from "node:readline";
import type { Limits } from "@lockstep/framework";
import { Table, corosync, createReplica, defineMachine } from "@lockstep/framework";
import { closedLoop, forSeconds } from "./closed-loop.js";

export interface Order {
  readonly kind: "throughput" | "latency" | "stop";
  readonly seconds: number;
  /** Submissions waiting at any time. */
  readonly clients: number;
}

const keys = 10_000;
/** Makes one encoded command 100 bytes long: name, key and framing take the rest. */
const valueBytesOfCommand = 72;

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

/** A directory: for durability "disk". */
const [group = "bench", limits = "{}", directory = "", valueBytes = String(valueBytesOfCommand)] = process.argv.slice(2);
const value = "v".repeat(Number(valueBytes));
const durability = directory === "" ? {} : { durability: "disk", directory } as const;
const replica = await createReplica(store, { group, transport: corosync(), limits: JSON.parse(limits) as Partial<Limits>, ...durability });
await replica.ready({ timeoutMs: 30_000 });
say({ ready: true });

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  if (order.kind === "stop") break;
  say(await closedLoop(order.clients, forSeconds(order.seconds), (_, count) => replica.submit.set({ k: `key-${count % keys}`, v: value })));
}
await replica.stop();
process.stdin.destroy();

function say(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
