/**
 * A record of the journal (journal.ts), as it is in the file: whole pages of 512-byte sectors. Each sector begins with a tag, twice
 * the record's number, and one more in its first sector; what follows the tags is
 *
 *   header    checksum of the changes; checksum of the rest of the header; length of the changes; number; id of the journal
 *   changes   length of the key, length of the value, key, value, …
 *
 * A disk writes a sector wholly or not at all. So a record that a loss of power has torn lacks sectors, and one that has them all and
 * does not read has been damaged since: the tags tell the one from the other.
 */
import { crc32 } from "node:zlib";
import type { Put } from "./store.js";

export const pageBytes = 4096;
export const idBytes = 16;
const sectorBytes = 512;
const tagBytes = 4;
const payloadBytes = sectorBytes - tagBytes;
/** Where a header has the length, the number and the id: the first sector alone tells whether it reads. */
const lengthAt = 8;
const numberAt = 12;
const idAt = 20;
const headerBytes = idAt + idBytes;
const putHeaderBytes = 6;

export interface JournalRecord {
  readonly number: number;
  readonly changes: readonly Put[];
}

/** A record that was written as a whole and does not read. */
export interface CorruptRecord {
  readonly firstTag: number;
}

export function firstTag(number: number): number {
  return (number * 2 + 1) % 2 ** 32;
}

/** Of the record alone, before it is spread over pages. */
export function sizeOf(puts: readonly Put[]): number {
  let bytes = headerBytes;
  for (const { key, value } of puts) bytes += putHeaderBytes + key.length + value.byteLength;
  return bytes;
}

/** What a record of this size takes in the file. */
export function pagedSize(size: number): number {
  return Math.ceil(Math.ceil(size / payloadBytes) * sectorBytes / pageBytes) * pageBytes;
}

export function encodeRecord(id: Buffer, number: number, puts: readonly Put[]): Buffer {
  const record = Buffer.allocUnsafe(sizeOf(puts));
  let at = headerBytes;
  for (const { key, value } of puts) {
    record.writeUInt16LE(key.length, at);
    record.writeUInt32LE(value.byteLength, at + 2);
    at += putHeaderBytes;
    at += record.write(key, at, "latin1");
    record.set(value, at);
    at += value.byteLength;
  }
  record.writeUInt32LE(record.byteLength - headerBytes, lengthAt);
  record.writeBigUInt64LE(BigInt(number), numberAt);
  id.copy(record, idAt);
  record.writeUInt32LE(crc32(record.subarray(lengthAt, headerBytes)), 4);
  record.writeUInt32LE(crc32(record.subarray(headerBytes)), 0);
  return spread(record, firstTag(number));
}

function spread(record: Buffer, first: number): Buffer {
  const pages = Buffer.alloc(pagedSize(record.byteLength));
  for (let sector = 0; sector * payloadBytes < record.byteLength; sector++) {
    pages.writeUInt32LE(sector === 0 ? first : first - 1, sector * sectorBytes);
    record.copy(pages, sector * sectorBytes + tagBytes, sector * payloadBytes, (sector + 1) * payloadBytes);
  }
  return pages;
}

/** What begins in this page: undefined if nothing does, or only a part of it was written. */
export function readRecord(bytes: Buffer, at: number, id: Buffer): JournalRecord | CorruptRecord | undefined {
  const tag = tagAt(bytes, at);
  if (tag % 2 === 0) return undefined;
  const record = sectorsOf(bytes, at, tag);
  if (crc32(record.subarray(lengthAt, headerBytes)) !== record.readUInt32LE(4) || !record.subarray(idAt, headerBytes).equals(id)) return { firstTag: tag };
  const changes = record.subarray(headerBytes, headerBytes + record.readUInt32LE(lengthAt));
  if (changes.byteLength < record.readUInt32LE(lengthAt)) return undefined;
  if (crc32(changes) !== record.readUInt32LE(0)) return { firstTag: tag };
  return { number: Number(record.readBigUInt64LE(numberAt)), changes: readPuts(changes) };
}

/** What the sectors hold that belong to the record whose first is here. */
function sectorsOf(bytes: Buffer, at: number, first: number): Buffer {
  const parts = [bytes.subarray(at + tagBytes, at + sectorBytes)];
  for (let next = at + sectorBytes; tagAt(bytes, next) === first - 1; next += sectorBytes) parts.push(bytes.subarray(next + tagBytes, next + sectorBytes));
  return Buffer.concat(parts);
}

/** 0 where nothing was ever written. */
function tagAt(bytes: Buffer, at: number): number {
  return at + sectorBytes <= bytes.byteLength ? bytes.readUInt32LE(at) : 0;
}

function readPuts(bytes: Buffer): Put[] {
  const puts: Put[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const keyEnd = at + putHeaderBytes + bytes.readUInt16LE(at);
    const end = keyEnd + bytes.readUInt32LE(at + 2);
    // Its checksum is right, so this is what was written; a copy, because the file's content is not to be kept for it.
    puts.push({ type: "put", key: bytes.toString("latin1", at + putHeaderBytes, keyEnd), value: Uint8Array.from(bytes.subarray(keyEnd, end)) });
    at = end;
  }
  return puts;
}
