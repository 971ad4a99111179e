/** Looking into a replica's directory: everything is looked at, nothing is changed, and what is damaged is said. */
import { appendFileSync, cpSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openBackend } from "../../src/log/journaled-backend.js";
import { planNewStart } from "../../src/operate/new-start.js";
import { inspectStore } from "../../src/operate/store-report.js";
import { eventually } from "../support/eventually.js";
import { addAll, Bed } from "./bed.js";

let bed: Bed;
beforeEach(() => { bed = new Bed(); });
afterEach(() => bed.end());

async function makeStores(limits = {}): Promise<void> {
  const [one] = await bed.startAll({ limits });
  for (let round = 0; round < 5; round++) await addAll(one, 40, `round ${round}`);
  await one?.backup(bed.path("a.backup"), { by: "ada@desk" });
  if ("snapshotLogBytes" in limits) await eventually(() => (one?.inspect().disk?.base ?? 0) > 0, "a snapshot to be on disk");
  await bed.stopAll();
}

describe("a look into a store", () => {
  it("says whose it is, where its log begins and ends, and what operators did", async () => {
    await makeStores({ snapshotLogBytes: 4_000, snapshotSliceBytes: 1_000 });
    const { identity, format, log, fileBytes } = await inspectStore(bed.path("1"));
    expect(identity).toEqual({ group: "counters", slot: 1, slots: [1, 2, 3], policy: "majority", machine: "counters", version: 1 });
    expect({ format, fileBytes }).toEqual({ format: expect.any(Number) as number, fileBytes: readFileSync(bed.path("1", "data.mdb")).byteLength });
    expect(log?.head).toMatchObject({ lineage: true, replaceState: false, known: [1, 2, 3] });
    expect(log?.snapshot).toMatchObject({ machine: { name: "counters", version: 1 }, position: log?.base.position });
    expect(log?.snapshot?.slices).toBeGreaterThan(1);
    expect((log?.base.position ?? 0) + (log?.entries ?? 0)).toBe(log?.end.position);
    expect(log?.operations).toMatchObject([{ what: "backup", who: "ada@desk" }]);
  });

  it("says how large all of it is, the journal of one that was not closed included", async () => {
    await makeStores();
    const backend = await openBackend(bed.path("1"));
    await backend.commit([{ type: "put", key: "head", value: backend.get("head") ?? new Uint8Array() }]);
    cpSync(bed.path("1"), bed.path("copy"), { recursive: true, filter: (path) => !path.includes("lock-") });
    await backend.close();
    const { fileBytes } = await inspectStore(bed.path("copy"));
    expect(fileBytes).toBe(statSync(bed.path("copy", "data.mdb")).size + statSync(bed.path("copy", "journal")).size);
  });

  it("changes nothing in it", async () => {
    await makeStores();
    const contents = (): Record<string, string> => Object.fromEntries(readdirSync(bed.path("1")).filter((name) => name !== "data.mdb-lock").map((name) => [name, readFileSync(bed.path("1", name)).toString("latin1")]));
    const before = contents();
    await inspectStore(bed.path("1"));
    expect(contents()).toEqual(before);
  });

  it("says what is damaged, and changes nothing then either", async () => {
    await makeStores({ snapshotLogBytes: 4_000 });
    const file = bed.path("1", "data.mdb");
    const good = readFileSync(file);
    // In a value: LMDB does not see it.
    const at = good.indexOf("round 3 7", 0, "latin1");
    expect(at).toBeGreaterThan(0);
    const bad = Buffer.from(good);
    // Old pages may hold it as well.
    for (let next = at; next >= 0; next = bad.indexOf("round 3 7", next + 1, "latin1")) bad[next] = 0x52;
    writeFileSync(file, bad);
    await expect(inspectStore(bed.path("1"))).rejects.toMatchObject({ code: "STORE_DAMAGED", message: expect.stringContaining("checksum") as string });
    expect(readFileSync(file).equals(bad)).toBe(true);
    writeFileSync(file, good.subarray(0, 9_000));
    await expect(inspectStore(bed.path("1"))).rejects.toMatchObject({ code: "STORE_DAMAGED" });
    writeFileSync(file, good);
    expect((await inspectStore(bed.path("1"))).log?.end.position).toBeGreaterThan(0);
  });

  it("does not take for damaged what a replica left that never was part of the group", async () => {
    await bed.start(1);
    await bed.stopAll();
    await expect(inspectStore(bed.path("1"))).rejects.toMatchObject({ code: "OPERATION_REFUSED", message: expect.stringContaining("begins blank") as string });
    await expect(planNewStart(bed.path("1"), undefined)).rejects.toMatchObject({ code: "OPERATION_REFUSED" });
    await bed.startAll();
  });

  it("is refused where a replica runs, or where there is no store: nothing is made there", async () => {
    await bed.start(1);
    await expect(inspectStore(bed.path("1"))).rejects.toMatchObject({ code: "STORE_LOCKED", message: expect.stringMatching(new RegExp(`pid ${process.pid}.*lockstep status --data`)) as string });
    await expect(inspectStore(bed.path("missing"))).rejects.toMatchObject({ code: "OPERATION_REFUSED" });
    mkdirSync(bed.path("empty"));
    await expect(inspectStore(bed.path("empty"))).rejects.toMatchObject({ code: "OPERATION_REFUSED" });
    expect(readdirSync(bed.path("empty"))).toEqual([]);
    appendFileSync(bed.path("empty", "data.mdb"), "not a database, and longer than nothing".repeat(300));
    await expect(inspectStore(bed.path("empty"))).rejects.toMatchObject({ code: "STORE_DAMAGED" });
  });
});
