/** Applying what is committed: at once where it is little, in slices where it is much, and never slower than it comes. */
import { describe, expect, it } from "vitest";
import { encodeCommands } from "../../src/codec/entry-codec.js";
import { Backlog } from "../../src/apply/backlog.js";
import type { AppliedEntry } from "../../src/apply/types.js";
import { MemoryLog } from "../../src/log/log.js";

const ballot = { era: 0, ringSeq: 4n, ringNode: 1, k: 1, attempt: 0 };
const incarnation = "00000000000000aa";
const logger = { info: () => undefined, warn: () => undefined, error: () => undefined, debug: () => undefined };

/** A log of so many entries, each of which takes so long to apply. */
function bed(entries: number, { costMs, applySliceMs }: { costMs: number; applySliceMs: number }) {
  const log = new MemoryLog();
  for (let n = 1; n <= entries; n++) log.append(ballot, encodeCommands({ origin: { slot: 1, incarnation }, n, timeMs: 0 }, []));
  const applier = { position: 0, apply: ({ position }: { position: number }) => {
    if (position === failAt) throw new TypeError("it fails");
    applier.position = position;
    nowMs += costMs;
    whileApplying(position);
    return { position } as AppliedEntry;
  } };
  let nowMs = 0;
  let failAt = 0;
  let whileApplying = (_position: number): void => undefined;
  let next: (() => void) | undefined;
  const slices: number[] = [];
  const failures: unknown[] = [];
  const backlog = new Backlog({
    log, applier, limits: { applySliceMs }, logger, monotonicMs: () => nowMs,
    scheduler: { soon: (call) => {
      next = call;
      return () => { next = undefined; };
    } },
    applied: () => undefined, sliceApplied: (position) => { slices.push(position); }, failed: (error) => { failures.push(error); },
  });
  const turn = (): boolean => {
    const call = next;
    next = undefined;
    call?.();
    return call !== undefined;
  };
  return {
    backlog, slices, failures, turn, failsAt: (position: number) => { failAt = position; }, applied: () => applier.position,
    whileApplying: (call: (position: number) => void) => { whileApplying = call; },
  };
}

describe("committed entries", () => {
  it("are applied at once where they take no longer than a slice", () => {
    const { backlog, slices, turn } = bed(10, { costMs: 1, applySliceMs: 10 });
    backlog.commit(4);
    backlog.commit(10);
    expect([slices, turn()]).toEqual([[4, 10], false]);
  });

  it("are applied in slices where they take longer, with turns of the event loop in between", () => {
    const { backlog, slices, turn } = bed(25, { costMs: 1, applySliceMs: 10 });
    backlog.commit(25);
    while (turn());
    expect(slices).toEqual([10, 20, 25]);
  });

  it("wait for the slice that is due when more is committed meanwhile", () => {
    const { backlog, slices, turn } = bed(30, { costMs: 1, applySliceMs: 10 });
    backlog.commit(20);
    backlog.commit(30);
    expect(slices).toEqual([10]);
    while (turn());
    expect(slices).toEqual([10, 20, 30]);
  });

  it("are applied faster than they arrive, however long that takes", () => {
    const { backlog, slices, turn } = bed(200, { costMs: 20, applySliceMs: 10 });
    backlog.commit(100);
    expect(slices).toEqual([1]);
    for (let batch = 0; batch < 15; batch++) backlog.arrived();
    backlog.commit(115);
    turn();
    expect(slices).toEqual([1, 31]);
    turn();
    expect(slices).toEqual([1, 31, 32]);
  });

  it("wait while they are held, and are applied together afterwards", () => {
    const { backlog, slices, turn } = bed(10, { costMs: 1, applySliceMs: 10 });
    backlog.hold();
    backlog.commit(4);
    backlog.commit(6);
    expect([slices, turn()]).toEqual([[], false]);
    backlog.release();
    expect(slices).toEqual([6]);
    backlog.commit(7);
    backlog.hold();
    backlog.release();
    expect([slices, turn()]).toEqual([[6, 7], false]);
  });

  it("that wait for a slice are not applied earlier because others were held", () => {
    const { backlog, slices, turn } = bed(30, { costMs: 1, applySliceMs: 10 });
    backlog.commit(20);
    backlog.hold();
    backlog.commit(30);
    backlog.release();
    expect(slices).toEqual([10]);
    while (turn());
    expect(slices).toEqual([10, 20, 30]);
  });

  it("that an earlier membership left are applied as well", () => {
    const { backlog, slices, turn } = bed(5, { costMs: 1, applySliceMs: 10 });
    backlog.resume(5);
    expect(slices).toEqual([]);
    expect([turn(), slices]).toEqual([true, [5]]);
  });

  it("are not applied any more when the membership is over, and a failure in a later slice is told", () => {
    const { backlog, slices, failures, turn, failsAt } = bed(30, { costMs: 1, applySliceMs: 10 });
    failsAt(15);
    backlog.commit(30);
    turn();
    expect([failures.length, slices]).toEqual([1, [10]]);
    const closed = bed(30, { costMs: 1, applySliceMs: 10 });
    closed.backlog.commit(30);
    closed.backlog.close();
    expect([closed.turn(), closed.slices]).toEqual([false, [10]]);
  });

  it("are not applied any more when applying one of them has ended the membership, whether in a slice or when they are released", () => {
    for (const costMs of [0, 1]) {
      const { backlog, turn, applied, whileApplying } = bed(30, { costMs, applySliceMs: 2 });
      whileApplying((position) => { if (position === 5) backlog.close(); });
      backlog.commit(30);
      while (turn());
      expect(applied()).toBe(5);
    }
    const held = bed(10, { costMs: 1, applySliceMs: 10 });
    held.backlog.hold();
    held.backlog.commit(10);
    held.backlog.close();
    held.backlog.release();
    expect([held.turn(), held.applied()]).toEqual([false, 0]);
  });
});
