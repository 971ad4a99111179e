/**
 * The store of one replica, as records over a database that makes atomic changes: log, head, snapshots.
 *
 *   identity                          whose it is
 *   head                              ballot, promise, …, and where the log ends
 *   base                              where the log begins
 *   log/POSITION                      an entry
 *   snapshot/NUMBER/end               a snapshot of the state is whole
 *   snapshot/NUMBER/slice/INDEX       a part of it
 */
import { LockstepError, invariant } from "../errors.js";
import { chainHash, contentHash, genesisHash } from "./chain-hash.js";
import type { LogEntry, LogPoint } from "./log.js";
import type { Backend, Change, Recovered, SnapshotWriter, Store, StoreIdentity, StoreWrite } from "./store.js";
import {
  damaged, decodeBase, decodeEntry, decodeHead, decodeIdentity, decodeSlice, decodeSnapshot, encodeBase, encodeEntry, encodeHead, encodeIdentity, encodeSlice,
  encodeSnapshot, type BaseRecord,
} from "./store-codec.js";

const digits = 16;
const genesis: LogPoint = { position: 0, hash: genesisHash };
/** Above every character of a key: the end of a range. */
const past = "~";

function padded(number: number): string {
  return String(number).padStart(digits, "0");
}

const keys = {
  identity: "identity",
  head: "head",
  base: "base",
  entry: (position: number): string => `log/${padded(position)}`,
  snapshot: (number: number): string => `snapshot/${padded(number)}/`,
  snapshotEnd: (number: number): string => `${keys.snapshot(number)}end`,
  slice: (number: number, index: number): string => `${keys.snapshot(number)}slice/${padded(index)}`,
} as const;

export function openLogStore(backend: Backend, identity: StoreIdentity): Store {
  return new LogStore(backend, identity);
}

class LogStore implements Store {
  readonly #backend: Backend;
  readonly #identity: StoreIdentity;
  /** Snapshot 0: the genesis, of which there is none. */
  #base: BaseRecord = { point: genesis, snapshot: 0 };
  #end = genesis;
  /** That of a write under way; or of one that failed, and is tried again. */
  #nextBase: BaseRecord | undefined;
  /** The newest snapshot that is whole. */
  #finished: BaseRecord | undefined;
  #lastSnapshot = 0;
  #recovered = false;
  #writing = false;
  #snapshotting = false;

  constructor(backend: Backend, identity: StoreIdentity) {
    this.#backend = backend;
    this.#identity = identity;
  }

