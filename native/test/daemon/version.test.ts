/** Whose program is asked for its version: the daemon's, and nobody else's, who may only have taken the daemon's name. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { daemonVersion } from "../../lib/index.js";

const anotherUser = 65_534;
let directory = "";
let running: ChildProcess | undefined;
const program = (): string => join(directory, "program");
/** Written by the program when it is asked. */
const trace = (): string => join(directory, "was-run");

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "lockstep-version-"));
  const source = `
    #include <cstdio>
    #include <unistd.h>
    int main(int count, char**) {
      if (count == 1) return pause();
      fclose(fopen("${trace()}", "w"));
      puts("Corosync Cluster Engine, version '3.1.9'");
    }`;
  const compiled = spawnSync(process.env["CXX"] ?? "g++", ["-x", "c++", "-o", program(), "-"], { input: source, encoding: "utf8" });
  expect(compiled.status, compiled.stderr).toBe(0);
  chmodSync(directory, 0o755);
});
afterEach(async () => {
  running?.kill("SIGKILL");
  if (running !== undefined) await once(running, "exit");
  running = undefined;
  rmSync(trace(), { force: true });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Runs the program as a file of `owner` with `mode`; its process id, when it is that program. */
async function runAs(owner: number, mode: number): Promise<number> {
  chownSync(program(), owner, owner);
  chmodSync(program(), mode);
  running = spawn(program(), { stdio: "ignore" });
  await once(running, "spawn");
  const { pid = 0 } = running;
  await expect.poll(() => readlinkSync(`/proc/${pid}/exe`)).toBe(program());
  return pid;
}

test("a program of the own user or of root tells its version", async () => {
  expect(await daemonVersion(await runAs(process.geteuid?.() ?? 0, 0o755))).toBe("3.1.9");
  expect(existsSync(trace())).toBe(true);
});

test.each([
  ["of another user", anotherUser, 0o755],
  ["that others may write to", 0, 0o777],
] as const)("a program %s is not run, and its version stays unknown", async (_whose, owner, mode) => {
  expect(await daemonVersion(await runAs(owner, mode))).toBeUndefined();
  expect(existsSync(trace())).toBe(false);
});
