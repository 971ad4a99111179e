/**
 * The database below a store: LMDB, by way of the package lmdb. One file, written in whole transactions; a loss of power at any
 * moment leaves the last one that was finished.
 */
import { closeSync, existsSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { open, type RootDatabase } from "lmdb";
import { LockstepError, isLockstepError } from "../errors.js";
import { DirectoryLock, type HolderRecord } from "./directory-lock.js";
import type { Backend, Change } from "./store.js";

const fileName = "data.mdb";

/**
 * Makes the directory if it is missing.
 * @throws LockstepError STORE_LOCKED, STORE_DAMAGED, STORE_FAILED.
 */
export async function openLmdb(directory: string): Promise<Backend> {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new LockstepError("STORE_FAILED", `The directory ${directory} cannot be made: ${String(error)}. Make it, writable for this process, or name another.`, { cause: error });
  }
  const path = join(directory, fileName);
  let database: RootDatabase<Uint8Array, string>;
  try {
    check(path);
    // Without overlappingSync a commit resolves after fdatasync of the data and a synchronous write of the page that makes it valid.
    database = open<Uint8Array, string>({ path, noSubdir: true, encoding: "binary", overlappingSync: false, maxDbs: 1, cache: false });
  } catch (error) {
    return refuse(directory, error);
  }
  try {
    return new LmdbBackend(database, directory, path, await DirectoryLock.take(directory, holderIn(database)));
  } catch (error) {
    await database.close();
    if (isLockstepError(error)) throw error;
    if (/space|FULL|permission|EACCES|EROFS/i.test(String(error))) throw new LockstepError("STORE_FAILED", `${directory} takes nothing: ${String(error)}. Make room, or look what is wrong with the disk.`, { cause: error });
    return refuse(directory, error);
  }
}

/** Behind every key of the store. */
const holderKey = "~holder";

function holderIn(database: RootDatabase<Uint8Array, string>): HolderRecord {
  const get = (): string | undefined => {
    const value = database.get(holderKey);
    return value === undefined ? undefined : Buffer.from(value).toString();
  };
  return {
    get,
    replace: (expected, by) => database.transactionSync(() => {
      if (get() !== expected) return false;
      if (by === undefined) void database.remove(holderKey);
      else void database.put(holderKey, Buffer.from(by));
      return true;
    }),
  };
}

function refuse(directory: string, error: unknown): never {
  throw new LockstepError("STORE_DAMAGED", `The store in ${directory} cannot be read: ${String(error)}. Nothing was changed. Move the directory away and start again: the replica then takes the state from the others.`, { cause: error });
}

/** Of LMDB's two first pages: where they say how many pages there are. After MDB_meta in its source, on 64-bit machines. */
const meta = { magicAt: 0x18, magic: 0xbeefc0de, pageBytesAt: 0x30, lastPageAt: 0x90, transactionAt: 0x98, bytes: 0xa0 } as const;

/**
 * What LMDB trusts, it does not check: a first page that is not its own, or a page that the file should have and has not, would
 * end the process. Both are refused here. @throws Error.
 */
function check(path: string): void {
  if (!existsSync(path)) return;
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    if (size === 0) return;
    const needed = bytesNeeded(file);
    if (size < needed) throw new Error(`it has ${size} bytes of ${needed}`);
  } finally {
    closeSync(file);
  }
}

function bytesNeeded(file: number): number {
  const first = readMeta(file, 0);
  const second = readMeta(file, first.pageBytes);
  const newest = second.transaction > first.transaction ? second : first;
  const needed = (newest.lastPage + 1) * newest.pageBytes;
  if (!Number.isSafeInteger(needed)) throw new Error("its first pages are not those of a database");
  return needed;
}

function readMeta(file: number, at: number): { pageBytes: number; lastPage: number; transaction: bigint } {
  const page = Buffer.alloc(meta.bytes);
  const there = readSync(file, page, 0, meta.bytes, at) === meta.bytes && page.readUInt32LE(meta.magicAt) === meta.magic;
  const pageBytes = page.readUInt32LE(meta.pageBytesAt);
  if (!there || pageBytes < 512 || pageBytes > 65_536) throw new Error("its first pages are not those of a database");
  return { pageBytes, lastPage: Number(page.readBigUInt64LE(meta.lastPageAt)), transaction: page.readBigUInt64LE(meta.transactionAt) };
}

class LmdbBackend implements Backend {
  readonly #database: RootDatabase<Uint8Array, string>;
  readonly #directory: string;
  readonly #lock: DirectoryLock;
  readonly #file: number;
  /** Ends with the last commit: a range that is removed must be the one that the commit before it left. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(database: RootDatabase<Uint8Array, string>, directory: string, path: string, lock: DirectoryLock) {
    this.#database = database;
    this.#directory = directory;
    this.#lock = lock;
    this.#file = openSync(path, "r+");
    this.#fillUp();
  }

  /** LMDB does not write pages that a transaction takes and gives up again: at the end of the file it would look as if it were cut short. */
  #fillUp(): void {
    const needed = bytesNeeded(this.#file);
    if (fstatSync(this.#file).size < needed) ftruncateSync(this.#file, needed);
  }

  get(key: string): Uint8Array | undefined {
    return this.#reading(() => this.#database.get(key));
  }

  *range(from: string, to: string): Iterable<{ readonly key: string; readonly value: Uint8Array }> {
    // In portions: a reader that stays open for long keeps old pages alive.
    for (let next = from; ;) {
      const portion = this.#reading(() => Array.from(this.#database.getRange({ start: next, end: to, limit: rangePortion })));
      yield* portion;
      const last = portion.at(-1);
      if (last === undefined || portion.length < rangePortion) return;
      next = `${last.key}\u0001`;
    }
  }

  #reading<T>(read: () => T): T {
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
    if (this.#closed) throw new LockstepError("STORE_FAILED", "The store is closed.");
    try {
      await this.#database.batch(() => {
        for (const change of changes) {
          if (change.type === "put") void this.#database.put(change.key, change.value);
          else for (const key of Array.from(this.#database.getKeys({ start: change.from, end: change.to }))) void this.#database.remove(key);
        }
      });
      this.#fillUp();
    } catch (error) {
      throw new LockstepError("STORE_FAILED", `${this.#directory} takes nothing: ${String(error)}. Make room, or look what is wrong with the disk.`, { cause: error });
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#last;
    await this.#lock.release();
    this.#fillUp();
    closeSync(this.#file);
    await this.#database.close();
  }
}

/** Records read at a time. */
const rangePortion = 256;
