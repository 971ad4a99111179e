/** The command line for people, run as they run it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { runProgram, type Ended } from "../start/programs.js";

const place = mkdtempSync(join(tmpdir(), "lockstep-cli-test-"));

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const program = fileURLToPath(new URL("../dist/cluster/cli.js", import.meta.url));

function cluster(...args: string[]): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8", env: { ...process.env, TMPDIR: place } });
  return { code: status, out: stdout, err: stderr };
}

afterAll(() => {
  cluster("down");
  rmSync(place, { recursive: true, force: true });
});

it("keeps a cluster up between commands, breaks it, mends it and takes it down", () => {
  expect(cluster("up", "--nodes", "2", "--token", "400")).toMatchObject({ code: 0, err: "", out: expect.stringMatching(/^node 1: running, ring \S+ of 1 2, quorate\nnode 2: running, ring \S+ of 1 2, quorate\n$/) });
  expect(cluster("up")).toEqual({ code: 1, out: "", err: "A cluster is up already: see status, or take it down first.\n" });
  expect(cluster("exec", "2", "sh", "-c", "corosync-quorumtool -s | grep 'Node ID'; exit 7")).toMatchObject({ code: 7, out: expect.stringMatching(/^Node ID: +2\n$/) });
  expect(cluster("exec", "2", "no-such-command").code).not.toBe(0);
  expect(cluster("cut", "2").out).toMatch(/^node 2: .*, cut$/m);
  expect(cluster("block", "1", "2").out).toMatch(/^node 2: .*, cut, hears nothing from 1$/m);
  expect(cluster("loss", "1", "2.5").out).toMatch(/^node 1: .*, loses 2\.5 %$/m);
  expect(cluster("heal").out).not.toMatch(/cut|hears|loses/);
  expect(cluster("kill", "1").out).toMatch(/^node 1: down$/m);
  expect(cluster("start", "1").out).toMatch(/^node 1: running/m);
  expect(cluster("pause", "2").out).toMatch(/^node 2: paused$/m);
  expect(cluster("resume", "2").out).toMatch(/^node 2: running/m);
  expect(cluster("logs", "1").out).toMatch(/A new membership/);
  expect(cluster("status").out).toMatch(/^node 1: running/);
  expect(cluster("down")).toEqual({ code: 0, out: "Down.\n", err: "" });
  expect(cluster("down")).toEqual({ code: 0, out: "No cluster is up.\n", err: "" });
});

it("is used from several terminals at once: one starts it, and each changes what it was told to", async () => {
  const together = async (...commands: string[][]): Promise<Ended[]> => Promise.all(commands.map(async (args) => runProgram(process.execPath, [program, ...args], { cwd: place, env: { TMPDIR: place } })));
  const up = ["up", "--nodes", "2", "--token", "400"];
  const starts = await together(up, up, up, up);
  const refused = starts.filter(({ code }) => code === 1);
  expect(starts.filter(({ code }) => code === 0)).toHaveLength(1);
  expect(refused.map(({ output }) => output)).toEqual([1, 2, 3].map(() => "A cluster is up already: see status, or take it down first.\n"));
  await together(["cut", "1"], ["loss", "2", "1"], ["block", "1", "2"], ["loss", "1", "2"]);
  expect(cluster("status").out).toMatch(/^node 1: .*, cut, loses 2 %\nnode 2: .*, hears nothing from 1, loses 1 %\n$/);
  expect(cluster("down").code).toBe(0);
});

it("says what is wrong in one line, and exits with 1", () => {
  const says = (text: RegExp, ...args: string[]): void => {
    expect(cluster(...args)).toMatchObject({ code: 1, out: "", err: expect.stringMatching(text) });
  };
  says(/^No cluster is up\. Start one: npm run cluster -- up\n$/, "status");
  says(/^There is no command "wibble"\. See: npm run cluster -- help\n$/, "wibble");
  says(/^There is no command "constructor"/, "constructor");
  says(/^Unknown option '--foo'/, "up", "--foo");
  says(/^"x" is no number of nodes: give a number\.\n$/, "up", "--nodes", "x");
  says(/^A test cluster has 1 to 16 nodes, not 0\.\n$/, "up", "--nodes", "0");
  says(/^exec wants a node and a command/, "exec", "1");
  says(/^Wrong number of arguments/, "cut");
});

it("prints help when asked, and when told nothing", () => {
  expect(cluster("help")).toMatchObject({ code: 0, out: expect.stringContaining("exec N COMMAND…") });
  expect(cluster()).toEqual(cluster("--help"));
});
