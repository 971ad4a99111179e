/** One disk of three is full, a real one: a small file system that is gone with the process which has it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ended, linesOf, storeProcess } from "./store-process.js";

const namespace = ["unshare", "--user", "--map-root-user", "--mount"];
/** Room for the journal, and for some of the database; the ballast gone, for all of it. */
const launcher = (small: string): string[] => [...namespace, "sh", "-c", `mount -t tmpfs -o size=64m tmpfs ${small} && head -c ${48 << 20} /dev/zero > ${small}/ballast && exec "$@"`, "sh"];

let scratch: string;
beforeEach(() => { scratch = mkdtempSync(join(tmpdir(), "lockstep-full-")); });
afterEach(() => { rmSync(scratch, { recursive: true, force: true }); });

/** Three replicas, of which the third is on the small disk. Answers with lines of JSON. */
const program = `
  const fs = await import("node:fs");
  const { execFile } = await import("node:child_process");
  const { setTimeout: pause } = await import("node:timers/promises");
  const { createReplica, defineMachine, memory, MemoryNetwork, Table } = await import(new URL("index.js", dist).href);
  const machine = defineMachine({
    name: "m", version: 1, initialState: () => ({ values: new Table() }),
    commands: (command) => ({ set: command((draft, { key, value }) => void draft.values.set(key, value)) }),
    queries: { size: (state) => state.values.size },
  });
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const limits = { tickMs: 5, silenceTimeoutMs: 300, transferTimeoutMs: 300, digestIntervalMs: 0, answerTimeoutMs: 60_000 };
  const network = new MemoryNetwork({ nodes: 3 });
  const at = (slot) => directory + (slot === 3 ? "/small" : "/large") + "/" + slot;
  const start = (slot) => createReplica(machine, { group: "g", transport: memory({ network, nodeId: slot }), slots: [1, 2, 3], logger: quiet, limits, durability: "disk", directory: at(slot) });
  const say = (line) => console.log(JSON.stringify(line));
  const until = async (condition) => { while (!condition()) await pause(20); };

  let [one, two, three] = await Promise.all([1, 2, 3].map(start));
  await Promise.all([one, two, three].map((replica) => replica.ready()));
  let count = 0;
  const set = (replica) => replica.submit.set({ key: String(++count), value: String(count).repeat(100_000).slice(0, 100_000) });
  while (three.inspect().disk.trouble === undefined) await set(one);
  say(["trouble", three.inspect().disk.trouble]);
  say(["status", await new Promise((resolve) => execFile(process.execPath, [new URL("../bin/lockstep.js", dist).pathname, "status", "--data", at(3)], (error, stdout) => resolve(stdout)))]);

  // What the full one has written down stands still, and the other two go on.
  const stood = three.inspect().disk.end;
  for (let turn = 0; turn < 20; turn++) await set(two);
  say(["the others went on", one.inspect().disk.end - stood >= 20, three.inspect().disk.end === stood]);

  // While one of them stands still, an answer needs the full one; and when it is gone, so does a view.
  network.pause(2);
  let answered = 0;
  const first = set(one).then(() => { answered++; });
  await until(() => answered > 0 || three.inspect().positions.end > one.inspect().positions.committed);
  say(["answered while it is full", answered]);
  network.resume(2);
  await first;
  await two.stop();
  const second = set(one).then(() => { answered++; });
  await until(() => answered > 1 || [one, three].every((replica) => replica.inspect().reason === "waiting for promises"));
  say(["answered while it is full", answered]);
  fs.rmSync(directory + "/small/ballast");
  await second;
  await until(() => three.inspect().disk.trouble === undefined && three.inspect().disk.end === three.inspect().positions.end);
  say(["when there is room", answered, await three.query.size({ consistency: "linearizable" }) === count]);

  // All that was answered is on its disk.
  await Promise.all([one.stop(), three.stop()]);
  [one, three] = await Promise.all([1, 3].map(start));
  await Promise.all([one.ready(), three.ready()]);
  say(["after a restart", await three.query.size({ consistency: "linearizable" }) === count]);
  await Promise.all([one.stop(), three.stop()]);`;

const mayMount = spawnSync(namespace[0] ?? "", [...namespace.slice(1), "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0;
if (!mayMount) console.log("Left out: a replica on a full file system, because this process may not mount one. To add it: run as root");

describe.runIf(mayMount)("a replica whose disk is full", () => {
  it("acknowledges nothing and says so, while the others go on, and goes on when there is room", async () => {
    mkdirSync(join(scratch, "small"));
    const child = storeProcess(scratch, program, launcher(join(scratch, "small")));
    const said: unknown[] = [];
    for await (const line of linesOf(child)) said.push(JSON.parse(line));
    await ended(child);
    expect(said).toEqual([
      ["trouble", expect.stringMatching(/small\/3 takes nothing: .*Make room/) as string],
      ["status", expect.stringMatching(/IT TAKES NOTHING: .*small\/3/) as string],
      ["the others went on", true, true],
      ["answered while it is full", 0],
      ["answered while it is full", 1],
      ["when there is room", 2, true],
      ["after a restart", true],
    ]);
    expect(child.exitCode).toBe(0);
  });
});
