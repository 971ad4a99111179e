/** What a command costs by the size of the Table it changes: a replica on memory(), alone, batches of 100 commands. */
import { Table, createReplica, defineMachine, memory, type Replica } from "@lockstep/framework";
import { median, type Report } from "./report.js";

const machine = defineMachine({
  name: "bench-table",
  version: 1,
  initialState: () => ({ table: new Table<string, string>() }),
  commands: (command) => ({
    fill: command((draft, { from, to }: { from: number; to: number }) => {
      for (let index = from; index < to; index++) draft.table.set(keyOf(index), `value-${index}`);
    }),
    set: command((draft, { k, v }: { k: string; v: string }) => {
      draft.table.set(k, v);
    }),
  }),
});

type Bench = Replica<{ readonly table: Table<string, string> }, typeof machine.commands, typeof machine.queries>;

const sizes = [1000, 1_000_000] as const;
const commandsPerRound = 20_000;
const rounds = 7;

function keyOf(index: number): string {
  return `key-${String(index).padStart(9, "0")}`;
}

export async function benchTable(report: Report): Promise<void> {
  const benches: { readonly size: number; readonly replica: Bench; readonly costs: number[] }[] = [];
  for (const size of sizes) benches.push({ size, replica: await filled(size), costs: [] });
  for (let round = 0; round <= rounds; round++) {
    for (const { size, replica, costs } of benches) {
      const cost = await costPerCommand(replica, size);
      if (round > 0) costs.push(cost); // the first one compiles
    }
  }
  const [small, large] = benches.map(({ costs }) => median(costs));
  await Promise.all(benches.map(({ replica }) => replica.stop()));
  if (small === undefined || large === undefined) return;
  const section = "Cost of a command by the size of its Table, one replica";
  report.add({ section, what: "1 000 keys", value: small, unit: "µs of CPU" });
  report.add({ section, what: "1 000 000 keys", value: large, unit: "µs of CPU", against: { what: "1 000 keys", value: small }, ratio: large / small, goal: { atMost: 2 } });
}

async function filled(size: number): Promise<Bench> {
  const replica = await createReplica(machine, { group: `table-${size}`, transport: memory(), logger: silent });
  await replica.ready();
  for (let from = 0; from < size; from += 1000) await replica.submit.fill({ from, to: Math.min(size, from + 1000) });
  return replica;
}

/** Keys all over the table; the CPU time of the whole process, which does nothing else. */
async function costPerCommand(replica: Bench, size: number): Promise<number> {
  const before = process.cpuUsage();
  for (let done = 0; done < commandsPerRound; done += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, index) => replica.submit.set({ k: keyOf(((done + index) * 7919) % size), v: `changed-${done}` })));
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / commandsPerRound;
}

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: (fields: unknown, message: string) => console.error(message, fields) };
