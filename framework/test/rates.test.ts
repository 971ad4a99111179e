/** Rates tell of the last ten seconds, and of nothing when they cannot. */
import { describe, expect, it } from "vitest";
import { Rates } from "../src/rates.js";

const counts = (submitted: number): { submitted: number; appliedCommands: number } => ({ submitted, appliedCommands: submitted * 3 });

describe("rates", () => {
  it("are of the last ten seconds, whatever was before", () => {
    const rates = new Rates();
    expect(rates.now(0, counts(0))).toEqual({ submitted: 0, appliedCommands: 0 });
    // 1000 a second for a minute, then 10 a second.
    for (let ms = 0; ms <= 60_000; ms += 50) rates.sample(ms, counts(ms));
    expect(rates.now(60_000, counts(60_000))).toEqual({ submitted: 1000, appliedCommands: 3000 });
    for (let ms = 60_050; ms <= 71_000; ms += 50) rates.sample(ms, counts(60_000 + (ms - 60_000) / 100));
    expect(rates.now(71_000, counts(60_110))).toEqual({ submitted: 10, appliedCommands: 30 });
  });

  it("are 0 at first, not what one moment would make of them", () => {
    const rates = new Rates();
    rates.sample(5, counts(0));
    expect(rates.now(6, counts(7)).submitted).toBe(0);
    expect(rates.now(505, counts(7)).submitted).toBe(14);
  });
});
