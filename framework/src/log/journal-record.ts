/**
 * A record of the journal (journal.ts), as it is in the file: whole pages of 512-byte sectors. Each sector has
 *
 *   checksum of the rest, and of the journal's id; number of the record (0: none yet); index in it; a part of the content
 *
 * and the content is the length of the changes, then the changes: length of the key, length of the value, key, value, …
 *
 * A disk writes a sector wholly or not at all. So whatever a loss of power has torn, each sector reads: it is the record's, or still
 * what was there before. A sector that does not read has been damaged since.
 */
import { crc32 } from "node:zlib";
import type { Put } from "./store.js";

export const pageBytes = 4096;
const sectorBytes = 512;
const numberAt = 4;
const indexAt = 10;
const contentAt = 12;
const contentBytes = sectorBytes - contentAt;
const lengthBytes = 4;
const putHeaderBytes = 6;

export interface JournalRecord {
  readonly number: number;
  readonly changes: readonly Put[];
}

export interface Sector {
  /** Of the record; 0: of none. */
  readonly number: number;
  readonly index: number;
  readonly content: Buffer;
}

/** Of the content alone, before it is spread over pages. */
export function sizeOf(puts: readonly Put[]): number {
  let bytes = lengthBytes;
  for (const { key, value } of puts) bytes += putHeaderBytes + key.length + value.byteLength;
  return bytes;
}

/** What a record of this size takes in the file. */
export function pagedSize(size: number): number {
  return Math.ceil(Math.ceil(size / contentBytes) * sectorBytes / pageBytes) * pageBytes;
}

export function encodeRecord(id: Buffer, number: number, puts: readonly Put[]): Buffer {
  const content = Buffer.allocUnsafe(sizeOf(puts));
  content.writeUInt32LE(content.byteLength - lengthBytes, 0);
  let at = lengthBytes;
  for (const { key, value } of puts) {
    content.writeUInt16LE(key.length, at);
    content.writeUInt32LE(value.byteLength, at + 2);
    at += putHeaderBytes;
    at += content.write(key, at, "latin1");
    content.set(value, at);
    at += value.byteLength;
  }
  return seal(id, number, content, pagedSize(content.byteLength));
}

/** Sectors in which no record was written yet. */
export function blankSectors(id: Buffer, bytes: number): Buffer {
  return Buffer.alloc(bytes, seal(id, 0, Buffer.alloc(0), sectorBytes));
}

function seal(id: Buffer, number: number, content: Buffer, bytes: number): Buffer {
  const sectors = Buffer.alloc(bytes);
  const seed = crc32(id);
  for (let [at, index] = [0, 0]; at < bytes; at += sectorBytes, index++) {
    sectors.writeUIntLE(number, at + numberAt, 6);
    sectors.writeUInt16LE(index, at + indexAt);
    sectors.set(content.subarray(index * contentBytes, (index + 1) * contentBytes), at + contentAt);
    sectors.writeUInt32LE(checksum(sectors, at, seed), at);
  }
  return sectors;
}

function checksum(bytes: Buffer, at: number, seed: number): number {
  return crc32(bytes.subarray(at + numberAt, at + sectorBytes), seed);
}

/** All that follow, in the order of the file; undefined: it does not read. */
export function readSectors(bytes: Buffer, id: Buffer): (Sector | undefined)[] {
  const seed = crc32(id);
  const sectors: (Sector | undefined)[] = [];
  for (let at = 0; at + sectorBytes <= bytes.byteLength; at += sectorBytes) {
    const reads = bytes.readUInt32LE(at) === checksum(bytes, at, seed);
    sectors.push(reads ? { number: bytes.readUIntLE(at + numberAt, 6), index: bytes.readUInt16LE(at + indexAt), content: bytes.subarray(at + contentAt, at + sectorBytes) } : undefined);
  }
  return sectors;
}

/** The record that begins in this sector; undefined if none does, or not all of it is there. */
export function readRecord(sectors: readonly (Sector | undefined)[], at: number): JournalRecord | undefined {
  const first = sectors[at];
  if (first === undefined || first.number === 0 || first.index !== 0) return undefined;
  const size = lengthBytes + first.content.readUInt32LE(0);
  const all = sectors.slice(at, at + pagedSize(size) / sectorBytes);
  const isWhole = all.length * sectorBytes === pagedSize(size) && all.every((sector, index) => sector?.number === first.number && sector.index === index);
  return isWhole ? { number: first.number, changes: readPuts(Buffer.concat(all.flatMap((sector) => sector?.content ?? [])).subarray(lengthBytes, size)) } : undefined;
}

function readPuts(bytes: Buffer): Put[] {
  const puts: Put[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const keyEnd = at + putHeaderBytes + bytes.readUInt16LE(at);
    const end = keyEnd + bytes.readUInt32LE(at + 2);
    // Its checksums are right, so this is what was written; a copy, because the file's content is not to be kept for it.
    puts.push({ type: "put", key: bytes.toString("latin1", at + putHeaderBytes, keyEnd), value: Uint8Array.from(bytes.subarray(keyEnd, end)) });
    at = end;
  }
  return puts;
}
