/**
 * A backup file: the state of a group at one position, as slices of a snapshot, with what is needed to know it by.
 *
 *   "lockstep backup\n" | format u32 | frames                                                (little-endian)
 *   frame: kind u8 | payload bytes u32 | checksum u32 over kind, size and the frame's number | payload | checksum u32 over payload and the one before
 *   header, slice …, end (count, bytes and digest of the slices)
 *
 * Not the reading and writing of files: backup-writer.ts, backup-reader.ts.
 */
import { crc32 } from "node:zlib";
import { array, ballot, finiteNumber, hash, natural, point, slotNumber, text } from "../codec/checks.js";
import { decodeValue, encodeValue } from "../codec/values.js";
import type { Ballot } from "../core/ballot.js";
import { LockstepError } from "../errors.js";
import { contentHash } from "../log/chain-hash.js";
import type { LogPoint } from "../log/log.js";

/** Raised when older versions could not read what is written any more. */
export const backupFormat = 1;
export const magic = Buffer.from("lockstep backup\n");
export const preambleBytes = magic.byteLength + 4;
export const kinds = { header: 1, slice: 2, end: 3 } as const;
export const frameHeadBytes = 9;
export const checksumBytes = 4;

export interface BackupHeader {
  readonly group: string;
  /** The replica that wrote it. */
  readonly slot: number;
  readonly slots: readonly number[];
  readonly policy: string;
  readonly machine: { readonly name: string; readonly version: number };
  /** The backup is the state here: all up to it, and nothing after. */
  readonly point: LogPoint;
  /** The highest that the replica knew: a group that is restored begins above it. */
  readonly ballot: Ballot;
  /** Cluster time at the point, milliseconds. */
  readonly now: number;
  /** By the wall clock of the host, milliseconds since 1970. */
  readonly atMs: number;
  /** Who asked for it. */
  readonly by: string;
}

export interface BackupEnd {
  readonly slices: number;
  readonly bytes: number;
  /** Over the hashes of the slices, in order. */
  readonly digest: string;
}

export function preamble(): Buffer {
  const bytes = Buffer.concat([magic, Buffer.alloc(4)]);
  bytes.writeUInt32LE(backupFormat, magic.byteLength);
  return bytes;
}

/** The head of a frame, and what follows its payload. */
export function seal(kind: number, index: number, payload: Uint8Array): { readonly head: Buffer; readonly checksum: Buffer } {
  const head = Buffer.alloc(frameHeadBytes);
  head.writeUInt8(kind, 0);
  head.writeUInt32LE(payload.byteLength, 1);
  const ofHead = headChecksum(head, index);
  head.writeUInt32LE(ofHead, 5);
  const checksum = Buffer.alloc(checksumBytes);
  checksum.writeUInt32LE(crc32(payload, ofHead), 0);
  return { head, checksum };
}

/** So that neither a size nor a frame in another's place is believed. */
export function headChecksum(head: Buffer, index: number): number {
  return crc32(head.subarray(0, 5), index);
}

export function encodeHeader({ group, slot, slots, policy, machine, point: at, ballot: b, now, atMs, by }: BackupHeader): Uint8Array {
  return encodeValue([group, slot, slots, policy, machine.name, machine.version, [at.position, at.hash], [b.era, b.ringSeq.toString(), b.ringNode, b.k, b.attempt], now, atMs, by]);
}

/** @throws LockstepError MALFORMED_MESSAGE. */
export function decodeHeader(payload: Uint8Array): BackupHeader {
  const [group, slot, slots, policy, name, version, at, highest, now, atMs, by] = array(decodeValue(payload));
  return {
    group: text(group), slot: slotNumber(slot), slots: array(slots).map(slotNumber), policy: text(policy), machine: { name: text(name), version: natural(version) },
    point: point(at), ballot: ballot(highest), now: finiteNumber(now), atMs: finiteNumber(atMs), by: text(by),
  };
}

export function encodeEnd({ slices, bytes, digest }: BackupEnd): Uint8Array {
  return encodeValue([slices, bytes, digest]);
}

/** @throws LockstepError MALFORMED_MESSAGE. */
export function decodeEnd(payload: Uint8Array): BackupEnd {
  const [slices, bytes, digest] = array(decodeValue(payload));
  return { slices: natural(slices), bytes: natural(bytes), digest: hash(digest) };
}

/** Counts and digests slices as they pass. */
export class SliceCount {
  readonly #hashes: string[] = [];
  #bytes = 0;

  add(slice: Uint8Array): void {
    this.#hashes.push(contentHash(slice));
    this.#bytes += slice.byteLength;
  }

  end(): BackupEnd {
    return { slices: this.#hashes.length, bytes: this.#bytes, digest: contentHash(Buffer.from(this.#hashes.join(""))) };
  }
}

export function damaged(path: string, what: string, cause?: unknown): LockstepError {
  return new LockstepError("BACKUP_DAMAGED", `The backup ${path} is damaged: ${what}. Take another copy of it, or an earlier backup: this one is not whole.`, { cause });
}
