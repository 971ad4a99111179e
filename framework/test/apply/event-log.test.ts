import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { EventLog } from "../../src/apply/event-log.js";
import { failed, succeeded } from "../../src/apply/outcomes.js";
import type { AppliedEntry } from "../../src/apply/types.js";
import { encodeCommand, encodeCommands } from "../../src/codec/entry-codec.js";
import type { CommandCall } from "../../src/log/entry.js";
import type { ReplicaEvent } from "../../src/replica-api.js";

const origin = { slot: 1, incarnation: "00000000000000aa" };
const count = 300;
const plenty = { eventEntries: 1000, eventBytes: 1024 * 1024 };

function callsOf(position: number): CommandCall[] {
  return [{ name: "set", input: { key: `k${position}`, at: new Map([[position, -0]]) } }, { name: "take", input: undefined, requestId: `r${position}` }];
}

/**
 * @param slab Where its bytes lie, among other things.
 * @param extra Bytes of the input of one more command.
 * @returns Its own bytes.
 */
function append(log: EventLog, position: number, change: Partial<AppliedEntry> = {}, slab?: Uint8Array, extra = 0): number {
  const commands = [...callsOf(position), ...(extra === 0 ? [] : [{ name: "fill", input: new Uint8Array(extra) }])];
  const encoded = encodeCommands({ origin, n: position, timeMs: position * 10 }, commands.map(encodeCommand)).bytes;
  slab?.set(encoded);
  const bytes = slab === undefined ? encoded : slab.subarray(0, encoded.byteLength);
  log.append({
    position, origin, n: position, now: position * 10, skipped: false,
    commands: commands.map((call, index) => ({ call, repeated: false, outcome: index === 0 ? succeeded(undefined) : failed("REJECTED", "no", { code: "none", position }) })),
    fired: position % 7 === 0 ? [{ call: { name: "due", input: position }, repeated: false, outcome: succeeded(position) }] : [], ...change,
  }, bytes);
  return bytes.byteLength;
}

/** The lowest position that is held. */
async function oldestOf(log: EventLog, newest: number): Promise<number> {
  let [trimmed, held] = [0, newest];
  while (held - trimmed > 1) {
    const between = Math.floor((trimmed + held) / 2);
    const reader = log.follow({ from: between });
    const isHeld = await reader.next().then(() => true, (error: unknown) => { expect(error).toMatchObject({ code: "EVENTS_TRIMMED" }); return false; });
    if (isHeld) held = between;
    else trimmed = between;
  }
  return held;
}

async function read(log: EventLog, from: number, through: number): Promise<ReplicaEvent[]> {
  const seen: ReplicaEvent[] = [];
  for await (const event of log.follow({ from })) {
    if (event.position > through) break;
    seen.push(event);
  }
  return seen;
}

