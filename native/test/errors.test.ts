/** The registry of errors, and the check of versions: what needs no Corosync. */
import { describe, expect, test } from "vitest";
import { assertSafeVersion, CorosyncError, corosyncErrors, daemonVersion, isCorosyncError, MessageBatch } from "../lib/index.js";

describe("errors", () => {
  test("each has a number of its own, a meaning and advice", () => {
    const specs = Object.values(corosyncErrors);
    expect(new Set(specs.map(({ number }) => number)).size).toBe(specs.length);
    for (const { meaning, advice } of specs) {
      expect(meaning.length).toBeGreaterThan(5);
      expect(advice).toMatch(/\.$/);
    }
  });

  test("the names and numbers are those of cs_error_t", () => {
    const names = ["LIBRARY", "VERSION", "INIT", "TIMEOUT", "TRY_AGAIN", "INVALID_PARAM", "NO_MEMORY", "BAD_HANDLE", "BUSY", "ACCESS", "NOT_EXIST", "NAME_TOO_LONG", "EXIST", "NO_SPACE", "INTERRUPT", "NAME_NOT_FOUND", "NO_RESOURCES", "NOT_SUPPORTED", "BAD_OPERATION", "FAILED_OPERATION", "MESSAGE_ERROR", "QUEUE_FULL", "QUEUE_NOT_AVAILABLE", "BAD_FLAGS", "TOO_BIG", "NO_SECTIONS", "CONTEXT_NOT_FOUND"];
    expect(names.map((name) => corosyncErrors[name as keyof typeof corosyncErrors].number)).toEqual(names.map((_, i) => i + 2));
    expect(corosyncErrors.TOO_MANY_GROUPS.number).toBe(30);
    expect(corosyncErrors.SECURITY.number).toBe(100);
  });

  test("an error names the call, the code, the number and what to do, and is recognised by its code", () => {
    const error = CorosyncError.fromStatus(11, "cpg_model_initialize");
    expect(error).toMatchObject({ name: "CorosyncError", code: "ACCESS", number: 11, call: "cpg_model_initialize" });
    expect(error.message).toMatch(/cpg_model_initialize.*ACCESS 11.*uidgid/);
    expect(isCorosyncError(error)).toBe(true);
    expect(isCorosyncError(error, "ACCESS")).toBe(true);
    expect(isCorosyncError(error, "EXIST")).toBe(false);
    expect(isCorosyncError(new Error("ACCESS"))).toBe(false);
  });

  test("a status that nobody knows is LIBRARY, and says the number", () => {
    expect(CorosyncError.fromStatus(77, "cpg_join")).toMatchObject({ code: "LIBRARY", message: expect.stringContaining("77") });
  });
});

describe("versions", () => {
  test.each(["3.1.6", "3.1.7", "3.1.10", "3.2.0", "4.0.0"])("%s is taken", (version) => {
    expect(() => assertSafeVersion(version)).not.toThrow();
  });

  test.each(["2.4.6", "3.0.4", "3.1.0", "3.1.5"])("%s is refused with TOO_OLD, and told what to upgrade to", (version) => {
    expect(() => assertSafeVersion(version)).toThrow(expect.objectContaining({ code: "TOO_OLD", message: expect.stringContaining("3.1.6") }));
  });

  test("of a process that is not Corosync, or not there, none is known", async () => {
    expect(await daemonVersion(process.pid)).toBeUndefined();
    expect(await daemonVersion(0)).toBeUndefined();
    expect(await daemonVersion(2 ** 30)).toBeUndefined();
  });
});

describe("a message batch", () => {
  const memoryOf = (bytes: number): Uint32Array => {
    const words = new Uint32Array(bytes / 4);
    new Uint8Array(words.buffer).set([1, 2, 3], 0);
    new Uint8Array(words.buffer).set([4], 8);
    words.set([0, 3, 7, 100, 8, 1, 4_294_967_295, 200], 24 / 4);
    return words;
  };

  test("gives views of its memory by the index behind the payloads", () => {
    const words = memoryOf(24 + 32);
    const batch = new MessageBatch(words, 24, 2);
    expect(batch.length).toBe(2);
    expect([...batch.data(0)]).toEqual([1, 2, 3]);
    expect([...batch.data(1)]).toEqual([4]);
    expect([batch.size(0), batch.senderNodeId(0), batch.senderPid(0)]).toEqual([3, 7, 100]);
    expect([batch.size(1), batch.senderNodeId(1), batch.senderPid(1)]).toEqual([1, 4_294_967_295, 200]);
    expect(batch.data(0).buffer).toBe(words.buffer);
    for (const i of [2, -1, 0.5, Number.NaN]) expect(() => batch.data(i)).toThrow(RangeError);
  });

  test("that was looked at is kept: as it is if it fills its memory, else as a copy of the right size", () => {
    const full = new MessageBatch(memoryOf(24 + 32), 24, 2);
    full.data(0);
    expect(full.release()).toBe(false);
    const words = memoryOf(1024);
    const small = new MessageBatch(words, 24, 2);
    const data = small.data(1);
    expect(small.release()).toBe(true);
    words.fill(0);
    expect(data.buffer.byteLength).toBe(24 + 32);
    expect([data[0], small.data(0)[2], small.senderPid(1)]).toEqual([4, 3, 200]);
  });

  test("that nobody looked at ends with the listener's call, and says so", () => {
    const batch = new MessageBatch(memoryOf(1024), 24, 2);
    expect(batch.size(0)).toBe(3);
    expect(batch.release()).toBe(true);
    expect(batch.length).toBe(2);
    for (const look of [() => batch.data(0), () => batch.size(0), () => batch.senderNodeId(1)]) expect(look).toThrow("before the listener returns");
  });
});
