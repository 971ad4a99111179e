/**
 * What a store stands on: a database, and a journal of the commits that it does not have yet.
 *
 * A commit is one write into the journal; the database, which would need several for each, gets thousands of them together, later.
 * What it lacks is in memory meanwhile, and lies over it when somebody reads. Doing changes again that the database has already
 * does no harm: the last value of each key is the journal's.
 *
 * The database says which journal goes with it, and up to which record it has that. Past the journal, into the database itself, go
 * what is large, what removes whole ranges (after all that is in the journal), and what is apart from everything else.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { isLockstepError } from "../errors.js";
import { BTree } from "../machine/btree.js";
import { Journal, journalFile, largestCommitBytes, readJournal, recordsAfter } from "./journal.js";
import { sizeOf } from "./journal-record.js";
import { closedAlready, databaseFile, diskFailed, openLmdb, refuse } from "./lmdb-backend.js";
import { damaged, decodeCheckpoint, encodeCheckpoint, type JournalCheckpoint } from "./store-codec.js";
import { keys } from "./store-keys.js";
import type { Backend, Change, Put } from "./store.js";

/** Put into the database in one transaction: the event loop is held for about 2 ms. */
const changesAtOnce = 500;
/** Read at a time. */
const portionRecords = 256;
const portionBytes = 1024 * 1024;

/** Whether a file of this name in a store's directory is the store's. */
export function isStoreFile(name: string): boolean {
  return name.startsWith(databaseFile) || name === journalFile;
}

interface Stored {
  readonly key: string;
  readonly value: Uint8Array;
}

/** Makes the directory if it is missing; changes nothing else before the first commit. @throws LockstepError STORE_UNAVAILABLE, STORE_LOCKED, STORE_DAMAGED, STORE_FOREIGN, STORE_FAILED. */
export async function openBackend(directory: string): Promise<Backend> {
  const path = resolve(directory);
  refuseLoneJournal(path);
  const database = await openLmdb(path);
  try {
    return withJournal(database, path);
  } catch (error) {
    await database.close();
    return refuse(path, error);
  }
}

/** Before a blank database is made for it: a journal comes after its database. */
function refuseLoneJournal(directory: string): void {
  if (existsSync(join(directory, journalFile)) && !existsSync(join(directory, databaseFile))) damaged(`there is a journal, and ${databaseFile} is missing`);
}

/** @throws LockstepError STORE_DAMAGED, STORE_FOREIGN. */
export function withJournal(database: Backend, directory: string): Backend {
  const record = database.get(keys.journal);
  const checkpoint = record === undefined ? undefined : decodeCheckpoint(keys.journal, record);
  return new JournaledBackend(database, directory, checkpoint, newerThan(checkpoint, directory));
}

/** What the journal has, and the database has not. */
function newerThan(checkpoint: JournalCheckpoint | undefined, directory: string): readonly Put[] {
  const journal = readJournal(directory);
  if (checkpoint?.open === true) {
    if (journal?.id !== checkpoint.id) return damaged("the journal that goes with it is missing, or another's");
    if (!journal.whole) return damaged("its journal is cut short");
    return recordsAfter(journal, checkpoint.through).flatMap(({ changes }) => changes);
  }
  if (journal !== undefined && journal.id !== checkpoint?.id && journal.records.length > 0) return damaged("there is a journal that goes with another database");
  return [];
}

class JournaledBackend implements Backend {
  readonly #database: Backend;
  readonly #directory: string;
  /** What the database does not have yet. */
  readonly #pending = new BTree<string, Uint8Array>();
  /** As it is in the database. */
  #checkpoint: JournalCheckpoint | undefined;
  /** From the first commit on. */
  #journal: Journal | undefined;
  /** A write into it failed. */
  #broken = false;
  /** The last record of the half that is not in use. */
  #rotatedAt = 0;
  /** Ends when what was pending at the last rotation is in the database, or that failed. */
  #writingBack: Promise<void> = Promise.resolve();
  #removing = false;
  /** Ends with the last commit. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(database: Backend, directory: string, checkpoint: JournalCheckpoint | undefined, newer: readonly Put[]) {
    this.#database = database;
    this.#directory = directory;
    this.#checkpoint = checkpoint;
    this.#take(newer);
  }

  get(key: string): Uint8Array | undefined {
    return this.#pending.get(key) ?? this.#database.get(key);
  }

  *range(from: string, to: string): Iterable<Stored> {
    for (let next: string | undefined = from; next !== undefined;) {
      const below: Stored[] = this.#portion(next, to);
      const last: string | undefined = below.at(-1)?.key;
      const end: string = last === undefined ? to : `${last}\u0001`;
      const above = this.#pending.getRange(next, end).map(([key, value]) => ({ key, value }));
      yield* above.length === 0 ? below : [...new Map([...below, ...above].map((record) => [record.key, record])).values()].sort(byKey);
      next = last === undefined ? undefined : end;
    }
  }

  #portion(from: string, to: string): Stored[] {
    const portion: Stored[] = [];
    let bytes = 0;
    for (const record of this.#database.range(from, to)) {
      portion.push(record);
      bytes += record.value.byteLength;
      if (portion.length === portionRecords || bytes >= portionBytes) break;
    }
    return portion;
  }

  keys(from: string, to: string, limit: number): readonly string[] {
    const above = this.#pending.getRange(from, to, false, limit).map(([key]) => key);
    const below = this.#database.keys(from, to, limit);
    return above.length === 0 ? below : Array.from(new Set([...below, ...above])).sort().slice(0, limit);
  }

  commit(changes: readonly Change[], apart?: "apart"): Promise<void> {
    if (apart !== undefined && this.#journal !== undefined && !this.#closed) return this.#commitApart(changes);
    return this.#inOrder(() => this.#commit(changes, apart));
  }

  #inOrder<T>(action: () => Promise<T>): Promise<T> {
    const done = this.#last.then(action);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #commit(changes: readonly Change[], apart: "apart" | undefined): Promise<void> {
    if (this.#closed) throw closedAlready();
    const puts = changes.filter((change) => change.type === "put");
    const small = !changes.some(({ type }) => type === "removeRange") && sizeOf(puts) <= largestCommitBytes;
    if (apart !== undefined || puts.length === 0 && small) return this.#commitApart(changes);
    if (this.#journal === undefined || this.#broken) return this.#begin(changes);
    if (!small) {
      await this.#settle(this.#journal);
      return this.#database.commit(changes);
    }
    await this.#append(this.#journal, puts);
    this.#removeSomeTime(changes);
  }

  /** The first commit goes into the database, with what says that there is a journal from now on. */
  async #begin(changes: readonly Change[]): Promise<void> {
    await this.#end();
    const journal = await Journal.create(this.#directory).catch((error: unknown) => { throw diskFailed(this.#directory, error); });
    const checkpoint = { id: journal.id, through: 0, open: true };
    try {
      await this.#database.commit([...changes, recordOf(checkpoint)]);
    } catch (error) {
      await journal.close();
      throw error;
    }
    this.#checkpoint = checkpoint;
    this.#journal = journal;
    this.#rotatedAt = 0;
    this.#broken = false;
  }

