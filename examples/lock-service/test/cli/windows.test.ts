/** The programs on Windows, as far as its rules can be had elsewhere: no signals but those that end a process hard, no groups of processes; and taskkill, which ends one with all that it has started. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { eventually } from "../support/eventually.js";
import { TestGroup } from "../support/group.js";
import { killAll, run, serving, type Run } from "../support/program.js";

let scratch: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "lockstep-lock-windows-"));
  mkdirSync(join(scratch, "System32"));
  writeFileSync(join(scratch, "System32", "taskkill.exe"), `#!/bin/sh
    tree() { for child in $(cat /proc/$1/task/*/children); do tree $child; done; kill -KILL $1; }
    test "$1 $3 $4" = "/pid /t /f" && tree $2`, { mode: 0o700 });
});
afterEach(async () => {
  await killAll();
  rmSync(scratch, { recursive: true });
});

/** What is loaded by then is of this system: the database's addon is another one on Windows. */
const framework = new URL("../../../../framework/dist/index.js", import.meta.url);
const rules = `
  import ${JSON.stringify(framework.href)};
  import { ChildProcess } from "node:child_process";
  Object.defineProperty(process, "platform", { value: "win32" });
  const known = (signal) => { if (!["SIGINT", "SIGTERM", "SIGKILL", "SIGQUIT", 0].includes(signal)) throw new TypeError("Unknown signal: " + signal); };
  const { kill } = process;
  process.kill = (pid, signal = "SIGTERM") => {
    known(signal);
    if (pid < 0) throw Object.assign(new Error("kill ESRCH"), { code: "ESRCH" });
    return kill.call(process, pid, signal === 0 ? 0 : "SIGKILL");
  };
  const { kill: killChild } = ChildProcess.prototype;
  ChildProcess.prototype.kill = function (signal = "SIGTERM") {
    known(signal);
    return killChild.call(this, signal === 0 ? 0 : "SIGKILL");
  };`;

function onWindows(...args: readonly string[]): Run {
  return run(args, scratch, { SystemRoot: scratch, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(rules)}` });
}

const numberIn = (name: string): number => {
  try {
    return Number(readFileSync(join(scratch, name), "utf8"));
  } catch {
    return 0;
  }
};

/** Of its place among the processes, the group: who is in the terminal's gets its Ctrl-C. */
const groupOf = (pid: number): string | undefined => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[2];

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

it("a held command, and what it has started, are ended when the lock is lost", async () => {
  const group = await TestGroup.start();
  try {
    writeFileSync(join(scratch, "work.sh"), "sleep 60 &\necho $! > child\necho $$ > command\nwait\nsleep 60\n");
    const holder = onWindows("run", "x", "--endpoints", group.url(1), "--", "/bin/sh", "work.sh");
    const [command, child] = await eventually("it works", () => numberIn("command") > 0 && [numberIn("command"), numberIn("child")]);
    const groups = [command ?? 0, holder.child.pid ?? 0].map(groupOf);
    await eventually("it is taken", async () => (await run(["release", "x", "--reason", "stuck", "--endpoints", group.url(2)]).ended) === 0);
    await eventually("it has ended", () => holder.child.exitCode !== null);
    expect(await holder.ended).toBe(76);
    await eventually("what it had started has ended", () => !alive(child ?? 0));
    expect(alive(command ?? 0)).toBe(false);
    expect(groups[0], "the command was in the console of who started it").toBe(groups[1]);
  } finally {
    await killAll();
    await group.close();
  }
});

it("a service stops cleanly when its console is closed (SIGHUP)", async () => {
  const { child, output, ended } = onWindows("serve", "--memory", "--port", "0");
  await serving({ child, output, ended });
  child.kill("SIGHUP");
  await eventually("it has ended", () => child.exitCode !== null);
  expect({ code: await ended, err: output.err }).toEqual({ code: 0, err: "" });
  expect(output.out).toMatch(/Stopping\.\n$/);
});

it("the demonstration says that it cannot be seen there, before it begins", async () => {
  const { output, ended } = onWindows("demo");
  expect({ code: await ended, ...output }).toEqual({ code: 1, out: "", err: expect.stringMatching(/^lockstep-lock: the demonstration stops a process .*Windows/) as string });
});
