import { describe, expect, it } from "vitest";
import { StaleTokenError, TokenGuard } from "../../src/client/index.js";

describe("a guarded resource", () => {
  it("admits its tokens in their order, each as often as it likes, and refuses what is older", () => {
    const guard = new TokenGuard();
    for (const token of [33, 33, 34]) guard.admit(token);
    expect(() => guard.admit(33)).toThrow(StaleTokenError);
    expect(guard.highest).toBe(34);
  });

  it("goes on from what it had stored, and refuses what is no token", () => {
    const guard = new TokenGuard(40);
    for (const token of [39, Number.NaN, Infinity, 40.5]) expect(() => guard.admit(token)).toThrow(StaleTokenError);
    guard.admit(40);
  });
});
