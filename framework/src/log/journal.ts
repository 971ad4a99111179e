/**
 * The newest commits of a store, on their way into its database (journaled-backend.ts): a file whose pages are there and flushed
 * before they are needed, so that a commit is one synchronous write (O_DSYNC) of its own pages and nothing else.
 *
 *   page 0        format version, and an id: each start of a process has a journal of its own
 *   two halves    records (journal-record.ts), front to back, each from the beginning of a page on
 *
 * When a half is full, records go on in the other one, whose own are in the database by then. No page of a record that counts is
 * ever written again. Records have numbers without gaps: if one is missing, or does not read, before one that is there, the file is
 * damaged. The last one may have been torn by a loss of power, and then was not committed.
 */
import { randomBytes } from "node:crypto";
import { constants, existsSync, readFileSync } from "node:fs";
import { open, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { LockstepError, invariant } from "../errors.js";
import { flush } from "./directory.js";
import { encodeRecord, firstTag, idBytes, pageBytes, pagedSize, readRecord, sizeOf, type JournalRecord, type CorruptRecord } from "./journal-record.js";
import { damaged } from "./store-codec.js";
import type { Put } from "./store.js";

/** Its name in the store's directory. */
export const journalFile = "journal";

const format = 1;
/** Two seconds of a thousand commits each: between two halves the database takes thousands of records at once. */
const halfBytes = 1024 * pageBytes;
const fileBytes = pageBytes + 2 * halfBytes;
const magic = Buffer.from("lsjournl", "latin1");
/** Elsewhere O_DSYNC means less, or is missing. */
const writesAreSynchronous = process.platform === "linux";

/** Larger ones would fill a half at once. */
export const largestCommitBytes = halfBytes / 8;

export interface JournalContent {
  readonly id: string;
  /** In the order of their numbers. */
  readonly records: readonly JournalRecord[];
  readonly corrupt: readonly CorruptRecord[];
  /** Nothing of it is missing at its end. */
  readonly whole: boolean;
}

function pathIn(directory: string): string {
  return join(directory, journalFile);
}

/** undefined: there is none, or its creation was not finished. @throws LockstepError STORE_FOREIGN (a newer format), STORE_DAMAGED (not a journal), or the system's. */
export function readJournal(directory: string): JournalContent | undefined {
  const path = pathIn(directory);
  if (!existsSync(path)) return undefined;
  const bytes = readFileSync(path);
  // A creation that was broken off leaves nothing there, or zeros. Anything else would be overwritten.
  if (bytes.subarray(0, magic.byteLength).some((byte, index) => byte !== 0 && byte !== magic[index])) damaged(`${path} is not a journal`);
  const start = magic.byteLength + 4;
  if (bytes.byteLength < pageBytes || !bytes.subarray(0, magic.byteLength).equals(magic) || bytes.readUInt32LE(start + idBytes) !== crc32(bytes.subarray(0, start + idBytes))) return undefined;
  const version = bytes.readUInt32LE(magic.byteLength);
  if (version > format) throw new LockstepError("STORE_FOREIGN", `The store's journal has format ${version}; this version reads up to ${format}. Start the version that wrote it, or one after it.`);
  const id = bytes.subarray(start, start + idBytes);
  const records: JournalRecord[] = [];
  const corrupt: CorruptRecord[] = [];
  for (let at = pageBytes; at < bytes.byteLength; at += pageBytes) {
    const found = readRecord(bytes, at, id);
    if (found === undefined) continue;
    if ("firstTag" in found) corrupt.push(found);
    else records.push(found);
  }
  records.sort((a, b) => a.number - b.number);
  return { id: id.toString("hex"), records, corrupt, whole: bytes.byteLength === fileBytes };
}

/** The records after one that is in the database. @throws LockstepError STORE_DAMAGED */
export function recordsAfter({ records, corrupt }: JournalContent, through: number): readonly JournalRecord[] {
  const after = records.filter(({ number }) => number > through);
  for (const [index, { number }] of after.entries()) {
    if (number !== through + 1 + index) damaged(`of its journal, record ${through + 1 + index} does not read, or is missing, and record ${number} is there`);
  }
  const last = after.at(-1)?.number ?? through;
  if (corrupt.some((record) => record.firstTag === firstTag(last + 1))) damaged(`of its journal, record ${last + 1} was written and does not read`);
  return after;
}

export class Journal {
  readonly id: string;
  readonly #directory: string;
  readonly #file: FileHandle;
  readonly #id: Buffer;
  /** Where the half in use begins, and how much of it is used. */
  #half = pageBytes;
  #used = 0;
  #last = 0;

  private constructor(directory: string, file: FileHandle, id: Buffer) {
    this.#directory = directory;
    this.#file = file;
    this.#id = id;
    this.id = id.toString("hex");
  }

  /** Blank, in the place of the one that is there, whose records are in the database. */
  static async create(directory: string): Promise<Journal> {
    const path = pathIn(directory);
    const id = randomBytes(idBytes);
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      const bytes = Buffer.alloc(fileBytes);
      magic.copy(bytes);
      bytes.writeUInt32LE(format, magic.byteLength);
      id.copy(bytes, magic.byteLength + 4);
      bytes.writeUInt32LE(crc32(bytes.subarray(0, magic.byteLength + 4 + idBytes)), magic.byteLength + 4 + idBytes);
      await writeAll(file, bytes, 0);
      await file.truncate(fileBytes);
      await file.sync();
    } finally {
      await file.close();
    }
    flush(directory);
    return new Journal(directory, await open(path, constants.O_RDWR | (writesAreSynchronous ? constants.O_DSYNC : 0)), id);
  }

  /** The number of the last record that will survive a loss of power. */
  get last(): number {
    return this.#last;
  }

  hasRoomFor(puts: readonly Put[]): boolean {
    return this.#used + pagedSize(sizeOf(puts)) <= halfBytes;
  }

  /** Goes on in the other half, whose records are in the database. */
  rotate(): void {
    this.#half = this.#half === pageBytes ? pageBytes + halfBytes : pageBytes;
    this.#used = 0;
  }

  /** One at a time. When one has failed nobody knows whether it is there: this journal takes no more. */
  async append(puts: readonly Put[]): Promise<void> {
    invariant(this.hasRoomFor(puts), "a record is written where there is room for it");
    const bytes = encodeRecord(this.#id, this.#last + 1, puts);
    await writeAll(this.#file, bytes, this.#half + this.#used);
    if (!writesAreSynchronous) await this.#file.datasync();
    this.#used += bytes.byteLength;
    this.#last++;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** When all of it is in the database. */
  async remove(): Promise<void> {
    await rm(pathIn(this.#directory), { force: true });
    flush(this.#directory);
  }
}

/** A file system without room may take a part. */
async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) done += (await file.write(bytes, done, bytes.byteLength - done, position + done)).bytesWritten;
}
