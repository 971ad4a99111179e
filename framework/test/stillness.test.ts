/** When it is told that nothing comes from the group: once, only while somebody waits for it, and again when it happens again. */
import { describe, expect, it } from "vitest";
import { Stillness } from "../src/stillness.js";

describe("stillness", () => {
  it("begins when nothing has come for longer than is waited for, and is told once", () => {
    const stillness = new Stillness(() => true, 100);
    expect([0, 50, 100].map((nowMs) => stillness.begins(nowMs))).toEqual([false, false, false]);
    expect([101, 102, 1000].map((nowMs) => stillness.begins(nowMs))).toEqual([true, false, false]);
  });

  it("ends with whatever comes, which is told if its beginning was, and may begin again", () => {
    const stillness = new Stillness(() => true, 100);
    stillness.begins(0);
    expect(stillness.ended(), "it had not begun").toBe(false);
    expect([90, 190].map((nowMs) => stillness.begins(nowMs)), "it counts from the first look after what came").toEqual([false, false]);
    expect(stillness.begins(191)).toBe(true);
    expect([stillness.ended(), stillness.ended()]).toEqual([true, false]);
    expect([200, 301].map((nowMs) => stillness.begins(nowMs))).toEqual([false, true]);
  });

  it("is no sign of anything while nobody waits", () => {
    let awaited = false;
    const stillness = new Stillness(() => awaited, 100);
    expect([0, 1000].map((nowMs) => stillness.begins(nowMs))).toEqual([false, false]);
    awaited = true;
    expect([1000, 1100].map((nowMs) => stillness.begins(nowMs))).toEqual([false, false]);
    awaited = false;
    expect(stillness.begins(1101)).toBe(false);
    awaited = true;
    expect([1102, 1202, 1203].map((nowMs) => stillness.begins(nowMs))).toEqual([false, false, true]);
  });
});
