/** Random parts of the protocol, for property tests. */
import * as fc from "fast-check";
import type { Ballot } from "../../src/core/ballot.js";
import type { Message, QuorumReport, StateReport, TimeReport } from "../../src/core/messages.js";
import { encodeCommand, encodeCommands } from "../../src/codec/entry-codec.js";
import type { EntryRecord, LogPoint } from "../../src/log/log.js";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const natural = fc.maxSafeNat();
const hex = (digits: number): fc.Arbitrary<string> => fc.string({ unit: fc.constantFrom(...Array.from("0123456789abcdef")), minLength: digits, maxLength: digits });

export const ballots: fc.Arbitrary<Ballot> = fc.record({ era: u32, ringSeq: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), ringNode: u32, k: u32, attempt: u32 });
export const points: fc.Arbitrary<LogPoint> = fc.record({ position: natural, hash: hex(32) });

export const records: fc.Arbitrary<EntryRecord> = fc
  .record({ slot: u32, incarnation: hex(16), n: fc.integer({ min: 1 }), timeMs: fc.double({ noNaN: true, noDefaultInfinity: true }), inputs: fc.array(fc.string(), { maxLength: 4 }) })
  .map(({ slot, incarnation, n, timeMs, inputs }) => encodeCommands({ origin: { slot, incarnation }, n, timeMs }, inputs.map((input) => encodeCommand({ name: "set", input }))));

const quorums: fc.Arbitrary<QuorumReport> = fc.record({
  quorate: fc.boolean(), votes: fc.array(fc.tuple(u32, natural), { maxLength: 4 }), deviceVotes: natural, quorum: natural, twoNode: fc.boolean(), shrinks: fc.boolean(),
});

const times: fc.Arbitrary<TimeReport> = fc.record({
  stoodAtMs: natural, step: fc.record({ view: ballots, runningMs: natural, sure: fc.boolean() }),
}, { requiredKeys: ["stoodAtMs"] });

const reports: fc.Arbitrary<StateReport> = fc.record({
  slot: u32, incarnation: hex(16), lineage: fc.boolean(), unbroken: fc.boolean(), companions: fc.array(u32, { maxLength: 3 }), ballot: ballots, verified: points, committed: points, k: natural, promised: ballots,
  machine: fc.string(), version: natural, slots: fc.array(u32, { maxLength: 5 }), policy: fc.string(), yields: fc.boolean(), durability: fc.constantFrom("memory" as const, "disk" as const), known: fc.array(u32, { maxLength: 5 }), quorum: quorums, time: times,
}, { requiredKeys: ["slot", "incarnation", "lineage", "unbroken", "companions", "ballot", "verified", "committed", "k", "promised", "machine", "version", "slots", "policy", "yields", "durability", "known"] });

const claim = { ballot: ballots, point: points, ack: natural };

/** Every kind of message. */
export const messages: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ type: fc.constant("batch" as const), ...claim, record: records }),
  fc.record({ type: fc.constant("ack" as const), ...claim }),
  fc.record({ type: fc.constant("state" as const), exchange: fc.string(), report: reports }),
  fc.record({ type: fc.constant("promise" as const), ballot: ballots }),
  fc.record({ type: fc.constant("exclude" as const), attempt: fc.string(), silent: fc.array(fc.record({ nodeId: u32, pid: u32 }), { maxLength: 4 }) }),
  fc.record({ type: fc.constant("rejoin" as const), configuration: fc.string(), reason: fc.string() }),
  fc.record({ type: fc.constant("needSync" as const), ballot: ballots, turn: natural, have: fc.array(points, { maxLength: 3 }), reach: natural }),
  fc.record({ type: fc.constant("chunk" as const), ballot: ballots, to: u32, turn: natural, index: natural, payload: fc.uint8Array({ maxLength: 200 }) }),
  fc.record({ type: fc.constant("digest" as const), position: natural, digest: fc.string() }),
  fc.record({ type: fc.constant("askTime" as const), view: ballots, question: natural }),
  fc.record({ type: fc.constant("tellTime" as const), view: ballots, to: u32, question: natural, timeMs: natural }),
);
