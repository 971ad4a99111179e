import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { membersOf, readJson, unsigned64, writeJson, type Json } from "../../src/consul/json.js";

const json: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof({ depthSize: "small" }, fc.string(), fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Number.isInteger(number) || Number.isSafeInteger(number)), fc.boolean(), fc.constant(null), fc.array(tie("value")), fc.dictionary(fc.string(), tie("value"))),
})).value;

describe("JSON with numbers of 64 bits", () => {
  it("is written like JSON.stringify writes it, pretty or not", () => {
    fc.assert(fc.property(json, (value) => {
      expect(writeJson(value, false)).toBe(JSON.stringify(value));
      expect(writeJson(value, true)).toBe(`${JSON.stringify(value, null, 4)}\n`);
    }));
  });

  it("is read like JSON.parse reads it, whatever the strings in it look like", () => {
    fc.assert(fc.property(json, (value) => {
      // As it is at first, or marked on the way because of a number beside it.
      expect(readJson(`[9007199254740993,${JSON.stringify(value)}]`)).toEqual([9_007_199_254_740_993n, JSON.parse(JSON.stringify(value))]);
      expect(readJson(JSON.stringify(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }));
    const tricky = ["\\", '"', '\\"12345678901234567890', "12345678901234567890", '",12345678901234567890,"', "\u2028", "{1234567890123456789}"];
    expect(readJson(JSON.stringify(tricky))).toEqual(tricky);
  });

  it("keeps whole numbers that JavaScript's do not hold", () => {
    fc.assert(fc.property(fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), fc.bigInt({ min: 2n ** 53n - 5n, max: 2n ** 53n + 5n })), (number) => {
      const text = `{"Flags": ${number}, "more": [${number}]}`;
      const read = readJson(text) as { Flags: number | bigint };
      expect(BigInt(read.Flags)).toBe(number);
      expect(typeof read.Flags).toBe(Number.isSafeInteger(Number(number)) ? "number" : "bigint");
      expect(writeJson(read as Json, false)).toBe(`{"Flags":${number},"more":[${number}]}`);
    }));
    expect(readJson("[18446744073709551615]")).toEqual([18_446_744_073_709_551_615n]);
    expect(readJson("[1e30, 1234567890123456.5]")).toEqual([1e30, 1_234_567_890_123_456.5]);
  });

  it("refuses what is not JSON, and takes half a megabyte of text", () => {
    for (const text of ["", "{", "[01]", "{'a':1}", "[1,]", "NaN", '"\n"']) expect(() => readJson(text), text).toThrow(SyntaxError);
    const long = ["x".repeat(300_000), "\\".repeat(200_000), '"'.repeat(100_000)];
    expect(readJson(JSON.stringify(long))).toEqual(long);
  });

  it("has members by any spelling of their names, and none that are null", () => {
    expect(membersOf({ TTL: "1", Name: null, lockdelay: 2 })).toEqual(new Map<string, unknown>([["ttl", "1"], ["lockdelay", 2]]));
    for (const value of [[], "x", 1, null]) expect(membersOf(value)).toBeUndefined();
  });

  it("knows the unsigned numbers of 64 bits", () => {
    expect([unsigned64("18446744073709551615"), unsigned64("007"), unsigned64(5), unsigned64(2n ** 60n)]).toEqual(["18446744073709551615", "7", "5", String(2n ** 60n)]);
    for (const value of ["18446744073709551616", "-1", "", "1.5", "0x1", "+1", -1, 1.5, 2 ** 53, -1n, 2n ** 64n, null, undefined, {}]) expect(unsigned64(value)).toBeUndefined();
  });
});
