/**
 * Records of a store as bytes: format version, kind, payload, and a checksum over them and the key they are kept under. So a
 * record that turns up in another's place is damage as well.
 */
import { crc32 } from "node:zlib";
import { array, ballot, flag, hash, malformed, natural, point, slotNumber, text } from "../codec/checks.js";
import { readRecord } from "../codec/entry-codec.js";
import { decodeValue, encodeValue } from "../codec/values.js";
import type { Ballot } from "../core/ballot.js";
import { LockstepError, isLockstepError } from "../errors.js";
import { writeBallot } from "./chain-hash.js";
import type { LogEntry, LogPoint } from "./log.js";
import type { StoreHead, StoreIdentity } from "./store.js";

/** Raised when older versions could not read what is written any more. 2: a journal may go with the database. */
export const storeFormat = 2;

const kinds = { identity: 1, head: 2, base: 3, entry: 4, slice: 5, snapshot: 6, journal: 7 } as const;
export type RecordKind = keyof typeof kinds;

const headerBytes = 2;
const checksumBytes = 4;
const ballotBytes = 24;
const hashBytes = 16;

/** What the head's record says. */
export interface HeadRecord {
  readonly head: StoreHead;
  /** Where the log ends: should its last entries be missing, it shows. */
  readonly end: LogPoint;
}

/** Where the log begins. */
export interface BaseRecord {
  readonly point: LogPoint;
  /** The number of the snapshot of the state there. */
  readonly snapshot: number;
  /** Entries after this point are kept, for members that come back: the base before this one. */
  readonly since: LogPoint;
}

/** The end of a snapshot: it is whole. */
export interface SnapshotRecord {
  readonly point: LogPoint;
  readonly slices: number;
  /** Over the hashes of the slices, in order. */
  readonly digest: string;
}

/** What the database says of its journal (journal.ts). */
export interface JournalCheckpoint {
  readonly id: string;
  /** The database has its records up to this one. */
  readonly through: number;
  /** There may be more records. */
  readonly open: boolean;
}

function seal(key: string, kind: RecordKind, ...parts: readonly Uint8Array[]): Uint8Array {
  const record = Buffer.concat([Buffer.from([storeFormat, kinds[kind]]), ...parts, Buffer.alloc(checksumBytes)]);
  record.writeUInt32LE(checksum(key, record), record.byteLength - checksumBytes);
  return record;
}

function checksum(key: string, record: Uint8Array): number {
  return crc32(record.subarray(0, record.byteLength - checksumBytes), crc32(key));
}

/** @throws LockstepError STORE_DAMAGED, STORE_FOREIGN (a newer format). */
function unseal(key: string, kind: RecordKind, record: Uint8Array): Buffer {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  if (bytes.byteLength < headerBytes + checksumBytes) return damaged(`${key} has ${bytes.byteLength} bytes`);
  if (bytes.readUInt32LE(bytes.byteLength - checksumBytes) !== checksum(key, bytes)) return damaged(`the checksum of ${key} is wrong`);
  if ((bytes[0] ?? 0) > storeFormat) {
    throw new LockstepError("STORE_FOREIGN", `The store has format ${bytes[0]}; this version reads up to ${storeFormat}. Start the version that wrote it, or one after it.`);
  }
  if (bytes[1] !== kinds[kind]) return damaged(`${key} is a record of another kind`);
  return bytes.subarray(headerBytes, bytes.byteLength - checksumBytes);
}

export const wayOut = "Nothing was changed. Move the directory away and start again: the replica then takes the state from the others; where there are none, restore a backup.";

export function damaged(what: string): never {
  throw new LockstepError("STORE_DAMAGED", `The store is damaged: ${what}. ${wayOut}`);
}

/** Decodes a payload; whatever is wrong with it is damage. */
function read<T>(key: string, kind: RecordKind, record: Uint8Array, decode: (payload: Buffer) => T): T {
  const payload = unseal(key, kind, record);
  try {
    return decode(payload);
  } catch (error) {
    return isLockstepError(error, "MALFORMED_MESSAGE") ? damaged(`${key}: ${error.message}`) : damaged(`${key}: ${String(error)}`);
  }
}

