/** The value codec: exact round trips, refusals that say why, encodings that stand alone. */
import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeValue, encodeValue } from "../../src/codec/values.js";
import { LockstepError } from "../../src/errors.js";
import { plainValue } from "../support/plain-values.js";

const roundTrip = (value: unknown): unknown => decodeValue(encodeValue(value));

const holey: unknown[] = [];
holey[1] = 1;
holey[3] = undefined;

/** Takes half a second; a busy machine may take much longer, and that is not a failure. */
const timeoutMs = 60_000;

describe("encodeValue and decodeValue", { timeout: timeoutMs }, () => {
  it("bring every plain value back exactly, whatever it is nested in", () => {
    fc.assert(
      fc.property(plainValue, (value) => {
        // Not toStrictEqual: it is misled by own keys named "constructor".
        expect(isDeepStrictEqual(roundTrip(value), value)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it("encode equal values to equal bytes, whatever was encoded before", () => {
    fc.assert(
      fc.property(plainValue, fc.array(plainValue, { maxLength: 3 }), (value, others) => {
        const first = Buffer.from(encodeValue(value));
        for (const other of others) encodeValue(other);
        expect(Buffer.compare(first, encodeValue(roundTrip(value)))).toBe(0);
      }),
    );
  });

  it("keep the order of keys, which handlers can see", () => {
    const value = { b: 1, a: 2, map: new Map([["z", 1], ["y", 2]]), set: new Set([3, 1, 2]) };
    const back = roundTrip(value) as typeof value;
    expect(Object.keys(back)).toEqual(["b", "a", "map", "set"]);
    expect([...back.map.keys()]).toEqual(["z", "y"]);
    expect([...back.set]).toEqual([3, 1, 2]);
  });

  it.each([
    ["-0", -0], ["-0 inside", { a: [-0] }], ["a lone surrogate", "x\ud800y".repeat(30)], ["a lone surrogate as a key", { "\udc00": 1 }],
    ["a __proto__ key", JSON.parse('{"__proto__":{"a":1},"b":2}')], ["a null prototype", Object.assign(Object.create(null), { a: 1 })],
    ["the escape key", { "\0": [0, null], a: -0 }], ["own keys that look like methods", { constructor: 1, toJSON: 2, hasOwnProperty: 3 }],
    ["dates around the epoch", [new Date(-1), new Date(0), new Date(8.64e15), new Date(-8.64e15), new Date(Number.NaN)]],
    ["numbers at the edges", [2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 32, -(2 ** 31), 5e-324, Number.NaN, -Infinity]],
    ["bigints of all sizes", [0n, -1n, 2n ** 63n, 2n ** 64n, -(2n ** 64n), 2n ** 200n, -(2n ** 5000n)]],
    ["an object with 70 000 keys", Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i]))],
  ])("round trip: %s", (_name, value) => {
    const back = roundTrip(value);
    expect(back).toStrictEqual(value);
    if (typeof value === "object") expect(Object.getPrototypeOf(back)).toBe(Object.getPrototypeOf(value));
  });

  it("tell Buffer from Uint8Array, and give bytes of their own", () => {
    const source = new Uint8Array([1, 2, 3]);
    const encoded = encodeValue([source, Buffer.from(source)]);
    const [plain, buffer] = decodeValue(encoded) as [Uint8Array, Uint8Array];
    expect([Buffer.isBuffer(plain), Buffer.isBuffer(buffer)]).toEqual([false, true]);
    encoded.fill(0);
    expect([[...plain], [...buffer]]).toEqual([[1, 2, 3], [1, 2, 3]]);
  });

  class Account {
    owner = "x";
  }
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  it.each([
    ["a function", { f: () => 1 }, /A function \(f\)/], ["a symbol", [Symbol("s")], /A symbol \(Symbol\(s\)\)/], ["a class instance", new Map([[1, new Account()]]), /An instance of Account/],
    ["a promise", Promise.resolve(1), /A promise cannot be replicated/], ["a regular expression", /x/, /RegExp/], ["a cycle", cyclic, /cyclic/], ["holes in an array", { a: holey }, /with holes/], ["a typed array that is not bytes", new Float64Array(1), /Float64Array/],
  ])("refuse %s, saying what it is", (_name, value, message) => {
    expect(() => encodeValue(value)).toThrow(message);
    expect(() => encodeValue(value)).toThrow(expect.objectContaining({ code: "INVALID_INPUT" }));
  });

  it("refuse damaged bytes with MALFORMED_MESSAGE, never with anything else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          decodeValue(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(LockstepError);
          expect((error as LockstepError).code).toBe("MALFORMED_MESSAGE");
        }
      }),
      { numRuns: 2000 },
    );
    expect(() => decodeValue(encodeValue({ a: 1 }).subarray(0, 3))).toThrow(/not an encoded value/);
  });
});
