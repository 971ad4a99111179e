/** The record of what was done to a replica's disk while nobody ran on it, as an entry of its log. */
import { randomBytes } from "node:crypto";
import { recordCall, type OperationInput } from "../apply/operations.js";
import { encodeCommand, encodeCommands } from "../codec/entry-codec.js";
import type { Ballot } from "../core/ballot.js";
import { chainHash } from "../log/chain-hash.js";
import type { LogPoint } from "../log/log.js";
import type { StoredEntry } from "../log/store.js";

/** The entry after a point. Its time moves cluster time on by nothing: that goes on where the state was. */
export function recordEntry(after: LogPoint, ballot: Ballot, slot: number, operation: OperationInput): StoredEntry {
  const origin = { slot, incarnation: randomBytes(8).toString("hex") };
  const record = encodeCommands({ origin, n: 1, timeMs: 0 }, [encodeCommand(recordCall(operation))]);
  return { position: after.position + 1, ballot, record, hash: chainHash(after.hash, ballot, record.bytes) };
}
