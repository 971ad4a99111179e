/** When it is told that nothing comes from the group: once, only while somebody waits for it, and again when it happens again. */
import { describe, expect, it } from "vitest";
import { Stillness } from "../src/stillness.js";

/** @param awaited Whether somebody waits, as of now. */
function bed(awaited = (): boolean => true) {
  const told: string[] = [];
  let nowMs = 0;
  const stillness = new Stillness({ isAwaited: awaited, patienceMs: 100, began: () => { told.push(`began ${nowMs}`); }, ended: () => { told.push(`ended ${nowMs}`); } });
  const tick = (...times: number[]): void => {
    for (const timeMs of times) {
      nowMs = timeMs;
      stillness.tick(nowMs);
    }
  };
  return { told, tick, heard: () => stillness.heard() };
}

describe("stillness", () => {
  it("begins when nothing has come for longer than is waited for, and is told once", () => {
    const { told, tick } = bed();
    tick(0, 50, 100, 101, 102, 1000);
    expect(told).toEqual(["began 101"]);
  });

  it("ends with whatever comes, which is told if its beginning was, and may begin again", () => {
    const { told, tick, heard } = bed();
    tick(0, 90);
    heard();
    tick(95, 190);
    expect(told, "it counts from what came").toEqual([]);
    tick(191);
    heard();
    heard();
    tick(200, 291, 292);
    expect(told).toEqual(["began 191", "ended 191", "began 292"]);
  });

  it("is no sign of anything while nobody waits", () => {
    let awaited = false;
    const { told, tick } = bed(() => awaited);
    tick(0, 300);
    awaited = true;
    tick(350, 390);
    awaited = false;
    tick(440);
    awaited = true;
    tick(480, 540);
    expect(told).toEqual([]);
    tick(541);
    expect(told).toEqual(["began 541"]);
  });

  it("is not what a process hears that itself stood still", () => {
    const told: string[] = [];
    const stillness = new Stillness({ isAwaited: () => true, patienceMs: 4000, began: () => { told.push("began"); }, ended: () => undefined });
    for (const nowMs of [0, 100, 60_000, 60_100]) stillness.tick(nowMs);
    expect(told).toEqual([]);
  });
});