  async #append(journal: Journal, puts: readonly Put[]): Promise<void> {
    if (!journal.hasRoomFor(puts)) await this.#rotate(journal);
    try {
      await journal.append(puts);
    } catch (error) {
      this.#broken = true;
      throw diskFailed(this.#directory, error);
    }
    this.#take(puts);
  }

  #take(puts: readonly Put[]): void {
    for (const { key, value } of puts) this.#pending.set(key, value);
  }

  /** The journal's other half takes over; what is in the full one goes into the database meanwhile. */
  async #rotate(journal: Journal): Promise<void> {
    await this.#writingBack;
    // It failed, then; now it is for the caller to know.
    if ((this.#checkpoint?.through ?? 0) < this.#rotatedAt) await this.#writeBack(this.#rotatedAt, true);
    journal.rotate();
    this.#rotatedAt = journal.last;
    this.#writingBack = this.#writeBack(journal.last, true).catch(() => undefined);
  }

  async #settle(journal: Journal): Promise<void> {
    await this.#writingBack;
    await this.#writeBack(journal.last, true);
  }

  /** The journal, an earlier process's or this one's, is not needed any more. */
  async #end(): Promise<void> {
    await this.#writingBack;
    if (this.#checkpoint?.open === true) await this.#writeBack(this.#journal?.last ?? Number.MAX_SAFE_INTEGER, false);
    await this.#journal?.close();
    this.#journal = undefined;
  }

  /** All that is pending now, which leads up to a record of the journal. */
  async #writeBack(through: number, open: boolean): Promise<void> {
    const checkpoint = { id: this.#checkpoint?.id ?? "", through, open };
    const all = this.#pending.toArray();
    for (let at = 0; at < all.length; at += changesAtOnce) {
      // What has another value by now is in a later record; what was removed meanwhile is not to come back.
      const some = all.slice(at, at + changesAtOnce).filter(([key, value]) => this.#pending.get(key) === value);
      if (some.length > 0) await this.#database.commit(some.map(([key, value]) => ({ type: "put", key, value })));
      for (const [key, value] of some) if (this.#pending.get(key) === value) this.#pending.delete(key);
    }
    await this.#database.commit([recordOf(checkpoint)]);
    this.#checkpoint = checkpoint;
  }

  async #commitApart(changes: readonly Change[]): Promise<void> {
    // What an earlier process left in its journal may concern these keys.
    if (this.#journal === undefined && this.#checkpoint?.open === true) await this.#end();
    for (const change of changes) if (change.type === "remove") this.#pending.delete(change.key);
    await this.#database.commit(changes);
  }

  /** Nobody waits for it, and who finds that it was not done does it again. */
  #removeSomeTime(changes: readonly Change[]): void {
    const removed = changes.filter(({ type }) => type === "remove");
    if (removed.length === 0 || this.#removing) return;
    this.#removing = true;
    void this.#commitApart(removed).catch(() => undefined).finally(() => { this.#removing = false; });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#last;
    const journal = this.#journal;
    try {
      if (journal !== undefined) {
        await this.#end();
        await journal.remove();
      }
    } catch (error) {
      // The next start finds all of it in the journal.
      if (!isLockstepError(error, "STORE_FAILED")) throw error;
      await journal?.close();
    } finally {
      await this.#database.close();
    }
  }
}

function recordOf(checkpoint: JournalCheckpoint): Put {
  return { type: "put", key: keys.journal, value: encodeCheckpoint(keys.journal, checkpoint) };
}

function byKey(a: Stored, b: Stored): number {
  return a.key < b.key ? -1 : 1;
}
