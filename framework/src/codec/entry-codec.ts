/**
 * Entries to bytes and back: what the chain hash covers and the log keeps.
 *
 *   slot u32 | incarnation 8 bytes | n f64 | timeMs f64 | kind u8 | body          (little-endian)
 *   kind 0, commands: count u32, then for each its length u32 and [name, input, requestId?] as a value
 *   kind 1, members:  [[slot, incarnation], …] as a value
 */
import { LockstepError } from "../errors.js";
import type { CommandCall, Entry, ReplicaIdentity } from "../log/entry.js";
import type { EntryRecord } from "../log/log.js";
import { array, finiteNumber, incarnation, malformed, slotNumber, text } from "./checks.js";
import { decodeValue, encodeValue } from "./values.js";

const headerBytes = 29;
const timeAt = 20;
const kinds = { commands: 0, members: 1 } as const;

/** What an entry costs on top of its commands, and each command on top of its encoding. */
const entryOverheadBytes = headerBytes + 4;
export const commandOverheadBytes = 4;

export interface EntryHeader {
  readonly origin: ReplicaIdentity;
  readonly n: number;
  readonly timeMs: number;
}

/** @throws LockstepError INVALID_INPUT if the input is not plain data. */
export function encodeCommand(call: CommandCall): Uint8Array {
  return encodeValue(call.requestId === undefined ? [call.name, call.input] : [call.name, call.input, call.requestId]);
}

export function encodeCommands(header: EntryHeader, commands: readonly Uint8Array[]): EntryRecord {
  let size = entryOverheadBytes;
  for (const command of commands) size += commandOverheadBytes + command.byteLength;
  const bytes = startEntry(header, kinds.commands, size);
  let offset = bytes.writeUInt32LE(commands.length, headerBytes);
  for (const command of commands) {
    offset = bytes.writeUInt32LE(command.byteLength, offset);
    bytes.set(command, offset);
    offset += command.byteLength;
  }
  return { incarnation: header.origin.incarnation, n: header.n, bytes };
}

export function encodeMembers(header: EntryHeader, members: readonly ReplicaIdentity[]): EntryRecord {
  const body = encodeValue(members.map((member) => [member.slot, member.incarnation]));
  const bytes = startEntry(header, kinds.members, headerBytes + body.byteLength);
  bytes.set(body, headerBytes);
  return { incarnation: header.origin.incarnation, n: header.n, bytes };
}

/** Another time for an entry that nobody has yet. */
export function stamp({ bytes }: EntryRecord, timeMs: number): void {
  viewOf(bytes).writeDoubleLE(timeMs, timeAt);
}

function startEntry({ origin, n, timeMs }: EntryHeader, kind: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size);
  bytes.writeUInt32LE(origin.slot, 0);
  bytes.write(origin.incarnation, 4, 8, "hex");
  bytes.writeDoubleLE(n, 12);
  bytes.writeDoubleLE(timeMs, timeAt);
  bytes.writeUInt8(kind, 28);
  return bytes;
}

/** Only what the protocol asks for; the rest is decoded when the entry is applied. */
export function readRecord(bytes: Uint8Array): EntryRecord {
  const view = viewOf(bytes);
  return { incarnation: view.toString("hex", 4, 12), n: finiteNumber(view.readDoubleLE(12)), bytes };
}

/** @throws LockstepError MALFORMED_MESSAGE. */
export function decodeEntry(bytes: Uint8Array): Entry {
  const view = viewOf(bytes);
  const header = {
    origin: { slot: view.readUInt32LE(0), incarnation: view.toString("hex", 4, 12) },
    n: finiteNumber(view.readDoubleLE(12)),
    timeMs: finiteNumber(view.readDoubleLE(timeAt)),
  };
  switch (view.readUInt8(28)) {
    case kinds.commands: return { ...header, commands: decodeCommands(view) };
    case kinds.members: return { ...header, commands: [], members: decodeMembers(view.subarray(headerBytes)) };
    default: return malformed("the entry is of an unknown kind");
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  if (bytes.byteLength < headerBytes) return malformed("the entry is too short");
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function decodeCommands(view: Buffer): CommandCall[] {
  if (view.byteLength < entryOverheadBytes) return malformed("the entry is too short");
  const count = view.readUInt32LE(headerBytes);
  const commands: CommandCall[] = [];
  let offset = entryOverheadBytes;
  for (let index = 0; index < count; index++) {
    if (offset + commandOverheadBytes > view.byteLength) return malformed("the entry ends within its commands");
    const start = offset + commandOverheadBytes;
    offset = start + view.readUInt32LE(offset);
    if (offset > view.byteLength) return malformed("the entry ends within a command");
    commands.push(decodeCommand(view.subarray(start, offset)));
  }
  if (offset !== view.byteLength) return malformed("bytes follow the entry's commands");
  return commands;
}

function decodeCommand(bytes: Uint8Array): CommandCall {
  const parts = array(decodeValue(bytes));
  const name = text(parts[0]);
  if (parts.length === 2) return { name, input: parts[1] };
  if (parts.length === 3) return { name, input: parts[1], requestId: text(parts[2]) };
  throw new LockstepError("MALFORMED_MESSAGE", "a command has a name, an input and at most a request id");
}

function decodeMembers(bytes: Uint8Array): ReplicaIdentity[] {
  return array(decodeValue(bytes)).map((item) => {
    const [slot, id] = array(item);
    return { slot: slotNumber(slot), incarnation: incarnation(id) };
  });
}
