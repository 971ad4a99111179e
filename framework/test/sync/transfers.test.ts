/** Transfers between a donor and a receiver: incremental and by snapshot, damaged, out of turn; nothing is half taken. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeMessage, encodeMessage } from "../../src/codec/message-codec.js";
import { encodeCommands } from "../../src/codec/entry-codec.js";
import type { CoreEvent, Transfer } from "../../src/core/events.js";
import type { ChunkMessage, Message } from "../../src/core/messages.js";
import { genesis } from "../../src/core/state.js";
import { LockstepError } from "../../src/errors.js";
import { contentHash } from "../../src/log/chain-hash.js";
import { MemoryLog, type LogEntry, type LogPoint } from "../../src/log/log.js";
import { decodeChunk, encodeChunk } from "../../src/sync/chunk.js";
import { Donation, digestOf, type DonorParts } from "../../src/sync/donation.js";
import { Reception } from "../../src/sync/reception.js";
import { Transfers } from "../../src/sync/transfers.js";
import { ListApplier } from "../simulation/list-applier.js";

const ballot = { era: 0, ringSeq: 4n, ringNode: 1, k: 1, attempt: 0 };
const silentLogger = { info: () => undefined, warn: () => undefined, error: () => undefined, debug: () => undefined };
const incarnation = "00000000000000aa";

/** A log of so many entries, the first of them applied. */
function donor(entries: number, applied: number): { log: MemoryLog; applier: ListApplier } {
  const log = new MemoryLog();
  const applier = new ListApplier();
  for (let n = 1; n <= entries; n++) {
    const record = encodeCommands({ origin: { slot: 1, incarnation }, n, timeMs: 0 }, [Buffer.from(`command ${n}`)]);
    const hash = log.append(ballot, record);
    if (n <= applied) applier.apply(n, hash, record);
  }
  return { log, applier };
}

function chunksOf(donation: Donation): ChunkMessage[] {
  const chunks: ChunkMessage[] = [];
  for (let chunk = donation.next(); chunk !== undefined; chunk = donation.next()) chunks.push(decodeMessage(encodeMessage(chunk)) as ChunkMessage);
  return chunks;
}

type Donor = Pick<DonorParts, "log" | "applier"> & Partial<DonorParts>;

function donation(from: Donor, have: readonly LogPoint[], through: number, snapshotSliceBytes: number, incrementalBytes = 1_000_000): Donation {
  return new Donation({ type: "donate", to: 2, turn: 3, ballot, have, through }, { entriesBetween: () => undefined, limits: { snapshotSliceBytes, incrementalBytes }, ...from });
}

function give(from: { log: MemoryLog; applier: ListApplier }, have: readonly LogPoint[], through: number, sliceBytes: number): ChunkMessage[] {
  return chunksOf(donation(from, have, through, sliceBytes));
}

