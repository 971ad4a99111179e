/**
 * One durable replica with a large state, in a process of its own: fills it, measures commits, and says when a snapshot of it is on disk. On
 * a node of a cluster, or alone in a group of one. Speaks lines of JSON.
 */
import { createInterface } from "node:readline";
import { Table, corosync, createReplica, defaultLimits, defineMachine, memory } from "@lockstep/framework";
import { closedLoop, forSeconds } from "./closed-loop.js";

export interface DurableOrder {
  /**
   * fill: so many keys. load: clients for so many seconds. log: commands until the log has grown by the bytes of a whole log, which
   * makes a snapshot due; pad: the same with few commands, quick to apply.
   * loadUntilStored: clients until the log on disk begins with the snapshot that is being written; whenStored: waits for just that.
   */
  readonly kind: "fill" | "load" | "log" | "pad" | "loadUntilStored" | "whenStored" | "stop";
  readonly keys?: number;
  readonly clients?: number;
  readonly seconds?: number;
}

type WorkOrder = DurableOrder & { readonly kind: Exclude<DurableOrder["kind"], "stop"> };

/** Said when the replica is ready. */
export interface DurableReady {
  readonly keys: number;
  /** Entries that were applied to get here. */
  readonly position: number;
}

export const keyBytes = 14;
export const valueBytes = 86;
const value = "v".repeat(valueBytes);
const keyOf = (index: number): string => `key-${String(index).padStart(keyBytes - 4, "0")}`;
const keysOfCommand = 500;
const underWay = 4;
const padBytes = 256 * 1024;

const machine = defineMachine({
  name: "bench-durable",
  version: 1,
  initialState: () => ({ table: new Table<string, string>(), padded: 0 }),
  commands: (command) => ({
    fill: command((draft, { from, to }: { from: number; to: number }) => {
      for (let index = from; index < to; index++) draft.table.set(keyOf(index), String(index).padStart(valueBytes, "v"));
    }),
    /** As fill, by its bytes. */
    putAll: command((draft, { rows }: { rows: readonly (readonly [string, string])[] }) => {
      for (const [key, text] of rows) draft.table.set(key, text);
    }),
    pad: command((draft, { bytes }: { bytes: string }) => { draft.padded += bytes.length; }),
    set: command((draft, { k, v }: { k: string; v: string }) => { draft.table.set(k, v); }),
  }),
  queries: { size: (state) => state.table.size },
});

const [group = "", directory = "", where = "corosync", snapshotLogBytes = String(defaultLimits.snapshotLogBytes)] = process.argv.slice(2);
/** Where the log on disk began when it was last asked for a whole log, and where it begins now. */
let [baseBefore, base] = [0, 0];
let stored: (() => void) | undefined;
const replica = await createReplica(machine, {
  group, transport: where === "alone" ? memory() : corosync(), durability: "disk", directory, limits: { snapshotLogBytes: Number(snapshotLogBytes) },
  provide: { observer: () => ({ stepped: ({ disk }) => { noteBase(disk?.flushed.base ?? 0); }, applied: () => undefined }) },
});
await replica.ready({ timeoutMs: 120_000 });
let keys = await replica.query.size();
say({ keys, position: replica.inspect().positions.applied } satisfies DurableReady);

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as DurableOrder;
  if (order.kind === "stop") break;
  say(await run({ ...order, kind: order.kind }));
}
await replica.stop();
process.stdin.destroy();

async function run({ kind, keys: wanted = 0, clients = 1, seconds = 1 }: WorkOrder): Promise<unknown> {
  switch (kind) {
    case "fill":
      await inTurns(wanted / keysOfCommand, (index) => replica.submit.fill({ from: index * keysOfCommand, to: (index + 1) * keysOfCommand }));
      keys = await replica.query.size();
      return { keys };
    case "load":
      return load(clients, forSeconds(seconds));
    case "log":
      baseBefore = base;
      await inTurns(Math.ceil(Number(snapshotLogBytes) / (keysOfCommand * (keyBytes + valueBytes))), (index) => replica.submit.putAll({ rows: rowsFrom(index * keysOfCommand) }));
      return {};
    case "pad":
      baseBefore = base;
      await inTurns(Math.ceil(Number(snapshotLogBytes) / padBytes), () => replica.submit.pad({ bytes: "p".repeat(padBytes) }));
      return {};
    case "loadUntilStored":
      return load(clients, () => base === baseBefore);
    default: // whenStored
      if (base === baseBefore) await new Promise<void>((resolve) => { stored = resolve; });
      return {};
  }
}

function noteBase(position: number): void {
  base = position;
  if (base !== baseBefore) stored?.();
}

/** Keys all over the state. */
function load(clients: number, goesOn: () => boolean): Promise<unknown> {
  return closedLoop(clients, goesOn, (_, count) => replica.submit.set({ k: keyOf((count * 7919) % keys), v: value }));
}

function rowsFrom(first: number): readonly (readonly [string, string])[] {
  return Array.from({ length: keysOfCommand }, (_, index) => [keyOf((first + index) % keys), value] as const);
}

async function inTurns(count: number, ask: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: underWay }, async () => { while (next < count) await ask(next++); }));
}

function say(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
