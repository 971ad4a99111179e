/**
 * A store on real files loses power at every moment at which it has said that something is written: what was not flushed by then is
 * gone, or there in part. (A process that is killed leaves all of it to the next one.)
 */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openBackend } from "../../src/log/journaled-backend.js";
import { openLogStore } from "../../src/log/log-store.js";
import { Random } from "../../src/testing/random.js";
import { ended, storeProcess } from "../log/store-process.js";
import { makeRecorder, readRecording, RecordedDisk } from "./recording.js";

let scratch: string;
let disk: string;
beforeEach(() => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-power-")));
  disk = join(scratch, "disk");
});
afterEach(() => { rmSync(scratch, { recursive: true, force: true }); });

/** Two lives, which both go on into the journal's other half, with snapshots and what they replace, and end in order. What is said to be written is put down in a file. */
const program = `
  const fs = await import("node:fs");
  const path = await import("node:path");
  const said = fs.openSync(path.join(path.dirname(path.dirname(directory)), "said"), "w");
  const say = (position) => { fs.writeSync(said, String(position).padStart(8) + "\\n"); };
  let last = log.genesis;
  for (let life = 0; life < 2; life++) {
    const store = openLogStore(await openBackend(directory), log.identity);
    const recovered = store.recover();
    for (const entry of recovered?.entries ?? []) last = entry;
    for (let turn = 0; turn < 30; turn++) {
      const entries = log.entriesAfter(last, 1 + turn % 3, turn % 4 === 3 ? 220_000 : 2_000);
      await store.write({ entries, head: log.head });
      last = entries.at(-1);
      say(last.position);
      if (turn % 12 !== 11) continue;
      const snapshot = store.beginSnapshot(last);
      for (let slice = 0; slice < 3; slice++) await snapshot.write(Buffer.alloc(20_000, slice));
      await snapshot.finish();
      await store.write({ base: last, entries: [], head: log.head });
      say(last.position);
    }
    await store.close();
    say(last.position);
  }`;

const identity = { group: "g", slot: 1, machine: "m", version: 1, slots: [1, 2, 3], policy: "majority" };

/** The position up to which a start finds everything. */
async function foundIn(directory: string): Promise<number> {
  const store = openLogStore(await openBackend(directory), identity);
  try {
    const recovered = store.recover();
    if (recovered === undefined) return 0;
    for (const slice of recovered.snapshot ?? []) expect(slice).toHaveLength(20_000);
    return Array.from(recovered.entries).at(-1)?.position ?? recovered.base.position;
  } finally {
    await store.close();
  }
}

async function record(): Promise<ReturnType<typeof readRecording>> {
  const recording = join(scratch, "recording");
  const directory = join(disk, "replicas", "store");
  mkdirSync(disk);
  const child = storeProcess(directory, program, ["env", `LD_PRELOAD=${makeRecorder(scratch)}`, `RECORD_DIRECTORY=${disk}`, `RECORD_TO=${recording}`, "UV_USE_IO_URING=0"]);
  await ended(child);
  expect(child.exitCode).toBe(0);
  return readRecording(recording);
}

describe("a store on real files", () => {
  it("has all that it said was written when the power fails, whatever of the rest comes to the disk", async () => {
    const steps = await record();
    const model = new RecordedDisk();
    const seed = Number(process.env["LOCKSTEP_SEED"] ?? 1);
    const random = new Random(seed);
    let [said, losses] = [0, 0];
    for (const [index, step] of steps.entries()) {
      model.do(step);
      const says = step.type === "write" && step.path === join(disk, "said");
      if (says) said = Number(step.bytes.toString("latin1"));
      // At each answer, and some of the time between two; but at each step until the first one, when the files are made.
      const making = said === 0;
      if (!says && !making && !(step.type === "write" && random.chance(0.08))) continue;
      for (const rest of [undefined, ...Array.from({ length: making ? 3 : 1 }, () => random)]) {
        losses++;
        model.leave(join(disk, "replicas"), join(scratch, "left"), rest);
        const found = await foundIn(join(scratch, "left", "store")).catch((error: unknown) => String(error));
        expect(found, `after step ${index} of ${steps.length} (${step.type} ${step.path}), ${rest === undefined ? "nothing" : "some"} of the rest, seed ${seed}: at least ${said}`).toSatisfy((position) => typeof position === "number" && position >= said);
      }
    }
    expect(said).toBeGreaterThan(100);
    expect(losses).toBeGreaterThan(100);
    // Nothing went past the recorder.
    for (const name of readdirSync(join(disk, "replicas", "store"))) {
      const path = join(disk, "replicas", "store", name);
      if (name !== "data.mdb-lock") expect(model.seen(path)?.equals(readFileSync(path)), name).toBe(true);
    }
  });
});
