/** The store of a replica on its journal and its database: an entry may be in either, or on its way. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeCommand, encodeCommands } from "../../src/codec/entry-codec.js";
import { chainHash, genesisHash } from "../../src/log/chain-hash.js";
import { openBackend } from "../../src/log/journaled-backend.js";
import { openLogStore } from "../../src/log/log-store.js";
import type { LogPoint } from "../../src/log/log.js";
import type { Store, StoreHead, StoredEntry } from "../../src/log/store.js";

const ballot = { era: 0, ringSeq: 8n, ringNode: 1, k: 1, attempt: 0 };
const head: StoreHead = { ballot, promised: ballot, lineage: true, replaceState: false, known: [1] };
const identity = { group: "g", slot: 1, machine: "m", version: 1, slots: [1, 2, 3], policy: "majority" };

let scratch: string;
beforeEach(() => { scratch = mkdtempSync(join(tmpdir(), "lockstep-log-")); });
afterEach(() => { rmSync(scratch, { recursive: true, force: true }); });

function makeLog(count: number): StoredEntry[] {
  let hash = genesisHash;
  return Array.from({ length: count }, (_, index) => {
    const record = encodeCommands({ origin: { slot: 1, incarnation: "00000001000000aa" }, n: index + 1, timeMs: index }, [encodeCommand({ name: "set", input: String(index).repeat(20_000).slice(0, 50_000) })]);
    hash = chainHash(hash, ballot, record.bytes);
    return { ballot, record, hash, position: index + 1 };
  });
}

async function putBase(store: Store, point: LogPoint): Promise<void> {
  const snapshot = store.beginSnapshot(point);
  await snapshot.write(Buffer.from(`the state of ${point.position}`));
  await snapshot.finish();
  await store.write({ base: point, entries: [], head });
}

describe("the log on disk", () => {
  it("gives all entries between two points, those that are in the journal only as well, also after a loss of power", async () => {
    const log = makeLog(200);
    const pointOf = (position: number): LogPoint => ({ position, hash: log[position - 1]?.hash ?? genesisHash });
    const given = (store: Store, from: number, to: number): number[] => Array.from(store.entriesBetween(pointOf(from), pointOf(to))?.entries ?? [], ({ hash }) => log.findIndex((entry) => entry.hash === hash) + 1);
    const check = (store: Store, when: string): void => {
      for (const [from, to] of [[0, 200], [20, 200], [30, 40], [120, 150], [150, 180], [199, 200]] as const) {
        expect(given(store, from, to), `${from} to ${to}, ${when}`).toEqual(Array.from({ length: to - from }, (_, index) => from + index + 1));
      }
    };
    const directory = join(scratch, "store");
    const backend = await openBackend(directory);
    const store = openLogStore(backend, identity);
    store.recover();
    // 10 MB: the first half of the journal, at least, went into the database meanwhile.
    for (const entry of log) {
      await store.write({ entries: [entry], head });
      if (entry.position === 30) await putBase(store, pointOf(30));
    }
    check(store, "as they were written");
    // What is written back is in the same queue: its changes, then what says so.
    for (let turn = 0; turn < 2; turn++) await backend.commit([], "apart");
    cpSync(directory, join(scratch, "lost"), { recursive: true, filter: (path) => !path.includes("/lock-") });
    await store.close();
    for (const [where, when] of [[join(scratch, "lost"), "after a loss of power"], [directory, "closed and opened"]] as const) {
      const again = openLogStore(await openBackend(where), identity);
      expect(Array.from(again.recover()?.entries ?? [])).toHaveLength(170);
      check(again, when);
      await again.close();
    }
  });
});
