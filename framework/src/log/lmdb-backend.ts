/**
 * The database of a store: LMDB, by way of the package lmdb. One file, written in whole transactions; a loss of power at any
 * moment leaves the last one that was finished. Its map of the file grows as the file does.
 */
import { existsSync, renameSync, rmSync, statfsSync } from "node:fs";
import { join, resolve } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { RootDatabase } from "lmdb";
import { LockstepError, isLockstepError } from "../errors.js";
import { DirectoryLock } from "./directory-lock.js";
import { flush, makeDirectory } from "./directory.js";
import { checkPages } from "./page-check.js";
import { damaged, wayOut } from "./store-codec.js";
import type { Backend, Change } from "./store.js";

type Lmdb = typeof import("lmdb");
type Database = RootDatabase<Uint8Array, string>;

/** Its name in the store's directory; and while it is being made. */
export const databaseFile = "data.mdb";
const newDatabaseFile = `${databaseFile}.new`;

/** Read at a time: records that are large are few. */
const portionRecords = 256;
const portionBytes = 1024 * 1024;

/**
 * Makes the directory if it is missing.
 * @throws LockstepError STORE_UNAVAILABLE, STORE_LOCKED, STORE_DAMAGED, STORE_FAILED.
 */
export async function openLmdb(directory: string): Promise<Backend> {
  const lmdb = await loadLmdb();
  const path = resolve(directory);
  try {
    makeDirectory(path);
  } catch (error) {
    throw new LockstepError("STORE_FAILED", `The directory ${path} cannot be made: ${String(error)}. Make it, writable for this process, or name another.`, { cause: error });
  }
  const lock = await DirectoryLock.take(path);
  try {
    if (!existsSync(join(path, databaseFile))) await createDatabase(lmdb, path);
    return new LmdbBackend(lmdb, openDatabase(lmdb, path), path, lock);
  } catch (error) {
    await lock.release();
    return refuse(path, error);
  }
}

/** When it is needed: its addon is of this processor and its C++ library, and replicas in memory shall run where it does not load. */
async function loadLmdb(): Promise<Lmdb> {
  try {
    return await import("lmdb");
  } catch (error) {
    throw new LockstepError("STORE_UNAVAILABLE", `The database for data on disk, the package lmdb, does not load here: ${String(error)}. Build it on this machine (npm rebuild lmdb, with g++, make and python3), or keep the data in memory.`, { cause: error });
  }
}

/** Aside, and named when it is whole and flushed: so a database that is empty, or has no first pages, has lost them. */
async function createDatabase(lmdb: Lmdb, directory: string): Promise<void> {
  if (existsSync(lockOf(join(directory, databaseFile)))) damaged(`${databaseFile} is missing, and was there once`);
  const aside = join(directory, newDatabaseFile);
  // Of a creation that was broken off.
  rmSync(aside, { force: true });
  await openFile(lmdb, aside).close();
  flush(aside);
  renameSync(aside, join(directory, databaseFile));
  rmSync(lockOf(aside), { force: true });
  flush(directory);
}

/** LMDB makes it beside a database that it opens. */
function lockOf(path: string): string {
  return `${path}-lock`;
}

function openDatabase(lmdb: Lmdb, directory: string): Database {
  const path = join(directory, databaseFile);
  checkPages(path);
  return openFile(lmdb, path);
}

function openFile({ open }: Lmdb, path: string): Database {
  return open<Uint8Array, string>({
    path, noSubdir: true, encoding: "binary", maxDbs: 1, cache: false,
    // A commit resolves after an fdatasync of the data and a synchronous write (O_DSYNC) of the first page that makes them valid.
    overlappingSync: false,
    // With it, the package makes a promise for each batch that nobody can hold: a full disk would end the process.
    eventTurnBatching: false,
  });
}

export function refuse(directory: string, error: unknown): never {
  if (isLockstepError(error)) throw error;
  if (isSystemError(error)) throw diskFailed(directory, error);
  throw new LockstepError("STORE_DAMAGED", `The store in ${directory} cannot be read: ${String(error)}. ${wayOut}`, { cause: error });
}

/** The operating system's errors have names, or positive numbers; LMDB's own have negative ones. */
function isSystemError(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return typeof error.code === "string" || (typeof error.code === "number" && error.code > 0);
}

export function diskFailed(directory: string, cause: unknown): LockstepError {
  return new LockstepError("STORE_FAILED", `${directory} takes nothing: ${String(cause)} (${roomIn(directory)}). Make room, or look what is wrong with the disk.`, { cause });
}

/** LMDB tells a full disk by an input/output error when part of a write had room. */
function roomIn(directory: string): string {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return `${Math.floor(bavail * bsize / 1024)} KiB free`;
  } catch (error) {
    return String(error);
  }
}

/** The page size of the systems that this runs on, or more than it. */
const pageBytes = 4096;
/** Of the tree, and of the list of free pages, that a commit writes anew: with room to spare. */
const sparePages = 64;

