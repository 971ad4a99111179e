/** Who gives its state up when digests differ: who differs from a majority of the slots, and nobody where there is none. */
import { describe, expect, it } from "vitest";
import { DigestCheck } from "../../src/apply/digest-check.js";
import type { AppliedEntry } from "../../src/apply/types.js";

/** What slot 1 of these makes of digests; all that it does later is kept in `soon`. */
function checkOf(slots: readonly number[], active = slots) {
  const said: string[] = [];
  const soon = new Set<() => void>();
  const check = new DigestCheck({
    applier: { digest: () => ({ position: 7, step: () => "own" }) },
    scheduler: { soon: (act) => { soon.add(act); return () => { soon.delete(act); }; } },
    intervalMs: 1_000, slots, ownSlot: 1, active: () => active,
    announce: (position, digest) => said.push(`announces ${digest} of ${position}`),
    differs: (position, own, others) => said.push(`differs at ${position}: ${own}, not ${others}`),
    undecided: (position) => said.push(`undecided at ${position}`),
    failed: (error) => said.push(error.message),
  });
  const hear = (digests: Readonly<Record<number, string>>): string[] => {
    for (const [slot, digest] of Object.entries(digests)) check.received(Number(slot), 7, digest);
    return said.splice(0);
  };
  const apply = (now: number): void => check.applied({ now } as AppliedEntry);
  const run = (): string[] => {
    for (const act of Array.from(soon)) {
      soon.delete(act);
      act();
    }
    return said.splice(0);
  };
  return { check, hear, apply, run };
}

describe("digests", () => {
  it("that differ from those of a majority of the slots have their replica give its state up, and nobody else", () => {
    expect(checkOf([1, 2, 3]).hear({ 1: "a", 2: "b", 3: "b" })).toEqual(["differs at 7: a, not b"]);
    expect(checkOf([1, 2, 3]).hear({ 1: "b", 2: "b", 3: "a" })).toEqual([]);
    expect(checkOf([1, 2, 3]).hear({ 2: "b", 3: "b", 1: "a" })).toEqual(["differs at 7: a, not b"]);
  });

  it("of half of the slots decide nothing: it is said, when all have spoken from whom one is to come", () => {
    expect(checkOf([1, 2, 3, 4]).hear({ 1: "a", 2: "b", 3: "b" })).toEqual([]);
    expect(checkOf([1, 2, 3, 4]).hear({ 1: "a", 2: "b", 3: "b", 4: "a" })).toEqual(["undecided at 7"]);
    expect(checkOf([1, 2, 3], [1, 2]).hear({ 1: "a", 2: "b" })).toEqual(["undecided at 7"]);
    expect(checkOf([1, 2]).hear({ 1: "a", 2: "a" })).toEqual([]);
  });

  it("are computed at the first entry past a multiple of the interval, and not of a state that has been replaced", () => {
    const { check, apply, run } = checkOf([1, 2, 3]);
    for (const now of [900, 999]) apply(now);
    expect(run()).toEqual([]);
    apply(1_000);
    expect(run()).toEqual(["announces own of 7"]);
    apply(1_999);
    expect(run()).toEqual([]);
    apply(2_500);
    check.reset();
    expect(run()).toEqual([]);
    // What comes next is the first that is applied to the new state: nothing tells whether it is past a multiple.
    apply(3_500);
    expect(run()).toEqual([]);
    apply(4_000);
    expect(run()).toEqual(["announces own of 7"]);
  });
});
