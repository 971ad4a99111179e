/** Replicas' stores whose processes are killed while they write: what was said to be written is there, and nothing by halves. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openBackend } from "../../src/log/journaled-backend.js";
import { openLogStore } from "../../src/log/log-store.js";
import { ended, linesOf, storeProcess } from "./store-process.js";

const kills = 30;
const identity = { group: "g", slot: 1, machine: "m", version: 1, slots: [1, 2, 3], policy: "majority" };
let directory: string;

beforeEach(() => { directory = mkdtempSync(join(tmpdir(), "lockstep-kills-")); });
afterEach(() => { rmSync(directory, { recursive: true, force: true }); });

/** Appends, cuts now and then, and every so often lets the log begin with a snapshot; says what is written: base, end, and the cut. */
const writer = `
  const store = openLogStore(await openBackend(directory), log.identity);
  const found = store.recover();
  let base = found?.base ?? log.genesis;
  let held = Array.from(found?.entries ?? []);
  for (const slice of found?.snapshot ?? []) void slice;
  for (let turn = 1; ; turn++) {
    const cutAfter = turn % 7 === 0 && held.length > 3 ? held.at(-3).position : undefined;
    if (cutAfter !== undefined) held = held.slice(0, -2);
    const entries = log.entriesAfter(held.at(-1) ?? base, 1 + turn % 5);
    const next = [...held, ...entries];
    const change = { entries, head: { ...log.head, known: [1, turn] }, ...(cutAfter === undefined ? {} : { cutAfter }) };
    if (turn % 10 === 0) {
      const { position, hash } = held[Math.floor(held.length / 2)];
      const snapshot = store.beginSnapshot({ position, hash });
      for (let slice = 0; slice < 3; slice++) await snapshot.write(Buffer.alloc(20000, position + slice));
      await snapshot.finish();
      change.base = base = { position, hash };
    }
    // What may be there before it is said: this write, or nothing of it.
    console.log("writes " + JSON.stringify({ base: base.position, end: next.at(-1).position, turn }));
    await store.write(change);
    held = next.filter(({ position }) => position > base.position);
    console.log("written " + JSON.stringify({ base: base.position, end: next.at(-1).position, turn }));
  }`;

interface Written {
  readonly base: number;
  readonly end: number;
  readonly turn: number;
}

/** The store as a restart finds it, every entry and slice looked at. */
async function found(): Promise<Written | undefined> {
  const store = openLogStore(await openBackend(directory), identity);
  try {
    const recovered = store.recover();
    if (recovered === undefined) return undefined;
    const positions = Array.from(recovered.entries, ({ position, record }) => {
      expect(record.n).toBe(position);
      return position;
    });
    const slices = Array.from(recovered.snapshot ?? [], (slice) => `${slice.byteLength} of ${slice[0]}`);
    const { position } = recovered.base;
    expect(slices).toEqual(position === 0 ? [] : [0, 1, 2].map((slice) => `20000 of ${(position + slice) % 256}`));
    return { base: position, end: positions.at(-1) ?? position, turn: recovered.head.known[1] ?? 0 };
  } finally {
    await store.close();
  }
}

describe("a replica's store", () => {
  it("has all that was said to be written after each of thirty kills, and nothing by halves", async () => {
    let before: Written | undefined;
    for (let kill = 0; kill < kills; kill++) {
      const child = storeProcess(directory, writer);
      const delayMs = Math.floor(Math.random() * 60);
      let [writes, written] = [before, before];
      for await (const line of linesOf(child)) {
        const [what, text = ""] = line.split(/ (.*)/);
        const said = JSON.parse(text) as Written;
        if (what === "writes") writes = said;
        else written = said;
        if (what === "written" && said.turn === 1) setTimeout(() => child.kill("SIGKILL"), delayMs);
      }
      await ended(child);
      before = await found();
      expect([written, writes], `kill ${kill}, ${delayMs} ms after its first write`).toContainEqual(before);
    }
    expect(before?.end).toBeGreaterThan(kills);
  });
});
