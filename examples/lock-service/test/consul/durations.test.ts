import { describe, expect, it } from "vitest";
import { DurationError, formatDuration, parseDuration, wholeMs } from "../../src/consul/durations.js";

describe("a duration", () => {
  it.each<[string, bigint]>([
    ["0", 0n], ["15s", 15_000_000_000n], ["10ms", 10_000_000n], ["1h30m", 5_400_000_000_000n], ["1.5s", 1_500_000_000n], [".5s", 500_000_000n], ["5.s", 5_000_000_000n],
    ["1us", 1000n], ["1µs", 1000n], ["1μs", 1000n], ["1ns", 1n], ["-2m", -120_000_000_000n], ["+3s", 3_000_000_000n], ["1h2m3s4ms5us6ns", 3_723_004_005_006n], ["0.0000000015s", 1n],
    ["2540400h10m10s", 9_145_440_610_000_000_000n],
  ])("%s is read as Go reads it", (text, nanoseconds) => {
    expect(parseDuration(text)).toBe(nanoseconds);
  });

  it.each([
    ["", 'time: invalid duration ""'], ["abc", 'time: invalid duration "abc"'], ["15", 'time: missing unit in duration "15"'], ["-", 'time: invalid duration "-"'], [".s", 'time: invalid duration ".s"'],
    ["1x", 'time: unknown unit "x" in duration "1x"'], ["1s2", 'time: missing unit in duration "1s2"'], ["1 s", 'time: unknown unit " s" in duration "1 s"'], ["9999999h", 'time: invalid duration "9999999h"'],
    ["1constructor", 'time: unknown unit "constructor" in duration "1constructor"'],
  ])("%s is refused in Go's words", (text, message) => {
    expect(() => parseDuration(text)).toThrow(new DurationError(message));
  });

  it("is shown as Go shows it", () => {
    expect([0, 1, 500, 1000, 1500, 15_000, 60_000, 90_000, 3_600_000, 86_400_000, 5_025_250].map(formatDuration)).toEqual(["0s", "1ms", "500ms", "1s", "1.5s", "15s", "1m0s", "1m30s", "1h0m0s", "24h0m0s", "1h23m45.25s"]);
  });

  it("is no less in whole milliseconds", () => {
    expect([-5n, 0n, 1n, 1_000_000n, 1_000_001n].map(wholeMs)).toEqual([0, 0, 1, 1, 2]);
  });
});
