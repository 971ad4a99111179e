/** A new start from one replica: what it held is there, nothing else is mixed in, and it is never done by the way. */
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compareBallots } from "../../src/core/ballot.js";
import { planNewStart, startAnew } from "../../src/operate/new-start.js";
import { inspectStore } from "../../src/operate/store-report.js";
import { eventually } from "../support/eventually.js";
import { addAll, Bed, valuesOf } from "./bed.js";

let bed: Bed;
beforeEach(() => { bed = new Bed(); });
afterEach(() => bed.end());

/** A group with something in it; then two of its disks are lost. Returns what the third one's state was. */
async function loseMajority(): Promise<[string, number][]> {
  const [one, , three] = await bed.startAll();
  await addAll(one, 30);
  await three?.query.total("x", { consistency: "linearizable" });
  const values = valuesOf(three);
  await bed.stopAll();
  for (const lost of ["1", "2"]) rmSync(bed.path(lost), { recursive: true });
  return values;
}

describe("a new start", () => {
  it("goes on with what one replica held, when all slots are there", async () => {
    const values = await loseMajority();
    await startAnew(bed.path("3"), undefined, "ada@desk", 1_000_000);
    const three = await bed.start(3);
    const two = await bed.start(2);
    await eventually(() => three.role === "minority", "the first two to wait");
    const one = await bed.start(1);
    await Promise.all([one, two, three].map((replica) => replica.ready()));
    for (const replica of [one, two, three]) {
      await replica.query.total("x", { consistency: "linearizable" });
      expect(valuesOf(replica)).toEqual(values);
      expect(replica.inspect().operations).toMatchObject([{ what: "new start", who: "ada@desk", atMs: 1_000_000, details: expect.stringMatching(/^from slot 3, after position \d+$/) as string }]);
    }
    expect(await one.submit.add({ key: "key 0", by: 1 })).toBe(2);
  });

  it("with this slot alone goes on at once", async () => {
    const values = await loseMajority();
    await startAnew(bed.path("3"), [3], "ada@desk", 1_000_000);
    await expect(bed.start(3)).rejects.toMatchObject({ code: "STORE_FOREIGN", message: expect.stringContaining("slots 3") as string });
    const alone = await bed.start(3, { slots: [3] });
    await alone.ready();
    expect(valuesOf(alone)).toEqual(values);
    expect(await alone.submit.add({ key: "key 0", by: 1 })).toBe(2);
    expect(alone.inspect().operations.at(-1)?.details).toContain("slots 3 instead of 1, 2, 3");
  });

  it("stops a replica of the time before that comes back, which keeps what it has", async () => {
    const [one] = await bed.startAll();
    await addAll(one, 30);
    await bed.stopAll();
    for (const slot of ["1", "2"]) cpSync(bed.path(slot), bed.path(`old-${slot}`), { recursive: true });
    for (const lost of ["1", "2"]) rmSync(bed.path(lost), { recursive: true });
    await startAnew(bed.path("3"), undefined, "ada", 1);
    const [first, second, third] = await bed.startAll();
    await addAll(third, 5, "new");
    await first?.stop();
    const held = await inspectStore(bed.path("old-1"));
    const back = await bed.start(1, { directory: bed.path("old-1") });
    expect(await back.stopped).toMatchObject({ code: "DIVERGED", message: expect.stringContaining("of the time before") as string });
    const after = await inspectStore(bed.path("old-1"));
    expect(after.log?.end).toEqual(held.log?.end);
    expect(after.log?.head.ballot).toEqual(held.log?.head.ballot);
    // Together with another one, where the new group has no majority: nobody goes on, and those of the time before stop.
    await second?.stop();
    const [again, other] = [await bed.start(1, { directory: bed.path("old-1") }), await bed.start(2, { directory: bed.path("old-2") })];
    expect(await again.stopped).toMatchObject({ code: "DIVERGED" });
    expect(await other.stopped).toMatchObject({ code: "DIVERGED" });
    await eventually(() => third?.role === "minority", "the one of the new group to wait for its others");
  });

  it("of two replicas, from different places, does not join them", async () => {
    const [one, two, three] = await bed.startAll();
    await addAll(one, 10);
    await three?.stop();
    await addAll(one, 10, "later");
    await two?.stop();
    await bed.stopAll();
    await startAnew(bed.path("1"), undefined, "ada", 1);
    await startAnew(bed.path("3"), undefined, "bob", 1);
    const replicas = [await bed.start(1), await bed.start(3)];
    expect(await Promise.race(replicas.map((replica) => replica.stopped))).toMatchObject({ code: "DIVERGED" });
  });

  it("can be planned: that changes nothing", async () => {
    await loseMajority();
    const file = bed.path("3", "data.mdb");
    const before = readFileSync(file);
    const plan = await planNewStart(bed.path("3"), [3, 4]);
    expect(plan.identity).toMatchObject({ slot: 3, slots: [3, 4], group: "counters" });
    expect(compareBallots(plan.ballot, plan.log.head.promised)).toBeGreaterThan(0);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it("is refused where there is nothing to start from, or the slot is not among the new ones, or somebody runs there", async () => {
    await loseMajority();
    await expect(startAnew(bed.path("3"), [1, 2], "ada", 1)).rejects.toMatchObject({ code: "OPERATION_REFUSED", message: expect.stringContaining("slot 3") as string });
    await expect(startAnew(bed.path("1"), undefined, "ada", 1)).rejects.toMatchObject({ code: "OPERATION_REFUSED", message: expect.stringContaining("no store") as string });
    expect(existsSync(bed.path("1"))).toBe(false);
    await bed.start(2);
    await expect(startAnew(bed.path("2"), undefined, "ada", 1)).rejects.toMatchObject({ code: "STORE_LOCKED", message: expect.stringContaining("lockstep status") as string });
  });
});