describe("the log of events", () => {
  it("tells who comes late what it tells who follows closely", async () => {
    const log = new EventLog(plenty);
    const close: ReplicaEvent[] = [];
    const following = (async () => { for await (const event of log.follow({ from: 1 })) close.push(event); })();
    for (let position = 1; position <= count; position++) {
      append(log, position);
      await new Promise(setImmediate);
    }
    append(log, count + 1);
    const late = await read(log, 1, count);
    log.close(undefined);
    await following;
    expect(late).toHaveLength(2 * count + Math.floor(count / 7));
    expect(late).toEqual(close.filter(({ position }) => position <= count));
    expect(late[0]).toEqual({ position: 1, index: 0, command: "set", input: { key: "k1", at: new Map([[1, -0]]) }, outcome: { ok: true, result: undefined }, origin, now: 10 });
  });

  it.each([["close", 2], ["late", count]])("has no event of a retry that was given the first answer, and the others keep their index (%s)", async (_when, through) => {
    const log = new EventLog(plenty);
    const [set, take] = callsOf(1) as [CommandCall, CommandCall];
    const outcome = succeeded(1);
    append(log, 1, { commands: [{ call: set, outcome, repeated: false }, { call: take, outcome, repeated: false }] });
    append(log, 2, { commands: [{ call: set, outcome, repeated: true }, { call: take, outcome, repeated: false }], fired: [{ call: take, outcome, repeated: false }] });
    append(log, 3, { commands: [{ call: set, outcome, repeated: true }, { call: take, outcome, repeated: true }] });
    for (let position = 4; position <= through + 2; position++) append(log, position);
    const seen = await read(log, 1, 3);
    expect(seen.map(({ position, index, command }) => [position, index, command])).toEqual([[1, 0, "set"], [1, 1, "take"], [2, 0, "take"], [2, 2, "take"]]);
  });

  it("gives inputs that nobody can change, however late", async () => {
    const log = new EventLog(plenty);
    for (let position = 1; position <= count; position++) append(log, position);
    const [first] = await read(log, 1, 1);
    expect(Object.isFrozen(first?.input)).toBe(true);
  });

  it("does not keep what was delivered together with an entry", async () => {
    const log = new EventLog(plenty);
    const slab = new Uint8Array(1024 * 1024);
    append(log, 1, {}, slab);
    for (let position = 2; position <= count; position++) append(log, position);
    slab.fill(0xff); // seen by whoever has kept a view of it
    expect((await read(log, 1, 1)).map(({ command }) => command)).toEqual(["set", "take"]);
  });

  it("keeps no more bytes of entries than eventBytes, however few entries that is, and at least half of it", async () => {
    const eventBytes = 100_000;
    const log = new EventLog({ eventEntries: 1000, eventBytes });
    const through = [0]; // bytes, up to each position
    const sums: number[] = [];
    for (let position = 1; position <= count; position++) {
      const bytes = append(log, position, {}, undefined, 1_000);
      through.push(through.at(-1)! + bytes);
      const sum = through[position]! - through[await oldestOf(log, position) - 1]!;
      sums.push(sum);
      expect(sum).toBeLessThanOrEqual(eventBytes);
      expect(sum).toBeGreaterThanOrEqual(Math.min(through[position]!, eventBytes / 2 - bytes));
    }
    expect(Math.max(...sums)).toBeGreaterThan(eventBytes - 2_000);
  });

  it("counts an entry's own bytes until it is dropped, and keeps the newest, whatever its size", async () => {
    const log = new EventLog({ eventEntries: 5, eventBytes: 10_000 });
    for (let position = 1; position <= 200; position++) append(log, position, {}, new Uint8Array(1024 * 1024), 900);
    expect(await oldestOf(log, 200)).toBeGreaterThan(200 - 11);
    expect(await oldestOf(log, 200)).toBeLessThanOrEqual(200 - 4);
    append(log, 201, {}, undefined, 20_000);
    expect(await oldestOf(log, 201)).toBe(201);
    log.skipTo(300);
    for (let position = 301; position <= 305; position++) append(log, position, {}, undefined, 1_800);
    expect(await oldestOf(log, 305)).toBe(301);
  });

  it("tells without a position what comes after the call, whenever it is read", async () => {
    const log = new EventLog(plenty);
    append(log, 1);
    const reader = log.follow();
    append(log, 2);
    append(log, 3);
    expect((await reader.next()).value).toMatchObject({ position: 2, index: 0 });
  });

  it("ends by return() each next() that waits", async () => {
    const log = new EventLog(plenty);
    const reader = log.follow();
    const waiting = [reader.next(), reader.next()];
    const over = { value: undefined, done: true };
    expect(await reader.return()).toEqual(over);
    expect(await Promise.all(waiting)).toEqual([over, over]);
    append(log, 1);
    expect(await reader.next()).toEqual(over);
  });

  it("ends by its signal a next() that waits, and lets go of the signal", async () => {
    const log = new EventLog(plenty);
    const controller = new AbortController();
    const { signal } = controller;
    const listeners = (): number => getEventListeners(signal, "abort").length;
    const reader = log.follow({ from: 1, signal });
    const first = reader.next();
    append(log, 1);
    expect((await first).value).toMatchObject({ position: 1 });
    expect(listeners()).toBe(0);
    await reader.next();
    const second = reader.next();
    expect(listeners()).toBe(1);
    controller.abort();
    expect(await second).toEqual({ value: undefined, done: true });
    expect(listeners()).toBe(0);
    expect((await log.follow({ from: 1, signal }).next()).done).toBe(true);
  });

  it("answers calls of next() in their order, and the first of them with what ends the log", async () => {
    const log = new EventLog(plenty);
    const reader = log.follow({ from: 1 });
    const calls = Array.from({ length: 6 }, async () => reader.next().then(({ value, done }) => (done === true ? "over" : `${value.position}.${value.index}`), (error: unknown) => error));
    append(log, 1);
    append(log, 2);
    const broken = new Error("broken");
    log.close(broken);
    expect(await Promise.all(calls)).toEqual(["1.0", "1.1", "2.0", "2.1", broken, "over"]);
  });

  it.each([Number.NaN, 1.5, -1, 0, Number.POSITIVE_INFINITY, "1"])("refuses to begin at %s, which is no position", async (from) => {
    const log = new EventLog(plenty);
    append(log, 1);
    const reader = log.follow({ from: from as number });
    const waiting = reader.next();
    log.close(undefined); // or one that waited would wait for ever
    await expect(waiting).rejects.toMatchObject({ code: "INVALID_INPUT", outcome: "none" });
    expect((await reader.next()).done).toBe(true);
  });

  it("has no events of a second copy of an entry, whose bytes have commands all the same", async () => {
    const log = new EventLog(plenty);
    append(log, 1);
    append(log, 2, { skipped: true, commands: [], fired: [] });
    for (let position = 3; position <= count; position++) append(log, position);
    expect((await read(log, 1, 3)).map(({ position }) => position)).toEqual([1, 1, 3, 3]);
  });
});
