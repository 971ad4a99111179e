/**
 * Messages to bytes and back.
 *
 *   version u8 | kind u8 | …                                                                 (little-endian)
 *   batch, ack: ballot 24 bytes | position f64 | hash 16 bytes | ack f64 | a batch's entry
 *   control:    [type, …] as a value: rare, so readable rather than small
 *   fragment:   fragments.ts
 */
import type { Ballot } from "../core/ballot.js";
import type { LogPoint } from "../log/log.js";
import type { AckMessage, BatchMessage, ChunkMessage, Claim, Durability, Message, QuorumReport, StateReport, TimeReport } from "../core/messages.js";
import { contentHash, writeBallot } from "../log/chain-hash.js";
import { array, ballot, bytes, finiteNumber, flag, hash, incarnation, malformed, natural, point, slotNumber, text } from "./checks.js";
import { readRecord } from "./entry-codec.js";
import { decodeValue, encodeValue } from "./values.js";

export const protocolVersion = 1;
export const kinds = { batch: 1, ack: 2, control: 3, fragment: 4 } as const;

const claimBytes = 2 + 24 + 8 + 16 + 8;

export function encodeMessage(message: Message): Buffer {
  switch (message.type) {
    case "batch": {
      const encoded = Buffer.allocUnsafeSlow(claimBytes + message.record.bytes.byteLength);
      writeClaim(encoded, kinds.batch, message);
      encoded.set(message.record.bytes, claimBytes);
      return encoded;
    }
    case "ack": {
      const encoded = Buffer.allocUnsafeSlow(claimBytes);
      writeClaim(encoded, kinds.ack, message);
      return encoded;
    }
    default: {
      const body = encodeValue(controlParts(message));
      const encoded = Buffer.allocUnsafeSlow(2 + body.byteLength);
      encoded[0] = protocolVersion;
      encoded[1] = kinds.control;
      encoded.set(body, 2);
      return encoded;
    }
  }
}

function writeClaim(into: Buffer, kind: number, claim: Claim): void {
  into[0] = protocolVersion;
  into[1] = kind;
  let offset = writeBallot(into, claim.ballot, 2);
  offset = into.writeDoubleLE(claim.point.position, offset);
  offset += into.write(claim.point.hash, offset, 16, "hex");
  into.writeDoubleLE(claim.ack, offset);
}

/** @throws LockstepError MALFORMED_MESSAGE. */
export function decodeMessage(data: Uint8Array): Message {
  const view = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (view[0] !== protocolVersion) return malformed(`version ${view[0] ?? "none"} instead of ${protocolVersion}`);
  switch (view[1]) {
    case kinds.batch: return readBatch(view);
    case kinds.ack: return readAck(view);
    case kinds.control: return readControl(decodeValue(view.subarray(2)));
    default: return malformed(`unknown kind ${view[1] ?? "none"}`);
  }
}

function readClaim(view: Buffer): Claim {
  if (view.byteLength < claimBytes) return malformed("it is too short");
  return {
    ballot: {
      era: view.readUInt32LE(2), ringSeq: view.readBigUInt64LE(6), ringNode: view.readUInt32LE(14),
      k: view.readUInt32LE(18), attempt: view.readUInt32LE(22),
    },
    point: { position: natural(view.readDoubleLE(26)), hash: view.toString("hex", 34, 50) },
    ack: natural(view.readDoubleLE(50)),
  };
}

function readBatch(view: Buffer): BatchMessage {
  const { ballot: ofView, point: at, ack } = readClaim(view);
  return { type: "batch", ballot: ofView, point: at, ack, record: readRecord(view.subarray(claimBytes)) };
}

function readAck(view: Buffer): AckMessage {
  if (view.byteLength !== claimBytes) return malformed("an acknowledgement has a fixed length");
  const { ballot: ofView, point: at, ack } = readClaim(view);
  return { type: "ack", ballot: ofView, point: at, ack };
}

type ControlMessage = Exclude<Message, BatchMessage | AckMessage>;

function controlParts(message: ControlMessage): readonly unknown[] {
  switch (message.type) {
    case "state": return [message.type, message.exchange, reportParts(message.report)];
    case "promise": return [message.type, ballotParts(message.ballot)];
    case "exclude": return [message.type, message.attempt, message.silent.map((member) => [member.nodeId, member.pid])];
    case "rejoin": return [message.type, message.configuration, message.reason];
    case "needSync": return [message.type, ballotParts(message.ballot), message.turn, message.have.map(pointParts), message.reach];
    case "chunk": return [message.type, ballotParts(message.ballot), message.to, message.turn, message.index, contentHash(message.payload), message.payload];
    case "digest": return [message.type, message.position, message.digest];
    case "askTime": return [message.type, ballotParts(message.view), message.question];
    case "tellTime": return [message.type, ballotParts(message.view), message.to, message.question, message.timeMs];
    default: return message satisfies never;
  }
}

