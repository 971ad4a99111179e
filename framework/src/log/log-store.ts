/**
 * The store of one replica, as records over a database that makes atomic changes: log, head, snapshots.
 *
 *   identity                          whose it is
 *   unfinished                        a restore has begun, and its log is not there yet
 *   head                              ballot, promise, …, and where the log ends
 *   base                              where the log begins
 *   log/POSITION                      an entry; those from the base before the present one on are kept
 *   snapshot/NUMBER/end               a snapshot of the state is whole
 *   snapshot/NUMBER/slice/INDEX       a part of it
 */
import { LockstepError, invariant } from "../errors.js";
import { chainHash, contentHash, genesisHash } from "./chain-hash.js";
import { EntrySizes } from "./entry-sizes.js";
import type { LogEntry, LogPoint } from "./log.js";
import { entriesAfter, keys, past, unneeded } from "./store-keys.js";
import type { Backend, Change, Recovered, SnapshotWriter, Store, StoredEntries, StoredEntry, StoreIdentity, StoreWrite } from "./store.js";
import {
  damaged, decodeBase, decodeEntry, decodeHead, decodeIdentity, decodeSlice, decodeSnapshot, encodeBase, encodeEntry, encodeHead, encodeIdentity, encodeSlice,
  encodeSnapshot, type BaseRecord,
} from "./store-codec.js";

const genesis: LogPoint = { position: 0, hash: genesisHash };
/** Records that nobody needs any more, removed with each write: so that removing a large log or snapshot holds nothing up. */
const sweptAtOnce = 256;

type Snapshot = Omit<BaseRecord, "since">;

/** The record that says whose it is; undefined: nothing was ever written. @throws LockstepError STORE_DAMAGED */
export function identityIn(backend: Backend): Uint8Array | undefined {
  const record = backend.get(keys.identity);
  if (record !== undefined) return record;
  const [key] = backend.keys("", past, 1);
  return key === undefined ? undefined : damaged(`it has ${key}, and does not say whose it is`);
}

export function openLogStore(backend: Backend, identity: StoreIdentity): Store {
  return new LogStore(backend, identity);
}

/** For a restore: blank, whatever was there, and refused by everybody until its first write is done. */
export async function makeStore(backend: Backend, identity: StoreIdentity): Promise<Store> {
  const begun = [put(keys.identity, encodeIdentity(keys.identity, identity)), put(keys.unfinished, new Uint8Array())];
  await backend.commit([{ type: "removeRange", from: "", to: past }, ...begun]);
  return new LogStore(backend, identity, "made");
}

/** Nobody may start from a part of it, nor take it for blank. @throws LockstepError STORE_DAMAGED */
function refuseUnfinished(backend: Backend): void {
  if (isUnfinished(backend)) throw new LockstepError("STORE_DAMAGED", "A restore into this directory was not finished. Nothing was changed. Run it again, or name another directory.");
}

export function isUnfinished(backend: Backend): boolean {
  return backend.get(keys.unfinished) !== undefined;
}

class LogStore implements Store {
  readonly #backend: Backend;
  readonly #identity: StoreIdentity;
  /** Snapshot 0: the genesis, of which there is none. */
  #base: BaseRecord = { point: genesis, snapshot: 0, since: genesis };
  #end = genesis;
  /** That of a write under way; or of one that failed, and is tried again. */
  #nextBase: BaseRecord | undefined;
  /** The newest snapshot that is whole. */
  #finished: Snapshot | undefined;
  /** Of what is still on disk. */
  readonly #sizes = new EntrySizes();
  #lastSnapshot = 0;
  #recovered: boolean;
  /** Until the first write. */
  #unfinished: boolean;
  /** This process has written whose store it is. */
  #identified = false;
  readonly #identityRecord: Change;
  /** There is no log, and no base. */
  #blank = true;
  #writing = false;
  /** The number of a snapshot under way. */
  #snapshotting: number | undefined;
  /** There may be records that nobody needs any more: an earlier process's, at first. */
  #littered = true;

  constructor(backend: Backend, identity: StoreIdentity, made?: "made") {
    this.#backend = backend;
    this.#identity = identity;
    this.#recovered = made !== undefined;
    this.#unfinished = made !== undefined;
    this.#identityRecord = put(keys.identity, encodeIdentity(keys.identity, identity));
  }

