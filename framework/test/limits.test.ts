/** Limits: every one has a default, and a wrong one is refused by name. */
import { describe, expect, it } from "vitest";
import { defaultLimits, resolveLimits, type Limits } from "../src/limits.js";

describe("limits", () => {
  it("are the defaults where nothing else is given", () => {
    expect(resolveLimits()).toEqual(defaultLimits);
    expect(resolveLimits({ tickMs: 7 })).toEqual({ ...defaultLimits, tickMs: 7 });
  });

  it("are refused by name when they are no whole number, or too small, or not there", () => {
    for (const name of Object.keys(defaultLimits)) {
      for (const wrong of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "5"]) {
        expect(() => resolveLimits({ [name]: wrong })).toThrow(expect.objectContaining({ code: "CONFIGURATION_INVALID", message: expect.stringContaining(`limits.${name}`) as string }) as Error);
      }
    }
    expect(() => resolveLimits({ tickMS: 5 } as Partial<Limits>)).toThrow("limits.tickMS is not a limit");
    expect(resolveLimits({ digestIntervalMs: 0 }).digestIntervalMs).toBe(0);
    expect(() => resolveLimits({ tickMs: 0 })).toThrow("limits.tickMs");
  });

  it("of what becomes a message are refused where other replicas would not take it", () => {
    for (const [name, most] of [["commandBytes", 16], ["batchBytes", 16], ["snapshotSliceBytes", 4]] as const) {
      expect(resolveLimits({ [name]: most * 1024 * 1024 })[name]).toBe(most * 1024 * 1024);
      expect(() => resolveLimits({ [name]: most * 1024 * 1024 + 1 })).toThrow(expect.objectContaining({ code: "CONFIGURATION_INVALID", message: expect.stringContaining(`limits.${name} must be at most`) as string }) as Error);
    }
  });
});
