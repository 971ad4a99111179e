/** Reading a store: all of it, and with turns of the event loop in between where it takes long. */
import { describe, expect, it } from "vitest";
import { zeroBallot } from "../../src/core/ballot.js";
import { createApplier } from "../../src/apply/applier.js";
import { encodeCommands } from "../../src/codec/entry-codec.js";
import { LockstepError } from "../../src/errors.js";
import { genesisHash } from "../../src/log/chain-hash.js";
import { recoverWhole } from "../../src/log/recovery.js";
import type { Recovered, StoredEntry } from "../../src/log/store.js";
import { systemScheduler } from "../../src/scheduler.js";
import { counters } from "../support/test-group.js";

const entry = (position: number): StoredEntry => ({ position, ballot: zeroBallot, hash: genesisHash, record: encodeCommands({ origin: { slot: 1, incarnation: "00000001000000aa" }, n: position, timeMs: 0 }, []) });

function stored(entries: number, snapshot?: Iterable<Uint8Array>): Recovered {
  const head = { ballot: zeroBallot, promised: zeroBallot, lineage: true, replaceState: false, known: [] };
  return { head, base: { position: 0, hash: genesisHash }, snapshot, entries: Array.from({ length: entries }, (_, index) => entry(index + 1)) };
}

/** Each look at the clock is a millisecond later than the one before. */
async function recover(recovered: Recovered): Promise<{ read: Recovered; turns: number }> {
  let [nowMs, turns] = [0, 0];
  const scheduler = { ...systemScheduler, soon: (call: () => void) => {
    turns++;
    return systemScheduler.soon(call);
  } };
  const clock = { monotonicMs: () => nowMs++, wallMs: () => 0 };
  const read = await recoverWhole(recovered, { applier: createApplier(counters() as never), clock, scheduler, limits: { applySliceMs: 10 } });
  return { read, turns };
}

function snapshotSlices(): Uint8Array[] {
  return [...{ [Symbol.iterator]: () => createApplier(counters() as never).capture().slices(1) }];
}

describe("a store that is read", () => {
  it("is read whole, and other work has its turn every few milliseconds", async () => {
    const { read, turns } = await recover(stored(100, snapshotSlices()));
    expect(Array.from(read.entries, ({ position }) => position)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect(turns).toBeGreaterThan(5);
    expect((await recover(stored(3))).turns).toBe(0);
  });

  it("is read at once or not at all: damage at its end is told before anything is begun", async () => {
    function* slices(): Generator<Uint8Array> {
      yield* snapshotSlices().slice(0, -1);
    }
    await expect(recover(stored(1, slices()))).rejects.toMatchObject({ code: "STORE_FOREIGN" });
    const damagedLog = { ...stored(0), *entries() { yield entry(1); throw new LockstepError("STORE_DAMAGED", "a bit has flipped"); } };
    await expect(recover({ ...damagedLog, entries: damagedLog.entries() })).rejects.toMatchObject({ code: "STORE_DAMAGED" });
  });
});
