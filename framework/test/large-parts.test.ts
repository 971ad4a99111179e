/** What is large travels whole: parts of a state, commands, and slices, whatever limits each replica has. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createReplica } from "../src/create-replica.js";
import { defineMachine } from "../src/machine/define-machine.js";
import { Table } from "../src/machine/table.js";
import type { Limits } from "../src/limits.js";
import { MemoryNetwork, memory } from "../src/transport/memory/index.js";

const notes = defineMachine({
  name: "notes",
  version: 1,
  initialState: (): { readonly object: Record<string, string>; readonly table: Table<string, string> } => ({ object: {}, table: new Table() }),
  commands: (command) => ({
    keep: command((draft, { key, text }: { key: string; text: string }) => void (draft.object[key] = text)),
    append: command((draft, { key, text }: { key: string; text: string }) => void draft.table.set(key, (draft.table.get(key) ?? "") + text)),
  }),
});

const mebibyte = 1024 * 1024;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined, debug: () => undefined };
/** A snapshot is needed for everything that was missed. */
const forgetful = { logRetentionBytes: 1, incrementalBytes: 1 };

let directory: string;
let network: MemoryNetwork;
let replicas: { stop(): Promise<void> }[] = [];

async function start(nodeId: number, limits: Partial<Limits>, durability: "memory" | "disk" = "memory") {
  const stored = durability === "disk" ? { durability, directory: join(directory, String(nodeId)) } : {};
  const replica = await createReplica(notes, { group: "notes", transport: memory({ network, nodeId }), logger: silent, limits, ...stored });
  replicas.push(replica);
  return replica;
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lockstep-large-"));
  network = new MemoryNetwork({ nodes: 3 });
});
afterEach(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  replicas = [];
  rmSync(directory, { recursive: true, force: true });
});

/** Three that are ready: the first start needs all. The third has left again. */
async function startTwo(limits: readonly [Partial<Limits>, Partial<Limits>], durability?: "memory" | "disk") {
  const [first, second, third] = await Promise.all([start(1, limits[0], durability), start(2, limits[1], durability), start(3, {}, durability)]);
  await Promise.all([first.ready(), second.ready(), third.ready()]);
  await third.stop();
  return [first, second] as const;
}

describe("a joiner", () => {
  it.each([
    ["an object outside of Tables", "keep", {}],
    ["a value of a Table", "append", {}],
    ["a value of a Table, with the largest slices", "append", { snapshotSliceBytes: 4 * mebibyte }],
  ] as const)("gets a state of several megabytes that are all in %s", async (_, command, limits) => {
    const [first] = await startTwo([{ ...forgetful, ...limits }, { ...forgetful, ...limits }]);
    for (let n = 0; n < 8; n++) await first.submit[command]({ key: command === "keep" ? `${n}` : "one", text: `${n}`.repeat(mebibyte - 1000) });
    const joiner = await start(3, limits);
    await joiner.ready();
    expect(joiner.inspect().totals.transferBytesTaken).toBeGreaterThan(7 * mebibyte);
    expect(joiner.state.object).toEqual(first.state.object);
    expect([...joiner.state.table]).toEqual([...first.state.table]);
  });
});

describe.each(["memory", "disk"] as const)("replicas with different limits, and durability %s", (durability) => {
  it("take the largest command that any of them may send, and catch up with it", async () => {
    const [large, small] = await startTwo([{ commandBytes: 16 * mebibyte }, {}], durability);
    const text = "x".repeat(16 * mebibyte - 100);
    await large.submit.keep({ key: "large", text });
    await small.submit.append({ key: "small", text: "y" });
    expect(small.state.object["large"]?.length).toBe(text.length);
    await expect(small.submit.keep({ key: "large", text })).rejects.toMatchObject({ code: "COMMAND_TOO_LARGE" });
    const joiner = await start(3, { snapshotSliceBytes: 1000, commandBytes: 1000, batchBytes: 1000 }, durability);
    await joiner.ready();
    expect(joiner.state.object["large"]).toBe(text);
    await joiner.submit.append({ key: "small", text: "z" });
    expect(joiner.state.table.get("small")).toBe("yz");
  });
});
