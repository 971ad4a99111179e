import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addIntegers, parseInteger } from "../../src/machine/integers.js";

const int64 = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -1000n, max: 1000n }), fc.bigInt({ min: 2n ** 53n - 9n, max: 2n ** 53n + 9n }));

describe("64-bit integers", () => {
  it("are added exactly, or not at all", () => {
    fc.assert(
      fc.property(int64, int64, (a, b) => {
        const sum = a + b;
        const fits = sum >= -(2n ** 63n) && sum < 2n ** 63n;
        expect(addIntegers(String(a), String(b))).toBe(fits ? String(sum) : undefined);
      }),
      { numRuns: 2000 },
    );
  });

  it.each(["", " 1", "1 ", "+1", "01", "-0", "1.0", "1e3", "0x1", "9223372036854775808", "-9223372036854775809", "99999999999999999999"])("are not read from %j", (text) => {
    expect(parseInteger(text)).toBeUndefined();
  });

  it.each(["0", "-1", "9223372036854775807", "-9223372036854775808"])("are read from %j", (text) => {
    expect(parseInteger(text)).toBe(BigInt(text));
  });
});