export function encodeIdentity(key: string, { group, slot, machine, slots, policy, version }: StoreIdentity): Uint8Array {
  return seal(key, "identity", encodeValue([group, slot, machine, slots, policy, version]));
}

export function decodeIdentity(key: string, record: Uint8Array): StoreIdentity {
  return read(key, "identity", record, (payload) => {
    const [group, slot, machine, slots, policy, version] = array(decodeValue(payload));
    return {
      group: text(group), slot: slotNumber(slot), machine: text(machine), version: version === undefined ? undefined : natural(version),
      slots: array(slots).map(slotNumber), policy: text(policy),
    };
  });
}

export function encodeHead(key: string, { head, end }: HeadRecord): Uint8Array {
  const { ballot: taken, promised, lineage, replaceState, known } = head;
  return seal(key, "head", encodeValue([parts(taken), parts(promised), lineage, replaceState, known, [end.position, end.hash]]));
}

export function decodeHead(key: string, record: Uint8Array): HeadRecord {
  return read(key, "head", record, (payload) => {
    const [taken, promised, lineage, replaceState, known, end] = array(decodeValue(payload));
    return {
      head: { ballot: ballot(taken), promised: ballot(promised), lineage: flag(lineage), replaceState: flag(replaceState), known: array(known).map(slotNumber) },
      end: point(end),
    };
  });
}

export function encodeBase(key: string, { point: at, snapshot, since }: BaseRecord): Uint8Array {
  return seal(key, "base", encodeValue([[at.position, at.hash], snapshot, [since.position, since.hash]]));
}

export function decodeBase(key: string, record: Uint8Array): BaseRecord {
  return read(key, "base", record, (payload) => {
    const [at, snapshot, since] = array(decodeValue(payload));
    return { point: point(at), snapshot: natural(snapshot), since: point(since) };
  });
}

export function encodeEntry(key: string, entry: LogEntry): Uint8Array {
  const prefix = Buffer.alloc(ballotBytes + hashBytes);
  writeBallot(prefix, entry.ballot, 0);
  prefix.write(entry.hash, ballotBytes, "hex");
  return seal(key, "entry", prefix, entry.record.bytes);
}

export function decodeEntry(key: string, record: Uint8Array): LogEntry {
  return read(key, "entry", record, (payload) => {
    if (payload.byteLength < ballotBytes + hashBytes) return malformed("it is too short");
    return {
      ballot: {
        era: payload.readUInt32LE(0), ringSeq: payload.readBigUInt64LE(4), ringNode: payload.readUInt32LE(12),
        k: payload.readUInt32LE(16), attempt: payload.readUInt32LE(20),
      },
      hash: payload.toString("hex", ballotBytes, ballotBytes + hashBytes),
      record: readRecord(payload.subarray(ballotBytes + hashBytes)),
    };
  });
}

export function encodeSlice(key: string, slice: Uint8Array): Uint8Array {
  return seal(key, "slice", slice);
}

export function decodeSlice(key: string, record: Uint8Array): Uint8Array {
  return unseal(key, "slice", record);
}

export function encodeSnapshot(key: string, { point: at, slices, digest }: SnapshotRecord): Uint8Array {
  return seal(key, "snapshot", encodeValue([at.position, at.hash, slices, digest]));
}

export function decodeSnapshot(key: string, record: Uint8Array): SnapshotRecord {
  return read(key, "snapshot", record, (payload) => {
    const [position, there, slices, digest] = array(decodeValue(payload));
    return { point: { position: natural(position), hash: hash(there) }, slices: natural(slices), digest: hash(digest) };
  });
}

export function encodeCheckpoint(key: string, { id, through, open }: JournalCheckpoint): Uint8Array {
  return seal(key, "journal", encodeValue([id, through, open]));
}

export function decodeCheckpoint(key: string, record: Uint8Array): JournalCheckpoint {
  return read(key, "journal", record, (payload) => {
    const [id, through, open] = array(decodeValue(payload));
    return { id: hash(id), through: natural(through), open: flag(open) };
  });
}

function parts(b: Ballot): readonly unknown[] {
  return [b.era, b.ringSeq.toString(), b.ringNode, b.k, b.attempt];
}
