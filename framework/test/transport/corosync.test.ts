/** The Corosync transport's parts that need no Corosync. What it does with one is in the conformance suite (test/cluster). */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CorosyncError } from "@lockstep/corosync";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { corosync } from "../../src/transport/corosync/index.js";
import type { GroupListener } from "../../src/transport/group-transport.js";
import { lostGroup, toLockstepError } from "../../src/transport/corosync/errors.js";
import { SendWindow } from "../../src/transport/corosync/send-window.js";
import { lostAfterMs, WritableTimer } from "../../src/transport/corosync/writable-timer.js";

describe("corosync()", () => {
  it("refuses options that do not exist or are out of bounds, naming them", () => {
    const refused = (options: unknown, name: string): void => {
      expect(() => corosync(options as object)).toThrow(expect.objectContaining({ code: "CONFIGURATION_INVALID", message: expect.stringContaining(name) }));
    };
    for (const none of [null, 5_000]) refused(none, "the options of corosync() are an object ({ queueBytes, heldBytes, patienceMs, farewellMs }), not ");
    refused({ holdBytes: 1 }, "holdBytes");
    refused({ heldBytes: 1 }, "heldBytes");
    refused({ queueBytes: 0 }, "queueBytes");
    refused({ patienceMs: 1.5 }, "patienceMs");
    refused({ farewellMs: Number.NaN }, "farewellMs");
  });

  it("says COROSYNC_UNAVAILABLE and what to do where the addon cannot be loaded, at the first call and not before", () => {
    const nowhere = mkdtempSync(join(tmpdir(), "lockstep-nowhere-"));
    const program = `
      import { corosync } from ${JSON.stringify(new URL("../../dist/transport/corosync/index.js", import.meta.url).href)};
      const listener = new Proxy({}, { get: () => () => {} });
      const transport = corosync();
      for (const call of [transport.configuredNodes(), transport.join("group", listener)]) {
        await call.then(() => console.log("worked"), ({ code, message }) => console.log(code, message));
      }
      await transport.close();
    `;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8", env: { ...process.env, "@LOCKSTEP/COROSYNC_PREBUILD": nowhere } });
    rmSync(nowhere, { recursive: true });
    const lines = stdout.trim().split("\n");
    expect(lines, stderr).toHaveLength(2);
    for (const line of lines) expect(line).toMatch(/^COROSYNC_UNAVAILABLE .*run npm run build/);
  });

  it.each(["", "x".repeat(128), "é".repeat(64), "a\0b", 5])("refuses %j as the name of a group before Corosync is asked", async (name) => {
    const transport = corosync();
    await expect(transport.join(name as string, {} as GroupListener)).rejects.toMatchObject({ code: "CONFIGURATION_INVALID", message: expect.stringContaining("A group name has 1 to 127 bytes") as string });
    await transport.close();
  });

  it("cannot be used after close()", async () => {
    const transport = corosync();
    await transport.close();
    expect(() => transport.multicast(new Uint8Array(1))).toThrow(expect.objectContaining({ code: "TRANSPORT_CLOSED" }));
  });
});

describe("Corosync's errors in the framework's words", () => {
  it.each([
    ["LIBRARY", "COROSYNC_UNAVAILABLE"],
    ["ACCESS", "COROSYNC_UNAVAILABLE"],
    ["TRY_AGAIN", "COROSYNC_UNAVAILABLE"],
    ["NOT_INSTALLED", "COROSYNC_UNAVAILABLE"],
    ["TOO_OLD", "COROSYNC_UNAVAILABLE"],
    ["EXIST", "SLOT_TAKEN"],
    ["NAME_TOO_LONG", "CONFIGURATION_INVALID"],
    ["BAD_HANDLE", "TRANSPORT_CLOSED"],
  ] as const)("%s is %s, with Corosync's advice and itself as the cause", (code, expected) => {
    const cause = new CorosyncError(code, "cpg_join");
    expect(toLockstepError(cause)).toMatchObject({ code: expected, cause });
  });

  it("leaves other errors as they are, and calls a lost group TRANSPORT_CLOSED with the reason", () => {
    const other = new TypeError("not Corosync's");
    expect(toLockstepError(other)).toBe(other);
    const evicted = new CorosyncError("EVICTED", "cpg_dispatch");
    expect(lostGroup(evicted)).toMatchObject({ code: "TRANSPORT_CLOSED", cause: evicted, message: expect.stringContaining("heldLimitBytes") });
  });
});

describe("the window of own messages under way", () => {
  it("is full when the next message would exceed it, and reopens once, when half of it has come back", () => {
    const window = new SendWindow(4 * (1000 + 128));
    for (let i = 0; i < 4; i++) {
      expect(window.admits(1000)).toBe(true);
      window.sent(1000);
    }
    expect(window.reopened()).toBe(false);
    expect(window.admits(1000)).toBe(false);
    window.delivered(1000);
    expect(window.reopened()).toBe(false);
    window.delivered(1000);
    expect(window.reopened()).toBe(true);
    expect(window.reopened()).toBe(false);
  });

  it("takes a message larger than itself when nothing else is under way", () => {
    const window = new SendWindow(100);
    expect(window.admits(5000)).toBe(true);
    window.sent(5000);
    expect(window.admits(1)).toBe(false);
    window.delivered(5000);
    expect(window.admits(5000)).toBe(true);
  });
});

describe("the timer behind writable()", () => {
  beforeEach(() => { vi.useFakeTimers(); });
  afterEach(() => { vi.useRealTimers(); });

  it("backs off from 1 to 5 ms while the daemon stays busy, and begins anew after a success", () => {
    const timer = new WritableTimer();
    const told: number[] = [];
    const from = Date.now();
    timer.start(() => {
      told.push(Date.now() - from);
      if (told.length < 5) timer.scheduleSoon();
    });
    timer.scheduleSoon();
    timer.scheduleSoon();
    vi.runAllTimers();
    expect(told).toEqual([1, 3, 7, 12, 17]);
    timer.succeeded();
    timer.scheduleSoon();
    vi.advanceTimersByTime(1);
    expect(told).toHaveLength(6);
  });

  it("gives own messages under way up for lost only after a long silence, and says so before it tells", () => {
    const timer = new WritableTimer();
    const order: string[] = [];
    timer.start(() => { order.push("writable"); });
    timer.scheduleLate(() => { order.push("lost"); });
    vi.advanceTimersByTime(lostAfterMs - 1);
    expect(order).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(order).toEqual(["lost", "writable"]);
  });

  it("tells at once when there is room, in place of the waiting timer, and never after stop()", () => {
    const timer = new WritableTimer();
    let told = 0;
    timer.start(() => { told += 1; });
    timer.scheduleLate(() => undefined);
    timer.now();
    vi.runAllTimers();
    expect(told).toBe(1);
    timer.scheduleSoon();
    timer.stop();
    vi.runAllTimers();
    timer.now();
    expect(told).toBe(1);
  });
});
