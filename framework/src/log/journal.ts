/**
 * The newest commits of a store, on their way into its database (journaled-backend.ts): a file whose pages are there and flushed
 * before they are needed, so that a commit is one synchronous write (O_DSYNC) of its own pages and nothing else.
 *
 *   page 0        format version, and an id: each start of a process has a journal of its own
 *   two halves    records (journal-record.ts), front to back, each from the beginning of a page on
 *
 * When a half is full, records go on in the other one, whose own are in the database by then. No page of a record that counts is
 * ever written again. Records have numbers without gaps: if one is missing before one that is there, or was begun, or any sector does
 * not read, the file is damaged. The last one may have been torn by a loss of power, and then was not committed.
 */
import { randomBytes } from "node:crypto";
import { constants, existsSync, readFileSync } from "node:fs";
import { open, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { LockstepError, invariant } from "../errors.js";
import { flush } from "./directory.js";
import { blankSectors, encodeRecord, pageBytes, pagedSize, readRecord, readSectors, sizeOf, type JournalRecord } from "./journal-record.js";
import { damaged } from "./store-codec.js";
import type { Put } from "./store.js";

/** Its name in the store's directory. */
export const journalFile = "journal";

/** 2: each sector has a checksum. */
const format = 2;
const idBytes = 16;
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
  /** The highest number of a record of which there is a sector. */
  readonly begun: number;
  /** There is a sector that does not read. */
  readonly damaged: boolean;
  /** Nothing of it is missing at its end. */
  readonly whole: boolean;
}

function pathIn(directory: string): string {
  return join(directory, journalFile);
}

/** undefined: there is none, or its creation was not finished. @throws LockstepError STORE_FOREIGN (another format), STORE_DAMAGED (not a journal), or the system's. */
export function readJournal(directory: string): JournalContent | undefined {
  const path = pathIn(directory);
  if (!existsSync(path)) return undefined;
  const bytes = readFileSync(path);
  // A creation that was broken off leaves nothing there, or zeros. Anything else would be overwritten.
  if (bytes.subarray(0, magic.byteLength).some((byte, index) => byte !== 0 && byte !== magic[index])) damaged(`${path} is not a journal`);
  const start = magic.byteLength + 4;
  if (bytes.byteLength < pageBytes || !bytes.subarray(0, magic.byteLength).equals(magic) || bytes.readUInt32LE(start + idBytes) !== crc32(bytes.subarray(0, start + idBytes))) return undefined;
  const version = bytes.readUInt32LE(magic.byteLength);
  if (version !== format) throw new LockstepError("STORE_FOREIGN", `The store's journal has format ${version}; this version reads ${format}. Start the version that wrote it, and stop it in order: then there is no journal.`);
  const id = bytes.subarray(start, start + idBytes);
  const sectors = readSectors(bytes.subarray(pageBytes), id);
  const records = sectors.flatMap((_, at) => readRecord(sectors, at) ?? []).sort((a, b) => a.number - b.number);
  const begun = sectors.reduce((highest, sector) => Math.max(highest, sector?.number ?? 0), 0);
  return { id: id.toString("hex"), records, begun, damaged: sectors.includes(undefined), whole: bytes.byteLength === fileBytes };
}

/** The records after one that is in the database. @throws LockstepError STORE_DAMAGED */
export function recordsAfter({ records, begun, damaged: rotten }: JournalContent, through: number): readonly JournalRecord[] {
  if (rotten) damaged("its journal has a sector that does not read");
  const after = records.filter(({ number }) => number > through);
  for (const [index, { number }] of after.entries()) {
    if (number !== through + 1 + index) damaged(`of its journal, record ${through + 1 + index} is missing, and record ${number} is there`);
  }
  const last = after.at(-1)?.number ?? through;
  if (begun > last + 1) damaged(`of its journal, record ${last + 1} is missing, and record ${begun} was begun`);
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
      const bytes = blankSectors(id, fileBytes);
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
