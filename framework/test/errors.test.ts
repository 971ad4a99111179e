/** The errors themselves; that documentation and registry agree is tested beside the documentation. */
import { describe, expect, it } from "vitest";
import { errorRegistry, invariant, isLockstepError, LockstepError, type ErrorCode } from "../src/errors.js";

const codes = Object.keys(errorRegistry) as ErrorCode[];

describe("errors", () => {
  it("say what is known of the command's effect", () => {
    for (const code of codes) expect(new LockstepError(code, "why")).toMatchObject({ code, outcome: errorRegistry[code].outcome, message: "why", name: "LockstepError" });
    expect(new LockstepError("REJECTED", "why", { details: { a: 1 }, cause: "c" })).toMatchObject({ details: { a: 1 }, cause: "c" });
  });

  it("are recognised across copies of the package, and nothing else is", () => {
    const foreign = Object.defineProperty(Object.assign(new Error("from another copy"), { code: "QUEUE_FULL" }), Symbol.for("lockstep.error"), { value: true });
    expect(isLockstepError(foreign)).toBe(true);
    expect(isLockstepError(foreign, "QUEUE_FULL")).toBe(true);
    expect(isLockstepError(foreign, "STOPPED")).toBe(false);
    for (const other of [new Error("x"), { code: "QUEUE_FULL" }, undefined, "QUEUE_FULL"]) expect(isLockstepError(other)).toBe(false);
  });

  it("report broken invariants", () => {
    expect(() => invariant(false, "both sides")).toThrow(expect.objectContaining({ code: "INVARIANT_VIOLATED", message: "both sides" }) as Error);
    expect(() => invariant(true, "fine")).not.toThrow();
  });
});
