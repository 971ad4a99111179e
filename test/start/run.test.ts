/** `npm test` where Corosync is missing: what it leaves out, and what it says about it. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { corosyncAvailable, findTool } from "../cluster/available.js";
import { runProgram, type Ended } from "./programs.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = join(root, "test", "dist", "run.js");
/** One fast file stands for all of them. */
const some = "framework/test/limits.test.ts";

/** As on a machine without Corosync: where there is one, in a namespace in which its program cannot be run. */
async function runWithoutCorosync(...args: string[]): Promise<Ended> {
  const run = [program, some, ...args];
  if (corosyncAvailable() !== undefined) return runProgram(process.execPath, run, { cwd: root });
  const hidden = ["--mount", "sh", "-c", 'mount --bind /dev/null "$0" && exec "$@"', findTool("corosync") ?? "", process.execPath, ...run];
  return runProgram("unshare", hidden, { cwd: root });
}

it("leaves the suites on real Corosync out where they cannot run, and says so in one line with the command that adds them", async () => {
  const { code, output, lastLine } = await runWithoutCorosync();
  expect(output.split("\n").filter((line) => line.startsWith("Left out: real Corosync"))).toEqual([
    expect.stringMatching(/^Left out: real Corosync, because .+\. To add it: apt-get install corosync iproute2 iptables procps, then npm test as root$/),
  ]);
  expect(output).not.toContain("== real Corosync");
  expect(lastLine).toMatch(/^[1-9]\d* passed, 0 failed$/);
  expect(code).toBe(0);
});

it("advises nobody on another system to install what is for Linux", async () => {
  const rules = `Object.defineProperty(process, "platform", { value: "darwin" });`;
  const { output } = await runProgram(process.execPath, [`--import=data:text/javascript,${encodeURIComponent(rules)}`, program, "there-is-no-such-file"], { cwd: root });
  const leftOut = output.split("\n").filter((line) => line.startsWith("Left out: "));
  expect(leftOut).toEqual(["losses of power on real files", "comparison with redis-server", "Consul's Python client", "real Corosync", "quorum device"].map((suite) => `Left out: ${suite}, because it runs on Linux only; this is darwin.`));
});

it("fails where they are required", async () => {
  const { code, output, lastLine } = await runWithoutCorosync("--require-cluster");
  expect(output).toContain("Left out: real Corosync, because ");
  // Where something else is missing too, that is one more.
  expect(lastLine).toMatch(/^[1-9]\d* passed, [1-9]\d* failed$/);
  expect(code).toBe(1);
});

it("fails where no test is what it was asked for", async () => {
  const { code, output, lastLine } = await runProgram(process.execPath, [program, "there-is-no-such-file"], { cwd: root });
  expect(output).toContain("There are no tests there-is-no-such-file.");
  expect(lastLine).toBe("0 passed, 1 failed");
  expect(code).toBe(1);
});