  recover(): Recovered | undefined {
    invariant(!this.#recovered, "a store is recovered once");
    this.#checkIdentity();
    this.#recovered = true;
    const headRecord = this.#backend.get(keys.head);
    const baseRecord = this.#backend.get(keys.base);
    if (headRecord === undefined) {
      // Only a snapshot may have been begun: the log, its base and the head come together.
      if (baseRecord === undefined && !this.#holdsEntries()) return undefined;
      return damaged("it has a log, and no head");
    }
    const { head, end } = decodeHead(keys.head, headRecord);
    if (baseRecord !== undefined) this.#base = decodeBase(keys.base, baseRecord);
    this.#end = end;
    const { point, snapshot } = this.#base;
    this.#lastSnapshot = snapshot;
    return { head, base: point, snapshot: snapshot === 0 ? undefined : this.#slices(this.#base), entries: this.#entries(point, end) };
  }

  #holdsEntries(): boolean {
    for (const { key } of this.#backend.range("log/", `log/${past}`)) if (key !== "") return true;
    return false;
  }

  #checkIdentity(): void {
    const record = this.#backend.get(keys.identity);
    if (record === undefined) {
      for (const { key } of this.#backend.range("", "~")) return damaged(`it has ${key}, and does not say whose it is`);
      return;
    }
    const { group, slot, machine, slots, policy } = decodeIdentity(keys.identity, record);
    const own = this.#identity;
    const differences = [
      group === own.group ? "" : `of group ${JSON.stringify(group)}, not ${JSON.stringify(own.group)}`,
      slot === own.slot ? "" : `of node ${slot}, not ${own.slot}`,
      machine === own.machine ? "" : `of machine ${JSON.stringify(machine)}, not ${JSON.stringify(own.machine)}`,
    ].filter((difference) => difference !== "");
    const agreed = [
      slots.join() === own.slots.join() ? "" : `slots ${slots.join(", ")}, not ${own.slots.join(", ")}`,
      policy === own.policy ? "" : `quorum policy ${policy}, not ${own.policy}`,
    ].filter((difference) => difference !== "");
    if (differences.length === 0 && agreed.length > 0) {
      throw new LockstepError("STORE_FOREIGN", `What is in the store was agreed with ${agreed.join(" and ")}. Start with what it was agreed with: under another rule acknowledged commands could be lost.`);
    }
    if (differences.length > 0) throw new LockstepError("STORE_FOREIGN", `The store is ${differences.join(", ")}. Give this replica a directory of its own.`);
  }

  /** @throws LockstepError STORE_DAMAGED, also while it is iterated over. */
  #slices({ point, snapshot }: BaseRecord): Iterable<Uint8Array> {
    const key = keys.snapshotEnd(snapshot);
    const { slices, digest, point: of } = decodeSnapshot(key, this.#backend.get(key) ?? damaged(`the state of position ${point.position} is missing`));
    if (of.position !== point.position || of.hash !== point.hash) return damaged(`the state of position ${point.position} is of another log`);
    return this.#readSlices(snapshot, slices, digest);
  }

  *#readSlices(snapshot: number, count: number, digest: string): Generator<Uint8Array> {
    const hashes: string[] = [];
    for (let index = 0; index < count; index++) {
      const key = keys.slice(snapshot, index);
      const slice = decodeSlice(key, this.#backend.get(key) ?? damaged(`${key} is missing`));
      hashes.push(contentHash(slice));
      yield slice;
    }
    if (digestOf(hashes) !== digest) damaged(`snapshot ${snapshot} is not what was written`);
  }

  *#entries(base: LogPoint, end: LogPoint): Generator<LogEntry & { readonly position: number }> {
    let { position, hash } = base;
    for (const { key, value } of this.#backend.range(keys.entry(base.position + 1), `log/${past}`)) {
      position++;
      if (key !== keys.entry(position)) damaged(`the entry of position ${position} is missing`);
      const entry = decodeEntry(key, value);
      hash = chainHash(hash, entry.ballot, entry.record.bytes);
      if (hash !== entry.hash) damaged(`the entry of position ${position} does not follow the one before it`);
      yield { ...entry, position };
    }
    if (position !== end.position || hash !== end.hash) damaged(`the log ends at position ${position} instead of ${end.position}`);
  }

  async write(change: StoreWrite): Promise<void> {
    invariant(this.#recovered && !this.#writing, "a store is recovered first, and writes one change at a time");
    const { base, end, changes } = this.#plan(change);
    this.#writing = true;
    this.#nextBase = base;
    try {
      await this.#backend.commit(changes);
      this.#base = base;
      this.#end = end;
      this.#nextBase = undefined;
    } finally {
      this.#writing = false;
    }
  }

  #plan({ cutAfter, base: newBase, entries, head }: StoreWrite): { base: BaseRecord; end: LogPoint; changes: Change[] } {
    const changes: Change[] = [put(keys.identity, encodeIdentity(keys.identity, this.#identity))];
    const base = newBase === undefined ? this.#base : this.#wholeSnapshot(newBase);
    const kept = Math.min(this.#end.position, cutAfter ?? Number.POSITIVE_INFINITY);
    if (kept < this.#end.position) changes.push({ type: "removeRange", from: keys.entry(kept + 1), to: `log/${past}` });
    if (newBase !== undefined) {
      changes.push({ type: "removeRange", from: "log/", to: keys.entry(newBase.position + 1) }, ...removeSnapshots([base, this.#finished, { snapshot: this.#lastSnapshot }]), put(keys.base, encodeBase(keys.base, base)));
      invariant(kept <= newBase.position || this.#pointAt(newBase.position).hash === newBase.hash, "the log that is kept follows the state that it shall begin with");
    }
    // What was kept at the base's own position may be another log's.
    let end = kept <= base.point.position ? base.point : this.#pointAt(kept);
    for (const entry of entries) {
      invariant(entry.position === end.position + 1, `entry ${entry.position} follows ${end.position}`);
      changes.push(put(keys.entry(entry.position), encodeEntry(keys.entry(entry.position), entry)));
      end = { position: entry.position, hash: entry.hash };
    }
    changes.push(put(keys.head, encodeHead(keys.head, { head, end })));
    return { base, end, changes };
  }

  #wholeSnapshot({ position, hash }: LogPoint): BaseRecord {
    const whole = [this.#finished, this.#nextBase].find((snapshot) => snapshot?.point.position === position && snapshot.point.hash === hash);
    invariant(whole !== undefined, "a log begins with a snapshot that is whole");
    return whole;
  }

  #pointAt(position: number): LogPoint {
    if (position === this.#end.position) return this.#end;
    if (position === this.#base.point.position) return this.#base.point;
    const key = keys.entry(position);
    return { position, hash: decodeEntry(key, this.#backend.get(key) ?? damaged(`${key} is missing`)).hash };
  }

  beginSnapshot(point: LogPoint): SnapshotWriter {
    invariant(this.#recovered && !this.#snapshotting, "a store is recovered first, and writes one snapshot at a time");
    this.#snapshotting = true;
    this.#lastSnapshot++;
    const number = this.#lastSnapshot;
    const hashes: string[] = [];
    // What earlier attempts left gives way to the first record.
    const opening = (): Change[] => hashes.length > 0 ? [] : [put(keys.identity, encodeIdentity(keys.identity, this.#identity)), ...this.#removeUnused()];
    return {
      write: (slice) => {
        const key = keys.slice(number, hashes.length);
        const changes = [...opening(), put(key, encodeSlice(key, slice))];
        hashes.push(contentHash(slice));
        return this.#backend.commit(changes);
      },
      finish: async () => {
        const key = keys.snapshotEnd(number);
        await this.#backend.commit([...opening(), put(key, encodeSnapshot(key, { point, slices: hashes.length, digest: digestOf(hashes) }))]);
        this.#snapshotting = false;
        this.#finished = { point, snapshot: number };
      },
      abort: async () => {
        this.#snapshotting = false;
        await this.#backend.commit(this.#removeUnused());
      },
    };
  }

  #removeUnused(): Change[] {
    return removeSnapshots([this.#base, this.#nextBase, this.#finished]);
  }

  close(): Promise<void> {
    return this.#backend.close();
  }
}

/** Removes all snapshots but these. */
function removeSnapshots(but: readonly (Pick<BaseRecord, "snapshot"> | undefined)[]): Change[] {
  const changes: Change[] = [];
  let from = "snapshot/";
  for (const number of Array.from(new Set(but.flatMap((kept) => kept?.snapshot ?? []))).sort((a, b) => a - b)) {
    changes.push({ type: "removeRange", from, to: keys.snapshot(number) });
    from = `${keys.snapshot(number)}${past}`;
  }
  return [...changes, { type: "removeRange", from, to: `snapshot/${past}` }];
}

function put(key: string, value: Uint8Array): Change {
  return { type: "put", key, value };
}

function digestOf(hashes: readonly string[]): string {
  return contentHash(Buffer.from(hashes.join("")));
}