  recover(): Recovered | undefined {
    invariant(!this.#recovered, "a store is recovered once");
    refuseUnfinished(this.#backend);
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
    this.#base = decodeBase(keys.base, baseRecord ?? damaged("it does not say where its log begins"));
    this.#blank = false;
    this.#end = end;
    const { point, snapshot } = this.#base;
    this.#lastSnapshot = snapshot;
    return { head, base: point, snapshot: snapshot === 0 ? undefined : this.#slices(this.#base), entries: this.#entries(this.#base, end) };
  }

  #holdsEntries(): boolean {
    return this.#backend.keys("log/", `log/${past}`, 1).length > 0;
  }

  #checkIdentity(): void {
    const record = identityIn(this.#backend);
    if (record === undefined) return;
    const { group, slot, machine, version, slots, policy } = decodeIdentity(keys.identity, record);
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
    if (version !== undefined && own.version !== undefined && version !== own.version) {
      throw new LockstepError("STORE_FOREIGN", `The store was written by version ${version} of machine ${JSON.stringify(machine)}, not ${own.version}. Nothing was changed. Start version ${version} with it: another one's handlers would make other answers and another state of its log than clients were told. How to go on with a new version: docs/cluster.md.`);
    }
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

  /** Those after the base; the ones before it are looked at too. */
  *#entries({ point, since }: BaseRecord, end: LogPoint): Generator<StoredEntry> {
    let last = since;
    for (const entry of this.#read(since, Number.POSITIVE_INFINITY)) {
      if (last.position === point.position && last.hash !== point.hash) damaged(`the state of position ${point.position} is of another log`);
      last = entry;
      if (entry.position > point.position) yield entry;
    }
    if (last.position !== end.position || last.hash !== end.hash) damaged(`the log ends at position ${last.position} instead of ${end.position}`);
  }

  /** Every checksum and every chain hash is looked at. */
  *#read(from: LogPoint, through: number): Generator<StoredEntry> {
    let { position, hash } = from;
    for (const { key, value } of this.#backend.range(keys.entry(position + 1), through === Number.POSITIVE_INFINITY ? entriesAfter(position).to : keys.entry(through + 1))) {
      position++;
      if (key !== keys.entry(position)) damaged(`the entry of position ${position} is missing`);
      const entry = decodeEntry(key, value);
      hash = chainHash(hash, entry.ballot, entry.record.bytes);
      if (hash !== entry.hash) damaged(`the entry of position ${position} does not follow the one before it`);
      this.#sizes.add(position, entry.record.bytes.byteLength);
      yield { ...entry, position };
    }
  }

  entriesBetween(from: LogPoint, to: LogPoint): StoredEntries | undefined {
    if (from.position < this.#base.since.position || from.position > to.position || to.position > this.#end.position) return undefined;
    if (this.#pointAt(from.position).hash !== from.hash || this.#pointAt(to.position).hash !== to.hash) return undefined;
    return { aboutBytes: this.#sizes.aboutBytes(from.position, to.position), entries: this.#readBetween(from, to) };
  }

  *#readBetween(from: LogPoint, to: LogPoint): Generator<LogEntry> {
    let { position } = from;
    try {
      for (const entry of this.#read(from, to.position)) {
        position = entry.position;
        yield entry;
      }
    } catch (error) {
      if (position >= this.#base.since.position) throw error;
    }
    if (position !== to.position) throw new LockstepError("STORE_FAILED", `the log after position ${position} was dropped while it was read`);
  }

  async write(change: StoreWrite): Promise<void> {
    invariant(this.#recovered && !this.#writing, "a store is recovered first, and writes one change at a time");
    const { base, end, changes } = this.#plan(change);
    this.#writing = true;
    this.#nextBase = base;
    try {
      await this.#backend.commit(changes);
      this.#identified = true;
      this.#unfinished = false;
      this.#littered ||= base !== this.#base;
      this.#blank = false;
      if (base !== this.#base) this.#sizes.drop(base.since.position);
      this.#base = base;
      this.#end = end;
      this.#nextBase = undefined;
    } finally {
      this.#writing = false;
    }
  }

  #plan({ cutAfter, base: newBase, entries, head }: StoreWrite): { base: BaseRecord; end: LogPoint; changes: Change[] } {
    const changes: Change[] = this.#identified ? [] : [this.#identityRecord];
    if (this.#unfinished) changes.push({ type: "removeRange", from: keys.unfinished, to: `${keys.unfinished}${past}` });
    const kept = Math.min(this.#end.position, cutAfter ?? Number.POSITIVE_INFINITY);
    const base = newBase === undefined ? this.#base : this.#newBase(newBase, kept);
    // What lies at or below the base that it gets is swept up later.
    const cut = Math.max(kept, base.since.position);
    if (cut < this.#end.position) changes.push({ type: "removeRange", ...entriesAfter(cut) });
    if (newBase !== undefined || this.#blank) changes.push(put(keys.base, encodeBase(keys.base, base)));
    if (newBase !== undefined) {
      invariant(kept <= newBase.position || base.since.position < newBase.position, "the log that is kept follows the state that it shall begin with");
    }
    // What was kept at the base's own position may be another log's.
    let end = kept <= base.point.position ? base.point : this.#pointAt(kept);
    for (const entry of entries) {
      invariant(entry.position === end.position + 1, `entry ${entry.position} follows ${end.position}`);
      changes.push(put(keys.entry(entry.position), encodeEntry(keys.entry(entry.position), entry)));
      this.#sizes.add(entry.position, entry.record.bytes.byteLength);
      end = { position: entry.position, hash: entry.hash };
    }
    changes.push(put(keys.head, encodeHead(keys.head, { head, end })), ...this.#sweep(base));
    return { base, end, changes };
  }

  /** A part of what nobody needs any more, neither with this base, nor with one that a write gives it or would have given it. */
  #sweep(next = this.#base): Change[] {
    if (!this.#littered) return [];
    const bases = [this.#base, next, this.#nextBase ?? next];
    const snapshots = [...bases.map(({ snapshot }) => snapshot), this.#finished?.snapshot, this.#snapshotting].flatMap((number) => number ?? []);
    const since = Math.min(...bases.map((base) => base.since.position));
    const found: string[] = [];
    for (const { from, to } of unneeded(since, snapshots)) found.push(...this.#backend.keys(from, to, sweptAtOnce - found.length));
    this.#littered = found.length > 0;
    return found.map((key) => ({ type: "remove", key }));
  }

  /** If the log here leads to it, what leads to it from the base before is kept. */
  #newBase(point: LogPoint, kept: number): BaseRecord {
    const continues = point.position >= this.#base.point.position && point.position <= kept && this.#pointAt(point.position).hash === point.hash;
    return { ...this.#wholeSnapshot(point), since: continues ? this.#base.point : point };
  }

  #wholeSnapshot({ position, hash }: LogPoint): Snapshot {
    const whole = [this.#finished, this.#nextBase].find((snapshot) => snapshot?.point.position === position && snapshot.point.hash === hash);
    invariant(whole !== undefined, "a log begins with a snapshot that is whole");
    return whole;
  }

  #pointAt(position: number): LogPoint {
    if (position === this.#end.position) return this.#end;
    const known = [this.#base.point, this.#base.since].find((point) => point.position === position);
    if (known !== undefined) return known;
    const key = keys.entry(position);
    return { position, hash: decodeEntry(key, this.#backend.get(key) ?? damaged(`${key} is missing`)).hash };
  }

  beginSnapshot(point: LogPoint): SnapshotWriter {
    invariant(this.#recovered && this.#snapshotting === undefined, "a store is recovered first, and writes one snapshot at a time");
    const number = this.#freeNumber(this.#lastSnapshot + 1);
    this.#lastSnapshot = number;
    this.#snapshotting = number;
    const hashes: string[] = [];
    const commit = (...records: Change[]): Promise<void> => this.#backend.commit([this.#identityRecord, ...this.#sweep(), ...records], "apart");
    return {
      write: (...slices) => commit(...slices.map((slice) => {
        const key = keys.slice(number, hashes.length);
        hashes.push(contentHash(slice));
        return put(key, encodeSlice(key, slice));
      })),
      finish: async () => {
        const key = keys.snapshotEnd(number);
        await commit(put(key, encodeSnapshot(key, { point, slices: hashes.length, digest: digestOf(hashes) })));
        this.#snapshotting = undefined;
        this.#finished = { point, snapshot: number };
        this.#littered = true;
      },
      abort: async () => {
        this.#snapshotting = undefined;
        this.#littered = true;
        for (let changes = this.#sweep(); changes.length > 0; changes = this.#sweep()) await this.#backend.commit(changes);
      },
    };
  }

  /** One under which an earlier process has left nothing. */
  #freeNumber(number: number): number {
    const taken = this.#backend.keys(keys.snapshot(number), `${keys.snapshot(number)}${past}`, 1).length > 0;
    return taken ? this.#freeNumber(number + 1) : number;
  }

  close(): Promise<void> {
    return this.#backend.close();
  }
}

function put(key: string, value: Uint8Array): Change {
  return { type: "put", key, value };
}

function digestOf(hashes: readonly string[]): string {
  return contentHash(Buffer.from(hashes.join("")));
}
