/** The program that restores, killed at any moment or without room: what it leaves is all of the state, or starts nobody and can be restored into again. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { planRestore, restore, type RestoreTarget } from "../../src/operate/restore.js";
import { inspectStore } from "../../src/operate/store-report.js";
import { addAll, Bed } from "./bed.js";

let bed: Bed;
beforeEach(() => { bed = new Bed(); });
afterEach(() => bed.end());

async function restoreInto(directory: string): Promise<void> {
  const target: RestoreTarget = { directory, group: "counters", slot: 1, slots: [1, 2, 3], policy: "majority" };
  await restore(bed.path("a.backup"), await planRestore(bed.path("a.backup"), target), "ada@desk", 1_000_000);
}

/** Of what has been written. */
function databaseBytes(directory: string): number {
  return statSync(join(directory, "data.mdb"), { throwIfNoEntry: false })?.size ?? 0;
}

/** @param killedAtBytes undefined: it ends by itself. */
async function restoreProcess(directory: string, launcher: readonly string[] = [], killedAtBytes?: number): Promise<{ said: string }> {
  const program = fileURLToPath(new URL("../../bin/lockstep.js", import.meta.url));
  const [command, ...args] = [...launcher, process.execPath, program, "restore", bed.path("a.backup"), "--data", directory, "--group", "counters", "--slot", "1", "--slots", "1,2,3"];
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  const said = child.stderr.toArray();
  const ended = once(child, "exit");
  if (killedAtBytes !== undefined) {
    while (child.exitCode === null && databaseBytes(directory) < killedAtBytes) await pause(1);
    child.kill("SIGKILL");
  }
  await ended;
  return { said: (await said).join("") };
}

async function whatIsThere(directory: string): Promise<"nothing" | "unfinished" | "whole"> {
  try {
    expect((await inspectStore(directory)).log).toBeDefined();
    return "whole";
  } catch (error) {
    const { message } = error as Error;
    if (/holds no store|does not say whose/.test(message)) return "nothing";
    expect(message).toContain("was not finished");
    return "unfinished";
  }
}

describe("a restore by the program", () => {
  it("that the disk does not take can be begun again", async () => {
    const [member] = await bed.inMemory();
    await addAll(member, 100);
    await member?.backup(bed.path("a.backup"), { by: "ada@desk" });
    await bed.stopAll();
    // There is room for the state, and not for the journal of the store.
    const { said } = await restoreProcess(bed.path("1"), ["prlimit", `--fsize=${4 << 20}`]);
    expect(said).toContain("takes nothing");
    await restoreInto(bed.path("1"));
    const replicas = await bed.startAll();
    expect(await replicas[2]?.submit.add({ key: "key 0", by: 1 })).toBe(2);
  });

  it("that is killed leaves all of it, or what nobody starts from and can be restored into again", async () => {
    const [one] = await bed.inMemory();
    for (let n = 0; n < 20; n++) await addAll(one, 1_000, `part ${n}`);
    const { position } = (await one?.backup(bed.path("a.backup"), { by: "ada" })) ?? { position: 0 };
    await bed.stopAll();
    await restoreInto(bed.path("whole"));
    const wholeBytes = databaseBytes(bed.path("whole"));
    const seen = { nothing: 0, unfinished: 0, whole: 0 };
    const rounds = 12;
    for (let round = 0; round < rounds; round++) {
      const directory = bed.path(`killed-${round}`);
      await restoreProcess(directory, [], (wholeBytes * round) / (rounds - 1));
      const found = await whatIsThere(directory);
      seen[found]++;
      if (found === "unfinished") {
        await expect(bed.start(1, { directory })).rejects.toMatchObject({ code: "STORE_DAMAGED", message: expect.stringMatching(/restore .* not finished.* Run it again/) as string });
        await restoreInto(directory);
        expect(await whatIsThere(directory)).toBe("whole");
      }
      if (found !== "nothing") expect((await inspectStore(directory)).log).toMatchObject({ base: { position }, end: { position: position + 1 }, snapshot: { tables: [{ name: "values", keys: 20_000 }] } });
    }
    console.log(`restores killed: ${JSON.stringify(seen)}`);
    expect(seen.unfinished).toBeGreaterThan(0);
  });
});