describe("a transfer", () => {
  it("brings the entries after the best common place, or else a snapshot and the entries after it", () => {
    const sizes = fc.record({ entries: fc.integer({ min: 0, max: 60 }), appliedShare: fc.double({ min: 0, max: 1, noNaN: true }), haveShare: fc.option(fc.double({ min: 0, max: 1, noNaN: true })), sliceBytes: fc.integer({ min: 1, max: 1_000 }) });
    fc.assert(fc.property(sizes, ({ entries, appliedShare, haveShare, sliceBytes }) => {
      const from = donor(entries, Math.floor(entries * appliedShare));
      const position = Math.floor(entries * (haveShare ?? 0));
      const have = haveShare === null ? [] : [{ position: entries + 1, hash: "f".repeat(32) }, { position, hash: from.log.hashAt(position) as string }];
      const reception = new Reception(ballot, 3, new ListApplier());
      const last = give(from, have, entries, sliceBytes).map((chunk) => reception.accept(chunk)).at(-1);
      if (last?.kind !== "whole") return expect.fail("it is whole after its last chunk");
      const { received } = last;
      const start = haveShare === null ? from.applier.position : position;
      expect(received.mode).toBe(haveShare === null ? "snapshot" : "incremental");
      expect(received.from).toEqual({ position: start, hash: from.log.hashAt(start) });
      expect(received.entries.map(({ record }) => record.n)).toEqual(Array.from({ length: entries - start }, (_, index) => start + 1 + index));
      if (received.restored !== undefined) expect([received.restored.position, received.restored.lastApplied(incarnation)]).toEqual([start, start]);
      return undefined;
    }));
  });

  it("brings entries that only the donor's disk has any more, and a snapshot where those are no longer the donor's log", () => {
    const from = donor(50, 50);
    const entries = Array.from({ length: 30 }, (_, index) => from.log.at(index + 1) as LogEntry);
    const [first, thirtieth] = [{ position: 1, hash: from.log.hashAt(1) as string }, { position: 30, hash: from.log.hashAt(30) as string }];
    from.log.dropThrough(30);
    const stored: DonorParts["entriesBetween"] = (after, to) => after.hash === first.hash && to.hash === thirtieth.hash ? { aboutBytes: 1, entries: entries.slice(1) } : undefined;
    const later = Array.from({ length: 15 }, (_, index) => from.log.at(index + 31) as LogEntry);
    const taken = (have: readonly LogPoint[], entriesBetween: DonorParts["entriesBetween"], through = 50): unknown => {
      const reception = new Reception(ballot, 3, new ListApplier());
      return chunksOf(donation({ ...from, entriesBetween }, have, through, 100)).map((chunk) => reception.accept(chunk)).at(-1);
    };
    expect(taken([first], stored)).toMatchObject({ kind: "whole", received: { mode: "incremental", from: first, entries: Array.from({ length: 49 }, (_, index) => ({ record: { n: index + 2 } })) } });
    from.log.dropThrough(45);
    const upToBase: DonorParts["entriesBetween"] = () => ({ aboutBytes: 1, entries: [...entries.slice(1), ...later] });
    expect(taken([first], upToBase, 40), "no more than is asked for").toMatchObject({ received: { mode: "incremental", entries: { length: 39 } } });
    expect(taken([first], () => undefined)).toMatchObject({ kind: "whole", received: { mode: "snapshot" } });
  });

  it("is a snapshot where that is the smaller, and entries where little is missing", () => {
    const from = donor(50, 50);
    const have = [{ position: 1, hash: from.log.hashAt(1) as string }];
    const head = (incrementalBytes: number): string => Buffer.from(chunksOf(donation(from, have, 50, 100_000, incrementalBytes))[0]?.payload ?? []).toString();
    expect(head(10)).toContain("snapshot");
    expect(head(1_000_000)).toContain("incremental");
  });

  it("fixes what is given at its start: applying and forgetting meanwhile change nothing", () => {
    const from = donor(50, 20);
    const given = donation(from, [], 50, 50);
    const first = given.next() as ChunkMessage;
    for (let n = 21; n <= 50; n++) from.applier.apply(n, from.log.hashAt(n) as string, from.log.at(n)?.record as never);
    from.log.dropThrough(50);
    const reception = new Reception(ballot, 3, new ListApplier());
    const progress = [first, ...chunksOf(given)].map((chunk) => reception.accept(chunk)).at(-1);
    expect(progress).toMatchObject({ kind: "whole", received: { from: { position: 20 } } });
  });

  it("that is incomplete, damaged or out of order is thrown away, never half taken", () => {
    const chunks = give(donor(40, 20), [], 40, 60);
    expect(chunks.length).toBeGreaterThan(8);
    const damages = fc.oneof(
      fc.record({ kind: fc.constant("missing" as const), at: fc.nat({ max: chunks.length - 2 }) }),
      fc.record({ kind: fc.constant("twice" as const), at: fc.nat({ max: chunks.length - 2 }) }),
      fc.record({ kind: fc.constant("swapped" as const), at: fc.nat({ max: chunks.length - 2 }) }),
      fc.record({ kind: fc.constant("bit" as const), at: fc.nat({ max: chunks.length - 1 }), bit: fc.nat() }),
    );
    fc.assert(fc.property(damages, (damage) => {
      const bad = Array.from(chunks);
      const chunk = bad[damage.at] as ChunkMessage;
      if (damage.kind === "missing") bad.splice(damage.at, 1);
      else if (damage.kind === "twice") bad.splice(damage.at, 0, chunk);
      else if (damage.kind === "swapped") bad.splice(damage.at, 2, bad[damage.at + 1] as ChunkMessage, chunk);
      else {
        const payload = Uint8Array.from(chunk.payload);
        const at = damage.bit % payload.byteLength;
        payload[at] = (payload[at] ?? 0) ^ (1 << damage.bit % 8);
        bad[damage.at] = { ...chunk, payload };
      }
      const reception = new Reception(ballot, 3, new ListApplier());
      expect(() => { for (const one of bad) if (reception.accept(one).kind === "whole") throw new TypeError("it was taken"); }).toThrow(expect.objectContaining({ code: "MALFORMED_MESSAGE" }) as Error);
    }), { numRuns: 300 });
  });

  it("whose state is not of the place that its head says is thrown away, though each of its parts is whole", () => {
    const chunks = give(donor(10, 6), [], 10, 1_000).map(({ payload }) => decodeChunk(payload));
    const taking = (from: number) => () => {
      const reception = new Reception(ballot, 3, new ListApplier());
      const payloads: Uint8Array[] = [];
      for (const chunk of chunks) {
        const head = chunk.kind === "head" ? { ...chunk, from: { ...chunk.from, position: from } } : chunk;
        payloads.push(encodeChunk(head.kind === "end" ? { ...head, digest: digestOf(payloads.map(contentHash)) } : head));
      }
      return payloads.map((payload, index) => reception.accept({ type: "chunk", ballot, to: 2, turn: 3, index, payload })).at(-1)?.kind;
    };
    expect(taking(6)()).toBe("whole");
    expect(taking(7)).toThrow("the snapshot is of another position than announced");
  });

  it("of another turn or ballot is none of the receiver's", () => {
    const [chunk] = give(donor(5, 5), [], 5, 100) as [ChunkMessage];
    expect(new Reception(ballot, 4, new ListApplier()).accept(chunk)).toEqual({ kind: "notMine" });
    expect(new Reception({ ...ballot, k: 2 }, 3, new ListApplier()).accept(chunk)).toEqual({ kind: "notMine" });
  });
});