function readControl(value: unknown): ControlMessage {
  const [type, ...parts] = array(value);
  switch (type) {
    case "state": return { type, exchange: text(parts[0]), report: readReport(parts[1]) };
    case "promise": return { type, ballot: ballot(parts[0]) };
    case "exclude": return { type, attempt: text(parts[0]), silent: array(parts[1]).map(readMember) };
    case "rejoin": return { type, configuration: text(parts[0]), reason: text(parts[1]) };
    case "needSync": return { type, ballot: ballot(parts[0]), turn: natural(parts[1]), have: array(parts[2]).map(point), reach: natural(parts[3]) };
    case "chunk": return readChunk(parts);
    case "digest": return { type, position: natural(parts[0]), digest: text(parts[1]) };
    case "askTime": return { type, view: ballot(parts[0]), question: natural(parts[1]) };
    case "tellTime": return { type, view: ballot(parts[0]), to: slotNumber(parts[1]), question: natural(parts[2]), timeMs: finiteNumber(parts[3]) };
    default: return malformed("unknown control message");
  }
}

function readMember(value: unknown): { nodeId: number; pid: number } {
  const [nodeId, pid] = array(value);
  return { nodeId: slotNumber(nodeId), pid: slotNumber(pid) };
}

function ballotParts(b: Ballot): readonly unknown[] {
  return [b.era, b.ringSeq.toString(), b.ringNode, b.k, b.attempt];
}

function pointParts(p: LogPoint): readonly unknown[] {
  return [p.position, p.hash];
}

function reportParts(report: StateReport): readonly unknown[] {
  const { quorum, time } = report;
  return [
    report.slot, report.incarnation, report.lineage, ballotParts(report.ballot), pointParts(report.verified), pointParts(report.committed),
    report.k, ballotParts(report.promised), report.machine, report.version, report.slots, report.policy, report.yields,
    report.durability, report.known,
    quorum === undefined ? null : [quorum.quorate, quorum.votes, quorum.deviceVotes, quorum.quorum, quorum.twoNode, quorum.shrinks],
    time === undefined ? null : [time.stoodAtMs, ...(time.step === undefined ? [] : [ballotParts(time.step.view), time.step.runningMs, time.step.sure])],
    report.unbroken, report.companions,
  ];
}

function readReport(value: unknown): StateReport {
  const parts = array(value);
  return {
    slot: slotNumber(parts[0]), incarnation: incarnation(parts[1]), lineage: flag(parts[2]), ballot: ballot(parts[3]),
    verified: point(parts[4]), committed: point(parts[5]), k: natural(parts[6]), promised: ballot(parts[7]),
    machine: text(parts[8]), version: natural(parts[9]), slots: array(parts[10]).map(slotNumber), policy: text(parts[11]), yields: flag(parts[12]),
    durability: readDurability(parts[13]), known: array(parts[14]).map(slotNumber),
    // Of a version that does not tell it: others may have gone on.
    unbroken: parts[17] === undefined ? false : flag(parts[17]), companions: parts[18] === undefined ? [] : array(parts[18]).map(slotNumber),
    ...(parts[15] === null ? {} : { quorum: readQuorum(parts[15]) }),
    ...(parts[16] === null ? {} : { time: readTime(parts[16]) }),
  };
}

function readTime(value: unknown): TimeReport {
  const [stoodAtMs, view, runningMs, sure] = array(value);
  return { stoodAtMs: finiteNumber(stoodAtMs), ...(view === undefined ? {} : { step: { view: ballot(view), runningMs: finiteNumber(runningMs), sure: flag(sure) } }) };
}

function readDurability(value: unknown): Durability {
  return value === "memory" || value === "disk" ? value : malformed("a durability is memory or disk");
}

function readQuorum(value: unknown): QuorumReport {
  const [quorate, votes, deviceVotes, quorum, twoNode, shrinks] = array(value);
  return {
    quorate: flag(quorate),
    votes: array(votes).map((item) => {
      const [node, count] = array(item);
      return [slotNumber(node), natural(count)] as const;
    }),
    deviceVotes: natural(deviceVotes), quorum: natural(quorum), twoNode: flag(twoNode),
    // A version that does not tell it takes no notice of it either.
    shrinks: shrinks === undefined ? false : flag(shrinks),
  };
}

function readChunk(parts: readonly unknown[]): ChunkMessage {
  const payload = bytes(parts[5]);
  if (contentHash(payload) !== hash(parts[4])) return malformed("a chunk is damaged");
  return { type: "chunk", ballot: ballot(parts[0]), to: slotNumber(parts[1]), turn: natural(parts[2]), index: natural(parts[3]), payload };
}
