/** More processes in one group than libcpg's lists have places for (CPG_MEMBERS_MAX, 128): it would write beyond them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import type { Recording } from "../support/client.js";
import { useDaemon } from "../support/use-daemon.js";

const fixture = useDaemon();
/** CPG_MEMBERS_MAX */
const most = 128;

/** Joins argv[1] with argv[2] processes, says so, and stays. Each is a member: as Node processes they would take gigabytes. */
const crowd = `
import ctypes, os, signal, sys, time
cpg = ctypes.CDLL("libcpg.so.4")
group = sys.argv[1].encode()
class Name(ctypes.Structure):
  _fields_ = [("length", ctypes.c_uint32), ("value", ctypes.c_char * 128)]
class Callbacks(ctypes.Structure):
  _fields_ = [("deliver", ctypes.c_void_p), ("confchg", ctypes.c_void_p)]
done = os.pipe()
for i in range(int(sys.argv[2])):
  if os.fork() == 0:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    handle = ctypes.c_uint64()
    while cpg.cpg_initialize(ctypes.byref(handle), ctypes.byref(Callbacks())) != 1: time.sleep(0.01)
    name = Name(len(group), group)
    while cpg.cpg_join(handle, ctypes.byref(name)) != 1: time.sleep(0.01)
    os.write(done[1], b".")
    signal.pause()
for i in range(int(sys.argv[2])): os.read(done[0], 1)
print("joined", flush=True)
signal.pause()
`;

async function withCrowd(group: string, members: number, act: () => Promise<void>): Promise<void> {
  const [command, ...args] = [...fixture.daemon.enter, "setpriv", "--pdeathsig", "KILL", "python3", "-c", crowd, group, String(members)];
  const processes = spawn(command ?? "", args, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await Promise.race([once(processes.stdout, "data"), once(processes, "exit").then(() => { throw new Error("the crowd has ended"); })]);
    await act();
  } finally {
    processes.kill("SIGKILL");
  }
}

test("the last place may be taken; with one member more a handle ends, and neither joins nor asks for members, with TOO_MANY_MEMBERS", async () => {
  const [member, late] = [fixture.client(), fixture.client()];
  await withCrowd("crowd", most - 1, async () => {
    const before = await member.run(async ({ record, kept }) => {
      const recording = await record();
      kept["recording"] = recording;
      await recording.cpg.join("crowd");
      const [first] = recording.events;
      return { told: first?.kind === "change" ? first.members.length : 0, asked: (await recording.cpg.membership("crowd")).length };
    });
    expect(before).toEqual({ told: most, asked: most });
    const code = await late.run(async ({ record }) => {
      const { cpg } = await record();
      return cpg.join("crowd").then(() => "joined", (error: { code?: string }) => error.code);
    });
    expect(code).toBe("TOO_MANY_MEMBERS");
    await withCrowd("crowd", 1, async () => {
      const after = await member.run(async ({ kept, until }) => {
        const { events } = kept["recording"] as Recording;
        await until(() => events.at(-1)?.kind === "ended");
        return events.at(-1);
      });
      expect(after).toEqual({ kind: "ended", code: "TOO_MANY_MEMBERS" });
      await withCrowd("crowd", 1, async () => {
        const asked = await late.run(async ({ record }) => {
          const { cpg } = await record();
          const code = await cpg.membership("crowd").then(() => "answered", (error: { code?: string }) => error.code);
          return { code, members: (await cpg.members("crowd")).length };
        });
        expect(asked).toEqual({ code: "TOO_MANY_MEMBERS", members: most + 1 });
      });
    });
  });
});