/**
 * LMDB must not find out itself that there is no room for large values: what it then writes down of them is longer than the memory
 * it has taken for that, which ends the process (lmdb 3.5: mdb_page_flush, last_error). More is asked for than a commit can take.
 */
function requireRoom(directory: string, values: Iterable<Uint8Array | undefined>): void {
  let pages = sparePages;
  for (const value of values) pages += 1 + Math.ceil((value?.byteLength ?? 0) / pageBytes);
  const { blocks, bavail, bsize } = statfsSync(directory);
  // Of no blocks at all are file systems that do not say how large they are: ramfs, a tmpfs without a limit, many in user space.
  if (blocks === 0) return;
  if (bavail * bsize < pages * pageBytes) throw new Error(`no space left on device for ${pages} pages`);
}

export function closedAlready(): LockstepError {
  return new LockstepError("STORE_FAILED", "The store is closed.");
}

class LmdbBackend implements Backend {
  readonly #lmdb: Lmdb;
  #database: Database;
  readonly #directory: string;
  readonly #lock: DirectoryLock;
  /** Ends with the last commit: a range that is removed must be the one that the commit before it left. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(lmdb: Lmdb, database: Database, directory: string, lock: DirectoryLock) {
    this.#lmdb = lmdb;
    this.#database = database;
    this.#directory = directory;
    this.#lock = lock;
  }

  /** A copy: nothing refers to the map of the file. */
  get(key: string): Uint8Array | undefined {
    return this.#reading(() => this.#database.get(key));
  }

  *range(from: string, to: string): Iterable<{ readonly key: string; readonly value: Uint8Array }> {
    // In portions: a reader that stays open for long keeps old pages alive.
    for (let next = from; ;) {
      const portion = this.#reading(() => this.#portion(next, to));
      yield* portion;
      const last = portion.at(-1);
      if (last === undefined) return;
      next = `${last.key}\u0001`;
    }
  }

  #portion(from: string, to: string): { key: string; value: Uint8Array }[] {
    const portion: { key: string; value: Uint8Array }[] = [];
    let bytes = 0;
    for (const record of this.#database.getRange({ start: from, end: to, limit: portionRecords })) {
      portion.push(record);
      bytes += record.value.byteLength;
      if (bytes >= portionBytes) break;
    }
    return portion;
  }

  keys(from: string, to: string, limit: number): readonly string[] {
    return limit === 0 ? [] : this.#reading(() => Array.from(this.#database.getKeys({ start: from, end: to, limit })));
  }

  /** The package reads a closed database all the same, and the process ends. */
  #reading<T>(read: () => T): T {
    if (this.#closed) throw closedAlready();
    try {
      return read();
    } catch (error) {
      return refuse(this.#directory, error);
    }
  }

  commit(changes: readonly Change[]): Promise<void> {
    const done = this.#last.then(() => this.#commit(changes));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #commit(changes: readonly Change[]): Promise<void> {
    if (this.#closed) throw closedAlready();
    try {
      const outcome = this.#outcomeOf(changes);
      requireRoom(this.#directory, outcome.values());
      await this.#database.batch(() => {
        for (const [key, value] of outcome) {
          if (value === undefined) void this.#database.remove(key);
          else void this.#database.put(key, value);
        }
      });
    } catch (error) {
      const cause = await causeOf(error);
      await this.#mend();
      throw diskFailed(this.#directory, cause);
    }
  }

  /** What becomes of each key, undefined: it is removed. Known before the batch begins: one that is broken off would be written in part. */
  #outcomeOf(changes: readonly Change[]): ReadonlyMap<string, Uint8Array | undefined> {
    const outcome = new Map<string, Uint8Array | undefined>();
    for (const change of changes) {
      if (change.type === "put") {
        outcome.set(change.key, change.value);
        continue;
      }
      if (change.type === "remove") {
        outcome.set(change.key, undefined);
        continue;
      }
      for (const key of outcome.keys()) if (key >= change.from && key < change.to) outcome.set(key, undefined);
      for (const key of this.#database.getKeys({ start: change.from, end: change.to })) outcome.set(key, undefined);
    }
    return outcome;
  }

  /** When it could not write a first page, LMDB takes nothing more, and never answers, until it is opened anew. */
  async #mend(): Promise<void> {
    try {
      this.#database.resetReadTxn();
      this.#database.get("~");
    } catch {
      await this.#database.close();
      this.#database = openDatabase(this.#lmdb, this.#directory);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#last;
    await this.#database.close();
    await this.#lock.release();
  }
}

/** The package keeps what went wrong in a promise beside its rejection, which is rejected too in the same turn of the loop. */
async function causeOf(rejection: unknown): Promise<unknown> {
  if (!(rejection instanceof Error) || !("commitError" in rejection)) return rejection;
  const cause = Promise.resolve(rejection.commitError).catch((reason: unknown) => reason);
  return Promise.race([cause, nextTurn(rejection)]);
}
