/**
 * The chain hash: equal hashes at one position mean equal entries, ballots included, at it and everywhere before it.
 * 128 bits of SHA-256: accidents and honest faults, not an adversary inside the group, are what it must tell apart.
 */
import { createHash, hash as hashOnce } from "node:crypto";
import type { Ballot } from "../core/ballot.js";

const hashHexDigits = 32;
const prefixBytes = 16 + 24;

export const genesisHash = "0".repeat(hashHexDigits);

/** Entries up to this size are copied behind their prefix and hashed in one call, which is faster than three updates. */
const scratch = Buffer.alloc(prefixBytes + 32 * 1024);

export function chainHash(previous: string, ballot: Ballot, bytes: Uint8Array): string {
  writeBallot(scratch, ballot, scratch.write(previous, 0, 16, "hex"));
  if (prefixBytes + bytes.byteLength <= scratch.byteLength) {
    scratch.set(bytes, prefixBytes);
    return hashOnce("sha256", scratch.subarray(0, prefixBytes + bytes.byteLength), "hex").slice(0, hashHexDigits);
  }
  return createHash("sha256").update(scratch.subarray(0, prefixBytes)).update(bytes).digest("hex").slice(0, hashHexDigits);
}

export function contentHash(bytes: Uint8Array): string {
  return hashOnce("sha256", bytes, "hex").slice(0, hashHexDigits);
}

/** 24 bytes, little-endian: era u32, ring sequence u64, ring node u32, k u32, attempt u32. Returns the offset behind. */
export function writeBallot(into: Buffer, ballot: Ballot, offset: number): number {
  into.writeUInt32LE(ballot.era, offset);
  into.writeBigUInt64LE(ballot.ringSeq, offset + 4);
  into.writeUInt32LE(ballot.ringNode, offset + 12);
  into.writeUInt32LE(ballot.k, offset + 16);
  into.writeUInt32LE(ballot.attempt, offset + 20);
  return offset + 24;
}
