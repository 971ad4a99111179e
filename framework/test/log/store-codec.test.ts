/** Records of a store: any comes back as it was, and nothing else passes for one. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isLockstepError } from "../../src/errors.js";
import {
  decodeBase, decodeEntry, decodeHead, decodeIdentity, decodeCheckpoint, decodeSlice, decodeSnapshot, encodeBase, encodeEntry, encodeHead, encodeIdentity, encodeCheckpoint, encodeSlice,
  encodeSnapshot, storeFormat,
} from "../../src/log/store-codec.js";
import { ballots, points, records } from "../support/arbitraries.js";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const slots = fc.array(u32, { maxLength: 7 });

interface Kind<T> {
  readonly values: fc.Arbitrary<T>;
  readonly encode: (key: string, value: T) => Uint8Array;
  readonly decode: (key: string, record: Uint8Array) => T;
}

const kind = <T>(values: fc.Arbitrary<T>, encode: Kind<T>["encode"], decode: Kind<T>["decode"]): Kind<unknown> => ({ values, encode, decode }) as Kind<unknown>;

const kinds: Readonly<Record<string, Kind<unknown>>> = {
  identity: kind(fc.record({ group: fc.string(), slot: u32, machine: fc.string(), version: fc.option(fc.maxSafeNat(), { nil: undefined }), slots, policy: fc.string() }), encodeIdentity, decodeIdentity),
  head: kind(fc.record({
    head: fc.record({ ballot: ballots, promised: ballots, lineage: fc.boolean(), replaceState: fc.boolean(), known: slots }), end: points,
  }), encodeHead, decodeHead),
  base: kind(fc.record({ point: points, snapshot: fc.maxSafeNat(), since: points }), encodeBase, decodeBase),
  entry: kind(fc.record({ ballot: ballots, hash: points.map(({ hash }) => hash), record: records }), encodeEntry, decodeEntry),
  slice: kind(fc.uint8Array({ minLength: 1, maxLength: 300 }), encodeSlice, decodeSlice),
  journal: kind(fc.record({ id: points.map(({ hash }) => hash), through: fc.maxSafeNat(), open: fc.boolean() }), encodeCheckpoint, decodeCheckpoint),
  snapshot: kind(fc.record({ point: points, slices: fc.maxSafeNat(), digest: points.map(({ hash }) => hash) }), encodeSnapshot, decodeSnapshot),
};

/** Buffers and other views of the same bytes are equal. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === "bigint") return `${part}n`;
    return part instanceof Uint8Array ? Buffer.from(part).toString("hex") : part;
  }).replaceAll(/\{"type":"Buffer","data":(\[[\d,]*\])\}/g, (_all, data: string) => JSON.stringify(Buffer.from(JSON.parse(data) as number[]).toString("hex"))));
}

function isDamage(read: () => unknown): boolean {
  try {
    read();
    return false;
  } catch (error) {
    return isLockstepError(error, "STORE_DAMAGED");
  }
}

describe.each(Object.entries(kinds))("a record of kind %s", (name, { values, encode, decode }) => {
  it("is read as it was written", () => {
    fc.assert(fc.property(fc.string(), values, (key, value) => {
      expect(plain(decode(key, encode(key, value)))).toEqual(plain(value));
    }), { numRuns: 200 });
  });

  it("is damage under another key", () => {
    fc.assert(fc.property(fc.string(), fc.string(), values, (key, other, value) => {
      fc.pre(key !== other);
      return isDamage(() => decode(other, encode(key, value)));
    }), { numRuns: 200 });
  });

  it("is damage with any bit flipped, cut anywhere, or with bytes behind it", () => {
    fc.assert(fc.property(values, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 20 }), (value, at, more) => {
      const record = encode("key", value);
      const flipped = Uint8Array.from(record);
      const bit = at % (record.byteLength * 8);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return isDamage(() => decode("key", flipped)) && isDamage(() => decode("key", record.subarray(0, at % record.byteLength))) && isDamage(() => decode("key", Buffer.concat([record, more])));
    }), { numRuns: 200 });
  });

  it("is no record of another kind", () => {
    const others = Object.entries(kinds).filter(([other]) => other !== name);
    fc.assert(fc.property(values, (value) => others.every(([, other]) => isDamage(() => other.decode("key", encode("key", value))))), { numRuns: 50 });
  });
});

describe("bytes of any other origin", () => {
  it("are damage", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => Object.values(kinds).every(({ decode }) => isDamage(() => decode("key", bytes)))), { numRuns: 500 });
  });

  it("are told apart from a record of a newer format", async () => {
    const { crc32 } = await import("node:zlib");
    const record = Buffer.from(encodeSlice("key", Buffer.from("a slice")));
    record[0] = storeFormat + 1;
    expect(() => decodeSlice("key", record)).toThrow(expect.objectContaining({ code: "STORE_DAMAGED" }) as Error);
    record.writeUInt32LE(crc32(record.subarray(0, -4), crc32("key")), record.byteLength - 4);
    expect(() => decodeSlice("key", record)).toThrow(expect.objectContaining({ code: "STORE_FOREIGN", message: expect.stringContaining(`format ${storeFormat + 1}`) as string }) as Error);
  });
});
