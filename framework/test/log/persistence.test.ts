/** Writing down what the core wants: what the disk does not take is tried again, what cannot be written at all ends the replica. */
import { describe, expect, it } from "vitest";
import { zeroBallot } from "../../src/core/ballot.js";
import type { CoreEvent } from "../../src/core/events.js";
import { createApplier } from "../../src/apply/applier.js";
import { LockstepError } from "../../src/errors.js";
import { defaultLimits, type Limits } from "../../src/limits.js";
import { genesisHash } from "../../src/log/chain-hash.js";
import { Persistence } from "../../src/log/persistence.js";
import type { Store, StoreWrite } from "../../src/log/store.js";
import { systemScheduler } from "../../src/scheduler.js";
import { eventually } from "../support/eventually.js";
import { counters } from "../support/test-group.js";

const change: StoreWrite = { entries: [], head: { ballot: zeroBallot, promised: zeroBallot, lineage: false, replaceState: false, known: [] } };
const point = { position: 0, hash: genesisHash };

/** @param attempt What becomes of each attempt, counted from 1, to write anything. */
function bed(attempt: (count: number, what: "log" | "snapshot") => void, limits: Partial<Limits> = {}, entriesBetween: Store["entriesBetween"] = () => undefined) {
  let attempts = 0;
  const told: CoreEvent[] = [];
  const failures: Error[] = [];
  const errors: string[] = [];
  const tried = async (what: "log" | "snapshot"): Promise<void> => {
    attempts++;
    attempt(attempts, what);
  };
  const store: Store = {
    recover: () => undefined, entriesBetween, write: () => tried("log"), close: async () => undefined,
    beginSnapshot: () => ({ write: () => tried("snapshot"), finish: async () => undefined, abort: async () => undefined }),
  };
  const persistence = new Persistence({
    store, limits: { ...defaultLimits, ...limits }, scheduler: systemScheduler, applier: createApplier(counters() as never),
    logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: (_fields, message) => errors.push(message ?? "") },
    tellCore: (event) => told.push(event), failed: (error) => failures.push(error),
  });
  return { persistence, told, failures, errors, attempts: () => attempts };
}

function full(): never {
  throw new LockstepError("STORE_FAILED", "there is no room");
}

describe("what the core wants on disk", () => {
  it("is tried again until the disk takes it, and told of then", async () => {
    const { persistence, told, failures, errors } = bed((count) => { if (count < 3) full(); });
    persistence.write(7, change);
    await eventually(() => errors.length > 0, "the trouble to be said");
    expect(persistence.trouble).toBe("there is no room");
    await eventually(() => told.some(({ type }) => type === "persisted"), "the write to be done");
    expect(told).toEqual([{ type: "diskTrouble", failing: true }, { type: "diskTrouble", failing: false }, { type: "persisted", token: 7 }]);
    expect([persistence.trouble, failures, errors.length]).toEqual([undefined, [], 1]);
  });

  it.each(["INVARIANT_VIOLATED", "STORE_DAMAGED"] as const)("ends the replica with %s: trying again does not help", async (code) => {
    const { persistence, told, failures, attempts } = bed(() => { throw new LockstepError(code, "never"); });
    persistence.write(1, change);
    await eventually(() => failures.length > 0, "the replica to be told");
    expect(failures).toMatchObject([{ code }]);
    expect([told, attempts()]).toEqual([[], 1]);
  });

  it("is a snapshot that begins again from its first slice after a failure", async () => {
    const { persistence, told, attempts } = bed((count) => { if (count === 1) full(); });
    persistence.storeSnapshot(point);
    await eventually(() => told.some(({ type }) => type === "snapshotStored"), "the snapshot to be stored");
    expect(told.at(-1)).toEqual({ type: "snapshotStored", point });
    expect(attempts()).toBeGreaterThan(1);
  });

  it("is troubled by a snapshot that nothing waits for only in words: what is acknowledged does not need it", async () => {
    let room = false;
    const { persistence, told, errors } = bed(() => { if (!room) full(); }, { snapshotLogBytes: 10 });
    persistence.applied(10, () => genesisHash);
    await eventually(() => errors.length > 0, "the trouble to be said");
    expect([persistence.trouble, persistence.snapshotTrouble, told]).toEqual([undefined, "there is no room", []]);
    room = true;
    await eventually(() => told.length > 0, "the snapshot to be stored");
    expect([persistence.snapshotTrouble, told]).toEqual([undefined, [{ type: "snapshotStored", point }]]);
  });

  it("is troubled by a snapshot that the log waits for until that is written, whatever else the disk takes", async () => {
    let room = false;
    const { persistence, told } = bed((_, what) => { if (what === "snapshot" && !room) full(); });
    persistence.storeSnapshot(point);
    await eventually(() => persistence.trouble !== undefined, "the trouble to be told");
    persistence.write(1, change);
    await eventually(() => told.length > 1, "a write to be done");
    expect([persistence.trouble, persistence.snapshotTrouble, told]).toEqual(["there is no room", undefined, [{ type: "diskTrouble", failing: true }, { type: "persisted", token: 1 }]]);
    room = true;
    await eventually(() => told.some(({ type }) => type === "snapshotStored"), "the snapshot to be stored");
    expect(told.slice(2)).toEqual([{ type: "diskTrouble", failing: false }, { type: "snapshotStored", point }]);
  });

  it("is the newest of two snapshots: nobody hears of the one that it replaced", async () => {
    const { persistence, told } = bed((count) => { if (count === 1) full(); });
    persistence.storeSnapshot(point);
    persistence.storeSnapshot({ ...point, hash: "1".repeat(32) });
    await eventually(() => told.some(({ type }) => type === "snapshotStored"), "the second to be stored");
    expect(told.filter(({ type }) => type === "snapshotStored")).toEqual([{ type: "snapshotStored", point: { ...point, hash: "1".repeat(32) } }]);
  });

  it("is a snapshot after a while also where little is applied", async () => {
    const { persistence, told } = bed(() => undefined, { snapshotIntervalMs: 20 });
    persistence.applied(1, () => genesisHash);
    await eventually(() => told.length > 0, "the snapshot to be stored");
    expect(told).toEqual([{ type: "snapshotStored", point }]);
  });

  it("is not given to others where it cannot be read any more: that is said, and nothing else is disturbed", () => {
    for (const code of ["STORE_DAMAGED", "STORE_FAILED"] as const) {
      const { persistence, errors, failures } = bed(() => undefined, {}, () => { throw new LockstepError(code, "a bit has flipped"); });
      expect(persistence.entriesBetween(point, point)).toBeUndefined();
      expect([errors.length, failures]).toEqual([1, []]);
    }
    const { persistence } = bed(() => undefined, {}, () => { throw new LockstepError("INVARIANT_VIOLATED", "a mistake"); });
    expect(() => persistence.entriesBetween(point, point)).toThrow("a mistake");
  });

  it("is given up when the replica closes", async () => {
    const { persistence, told, attempts } = bed(full);
    persistence.write(1, change);
    await eventually(() => attempts() === 1, "the first attempt");
    await persistence.close();
    expect(told).toEqual([{ type: "diskTrouble", failing: true }]);
  });
});
