/** The commands, as people run them: processes of their own, against a real group. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.js";
import { TestGroup } from "../support/group.js";
import { killAll, program, run, type Run } from "../support/program.js";

let group: TestGroup;
let directory: string;

beforeEach(async () => {
  group = await TestGroup.start();
  directory = mkdtempSync(join(tmpdir(), "lockstep-lock-cli-"));
});
afterEach(async () => {
  await killAll();
  await group.close();
  rmSync(directory, { recursive: true });
});

const command = (name: string, lock: string, options: readonly string[], held: readonly string[] = []): Run =>
  run([name, lock, "--endpoints", [1, 2, 3].map((replica) => group.url(replica)).join(","), ...options, ...(held.length === 0 ? [] : ["--", ...held])]);
const finished = async ({ ended, output }: Run): Promise<{ readonly code: unknown; readonly out: string; readonly err: string }> => ({ code: await ended, ...output });
const holders = async (lock: string): Promise<number> => (await group.call(1, "GET", `/v1/locks/${lock}`)).body.lock.holders.length as number;
const waiters = async (lock: string): Promise<number> => (await group.call(1, "GET", `/v1/locks/${lock}`)).body.lock.waiters.length as number;
const file = (name: string): string => join(directory, name);

describe("lockstep-lock run", () => {
  it("holds the lock around the command, gives it the token, and ends with its exit code", async () => {
    const first = await finished(command("run", "x", [], ["sh", "-c", "echo $LOCKSTEP_LOCK_NAME $LOCKSTEP_LOCK_TOKEN; exit 3"]));
    expect(first).toMatchObject({ code: 3, out: "x 1\n", err: "" });
    expect((await finished(command("run", "x", [], ["sh", "-c", "echo $LOCKSTEP_LOCK_TOKEN"]))).out).toBe("2\n");
    expect(await holders("x")).toBe(0);
  });

  it("takes the longest name that a lock may have", async () => {
    const name = "n".repeat(256);
    expect(await finished(command("run", name, [], ["sh", "-c", "printf %s $LOCKSTEP_LOCK_NAME"]))).toEqual({ code: 0, out: name, err: "" });
    expect(await finished(command("elect", name, ["--value", "v"], ["true"]))).toEqual({ code: 0, out: "", err: "" });
  });

  it("hands on that the terminal's window has another size", async () => {
    const holder = command("run", "x", [], ["sh", "-c", "trap 'echo resized; exit 4' WINCH; echo ready; while :; do sleep 0.02; done"]);
    await eventually("it is ready", () => holder.output.out === "ready\n");
    holder.child.kill("SIGWINCH");
    expect(await finished(holder)).toEqual({ code: 4, out: "ready\nresized\n", err: "" });
  });

  it("says who is in the way, and ends with 75, when it is not to wait", async () => {
    const holder = command("run", "x", [], ["sleep", "60"]);
    await eventually("it is held", async () => await holders("x") === 1);
    const refused = await finished(command("run", "x", ["--wait", "0"], ["true"]));
    expect(refused).toMatchObject({ code: 75 });
    expect(refused.err).toContain("x is not free");
    const late = await finished(command("run", "x", ["--wait", "0.1"], ["true"]));
    expect(late.code).toBe(75);
    expect(late.err).toMatch(/^lockstep-lock: not granted within \d+ ms\n$/);
    holder.child.kill("SIGTERM");
    expect(await holder.ended).toBe(128 + 15);
    expect(await holders("x")).toBe(0);
  });

  it("ends the command and what it started when an operator takes the lock, and ends with 76", async () => {
    writeFileSync(file("work.sh"), `trap 'echo asked > ${file("asked")}' TERM\nsleep 60 &\necho $! > ${file("child")}\nwhile :; do wait; done\n`);
    const holder = command("run", "x", [], ["sh", file("work.sh")]);
    await eventually("it is held", async () => await holders("x") === 1);
    await eventually("its child runs", () => read("child") !== "");
    // Its own watching of events begins at its own pace: an operator's second try finds nobody.
    expect(await finished(command("release", "x", ["--reason", "stuck"]))).toMatchObject({ code: 0, out: expect.stringContaining("Taken from") as string });
    expect(await holder.ended).toBe(76);
    expect(holder.output.err).toContain("an operator has taken it");
    expect(read("asked")).toBe("asked\n");
    // Killed with its group; whoever takes in orphans looks after it at its own pace.
    await eventually("its child is gone", () => !isThere(Number(read("child"))));
  });

  it("ends the command when the lease ends, before another one runs", async () => {
    const log = file("log");
    const work = (name: string): readonly string[] => ["sh", "-c", `trap 'echo end ${name} >> ${log}; exit' TERM; sleep 10 & echo begin ${name} >> ${log}; wait`];
    // A sleep that has been forked and is no sleep yet overhears SIGTERM; then the end is seen only when it is over.
    const endpoint = (replica: number): readonly string[] => ["--endpoints", group.url(replica), "--ttl", "10"];
    const first = run(["run", "x", ...endpoint(1), "--", ...work("first")]);
    await eventually("the first one works", () => read("log") !== "");
    group.group.network.cut([[1], [2, 3]]);
    const second = run(["run", "x", ...endpoint(2), "--", ...work("second")]);
    await eventually("the second one works", () => read("log").includes("begin second"));
    expect(read("log")).toBe("begin first\nend first\nbegin second\n");
    expect(await first.ended).toBe(76);
    second.child.kill("SIGTERM");
    await second.ended;
    group.group.network.heal();
  });

  it("leaves the queue at once when it is interrupted while it waits", async () => {
    const holder = command("run", "x", [], ["sleep", "60"]);
    await eventually("it is held", async () => await holders("x") === 1);
    for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
      const waiter = command("run", "x", [], ["true"]);
      await eventually("it waits", async () => await waiters("x") === 1);
      waiter.child.kill(signal);
      expect(await finished(waiter)).toEqual({ code, out: "", err: "" });
      expect(await waiters("x")).toBe(0);
    }
    holder.child.kill("SIGTERM");
    await holder.ended;
  });

  it("stops the command with itself (Ctrl-Z), and lets it go on only if the lock is still held", async () => {
    const log = file("log");
    const first = command("run", "x", ["--ttl", "8"], ["sh", "-c", `echo $$ > ${file("pid")}; while :; do echo . >> ${log}; sleep 0.02; done`]);
    await eventually("it works", () => read("log").length > 10);
    // D: sh has been stopped while it started another program (vfork).
    const stateOf = (pid: number): string | undefined => /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    const stop = async (): Promise<void> => {
      first.child.kill("SIGTSTP");
      for (const [who, pid] of [["lockstep-lock", first.child.pid ?? 0], ["the command", Number(read("pid"))]] as const) await eventually(`${who} is stopped`, () => /[TD]/.test(stateOf(pid) ?? ""));
    };
    await stop();
    const before = read("log").length;
    first.child.kill("SIGCONT");
    await eventually("it works again", () => read("log").length > before);
    await stop();
    const written = read("log");
    const second = await finished(command("run", "x", [], ["true"]));
    expect(second.code).toBe(0);
    first.child.kill("SIGCONT");
    expect(await first.ended).toBe(76);
    expect(read("log")).toBe(written);
  });

  it("says what is wrong with the command line, and ends with 2", async () => {
    for (const [args, words] of [
      [["run"], "name one lock"], [["run", "x"], "after -- comes"], [["run", "x", "--mode", "YY", "--", "true"], "--mode takes"], [["run", "x", "--wait", "soon", "--", "true"], "--wait takes seconds"],
      [["run", "x", "--ttl", "1", "--", "true"], "at least 3"], [["release", "x"], "--reason"], [["show"], "name one lock"], [["elect", "e"], "--observe"], [["show", "--graph", "a", "b"], "name one prefix"], [["ls", "--tls-cert", "x"], "both"],
      [["ls", "--token-file", "/none"], "--token-file"],
    ] as const) {
      const { code, err } = await finished(run(args));
      expect(err).toContain(words);
      expect(code, err).toBe(2);
    }
  });
});

describe("lockstep-lock ls, show and elect", () => {
  it("show what is held, and who waits, and who leads", async () => {
    expect((await finished(run(["ls", "--endpoints", group.url(1)]))).out).toBe("Nobody holds or awaits any lock there.\n");
    const leader = command("elect", "lead", ["--value", "host-a"], ["sleep", "60"]);
    await eventually("it leads", async () => await holders("lead") === 1);
    const observer = command("elect", "lead", ["--observe"]);
    await eventually("it sees the leader", () => observer.output.out.includes("host-a"));
    command("run", "lead", [], ["true"]);
    await eventually("one waits", async () => (await group.call(1, "GET", "/v1/locks/lead")).body.lock.waiters.length === 1);
    expect((await finished(run(["ls", "--endpoints", group.url(2)]))).out).toBe("LOCK  KIND   HOLDERS  WAITERS\nlead  modes  1        1\n");
    const { out } = await finished(command("show", "lead", []));
    expect(out).toMatch(/^lead\n +MODE +SESSION +TOKEN +FOR +VALUE\nholds +EX +\S+ +1 +[\d.]+ s +host-a\nwaits +EX +\S+ +[\d.]+ s\n$/);
    expect((JSON.parse((await finished(command("show", "lead", ["--json"]))).out) as { lock: { holders: unknown[] } }).lock.holders).toHaveLength(1);
    expect((await finished(run(["show", "--graph", "le", "--endpoints", group.url(3)]))).out).toMatch(/^LOCK +WAITS +FOR\nlead +\S+ \S+ +\S+ \S+\n$/);
    expect((await finished(run(["show", "--graph", "--endpoints", group.url(3), "--json"]))).out).toContain('"edges"');
    leader.child.kill("SIGTERM");
    expect(await leader.ended).toBe(128 + 15);
    expect((await finished(run(["show", "--graph", "other", "--endpoints", group.url(3)]))).out).toBe("Nobody waits for anybody there.\n");
  });

  it("run the command of a leader again when it has lost the lead and leads again", async () => {
    const leader = command("elect", "lead", ["--value", "a"], ["sh", "-c", `echo $LOCKSTEP_LOCK_TOKEN >> ${file("tokens")}; exec sleep 60`]);
    await eventually("it leads", () => read("tokens") === "1\n");
    await eventually("it has lost the lead", async () => (await finished(command("release", "lead", ["--reason", "test"]))).out.startsWith("Taken from"));
    await eventually("it leads again", () => read("tokens") === "1\n2\n");
    leader.child.kill("SIGINT");
    expect(await leader.ended).toBe(128 + 2);
    expect(await holders("lead")).toBe(0);
  });

  it("end quietly when nobody reads what they print", async () => {
    const observer = command("elect", "lead", ["--observe"]);
    await eventually("it has printed something", () => observer.output.out === "null\n");
    observer.child.stdout?.destroy();
    const client = command("run", "lead", [], ["true"]);
    expect(await client.ended).toBe(0);
    expect(await observer.ended).toBe(0);
    expect(observer.output.err).toBe("");
    // The shell's end of the pipe is closed before anything is printed.
    const list = command("ls", "", []);
    list.child.stdout?.destroy();
    expect(await list.ended).toBe(0);
    expect(list.output.err).toBe("");
  });

  it.runIf(process.platform === "linux")("fail where what they print cannot be written", () => {
    const full = openSync("/dev/full", "w");
    const { status, stderr } = spawnSync(process.execPath, [program, "ls", "--help"], { stdio: ["ignore", full, "pipe"], encoding: "utf8" });
    closeSync(full);
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/^lockstep-lock: what it prints cannot be written: ENOSPC/) as unknown });
  });
});

function read(name: string): string {
  try {
    return readFileSync(file(name), "utf8");
  } catch {
    return "";
  }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