describe("transfers of a membership", () => {
  /** Both ends; chunks go through `delivered` as the group would hand them to everybody. */
  function pair(inFlightChunks: number) {
    const from = donor(40, 20);
    const wire: ChunkMessage[] = [];
    const told: CoreEvent[] = [];
    let blocked = false;
    const send = (message: Message): void => { wire.push(message as ChunkMessage); };
    const limits = { snapshotSliceBytes: 60, incrementalBytes: 1_000_000, inFlightChunks };
    const totals = { transferBytesGiven: 0, transferBytesTaken: 0 };
    const warnings: Readonly<Record<string, unknown>>[] = [];
    const logger = { ...silentLogger, warn: (fields: Readonly<Record<string, unknown>>) => { warnings.push(fields); } };
    const parts = { entriesBetween: () => undefined, logger, totals };
    const giving = new Transfers({ ...from, ...parts, limits, incarnation, send, blocked: () => blocked, tellCore: () => undefined });
    const taking = new Transfers({ log: new MemoryLog(), applier: new ListApplier(), ...parts, limits, incarnation, send, blocked: () => false, tellCore: (event) => told.push(event) });
    const deliver = (): void => {
      const chunk = wire.shift() as ChunkMessage;
      giving.delivered(true, false, chunk);
      taking.delivered(false, true, chunk);
    };
    return { from, giving, taking, wire, told, warnings, deliver, block: (now: boolean) => { blocked = now; } };
  }

  it("that a member asks for are broken off where they cannot be made, and not where an invariant does not hold: then the replica is to stop", () => {
    const { giving, from, wire } = pair(3);
    const capture = from.applier.capture.bind(from.applier);
    const wrong = (error: Error): void => { from.applier.capture = () => ({ ...capture(), slices: () => { throw error; } }); };
    const donate = (): void => giving.donate({ type: "donate", to: 2, turn: 0, ballot, have: [], through: 40 });
    wrong(new TypeError("no bytes for this"));
    donate();
    expect(wire).toHaveLength(1);
    wrong(new LockstepError("INVARIANT_VIOLATED", "two and two are five"));
    expect(donate).toThrow("two and two are five");
  });

  it("keep no more chunks under way than they may, and none while the way is blocked", () => {
    const { giving, taking, wire, told, deliver, block } = pair(3);
    taking.expect({ type: "receiveTransfer", ballot, turn: 0 });
    giving.donate({ type: "donate", to: 2, turn: 0, ballot, have: [], through: 40 });
    expect(wire).toHaveLength(3);
    block(true);
    deliver();
    expect(wire).toHaveLength(2);
    block(false);
    giving.pump();
    while (wire.length > 0) {
      expect(wire.length).toBeLessThanOrEqual(3);
      deliver();
    }
    const whole = told.at(-1) as { type: "transferred"; transfer: Transfer };
    expect(whole.transfer).toMatchObject({ mode: "snapshot", from: { position: 20 }, lastAppliedN: 20 });
    expect(whole.transfer.entries).toHaveLength(20);
    expect(taking.takeStaged()?.position).toBe(20);
    expect(taking.takeStaged()).toBeUndefined();
  });

  it("that a member asks for again are given up, whoever gives the next one; those to others go on", () => {
    const { giving, wire, deliver } = pair(2);
    for (const to of [2, 3]) giving.donate({ type: "donate", to, turn: 0, ballot, have: [], through: 40 });
    expect(wire.map(({ to }) => to)).toEqual([2, 2]);
    giving.stopDonating(2);
    const later: number[] = [];
    for (let underWay = wire.length; wire.length > 0; underWay = wire.length) {
      deliver();
      later.push(...wire.slice(underWay - 1).map(({ to }) => to));
    }
    expect(later.length).toBeGreaterThan(8);
    expect(new Set(later)).toEqual(new Set([3]));
  });

  it("tell the core of damage once, and take nothing more of that transfer", () => {
    const { giving, taking, wire, told, deliver } = pair(1);
    taking.expect({ type: "receiveTransfer", ballot, turn: 0 });
    giving.donate({ type: "donate", to: 2, turn: 0, ballot, have: [], through: 40 });
    deliver();
    const [chunk] = wire as [ChunkMessage];
    wire[0] = { ...chunk, index: chunk.index + 1 };
    for (let left = 6; left > 0; left--) deliver();
    expect(told.map(({ type }) => type)).toEqual(["transferProgress", "transferFailed"]);
  });

  it("say why one is asked for again, and nothing of the first", () => {
    const { taking, warnings } = pair(1);
    taking.expect({ type: "receiveTransfer", ballot, turn: 0 });
    expect(warnings).toEqual([]);
    taking.expect({ type: "receiveTransfer", ballot, turn: 1, again: "too much came meanwhile" });
    expect(warnings).toEqual([{ turn: 1, why: "too much came meanwhile" }]);
  });

  it("stop with their view, and begin again from the start when the member asks again", () => {
    const { giving, taking, wire, told, deliver } = pair(2);
    giving.donate({ type: "donate", to: 2, turn: 0, ballot, have: [], through: 40 });
    giving.cancel();
    while (wire.length > 0) deliver();
    taking.expect({ type: "receiveTransfer", ballot, turn: 1 });
    giving.donate({ type: "donate", to: 2, turn: 1, ballot, have: [genesis], through: 40 });
    giving.donate({ type: "donate", to: 2, turn: 2, ballot, have: [genesis], through: 40 });
    taking.expect({ type: "receiveTransfer", ballot, turn: 2 });
    while (wire.length > 0) deliver();
    expect(told.at(-1)).toMatchObject({ type: "transferred", transfer: { mode: "incremental", from: genesis } });
  });
});
