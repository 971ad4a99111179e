/** `.ci/run`: however it ends, its last line says how many tests passed and failed, and its exit code says the same. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { runProgram } from "./programs.js";

const script = fileURLToPath(new URL("../../.ci/run", import.meta.url));
let project: string;

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "lockstep-ci-test-"));
  mkdirSync(join(project, ".ci"));
  mkdirSync(join(project, "bin"));
  copyFileSync(script, join(project, ".ci", "run"));
});

afterEach(() => { rmSync(project, { recursive: true }); });

interface Case {
  readonly what: string;
  /** What the programs do. */
  readonly apt: string;
  readonly lint: string;
  readonly test: string;
  readonly last: string;
  readonly code: number;
  readonly says: string;
  readonly env?: Readonly<Record<string, string>>;
}

it.each<Case>([
  { what: "the packages cannot be installed", apt: "echo 'E: no network'; exit 100", lint: "exit 0", test: "exit 0", last: "0 passed, 1 failed", code: 1, says: "E: no network" },
  { what: "the linter, or the set-up before it, fails", apt: "exit 0", lint: "echo 'x is not used'; exit 1", test: "echo '5 passed, 0 failed'", last: "0 passed, 1 failed", code: 1, says: "x is not used" },
  { what: "the tests do not come to their end", apt: "exit 0", lint: "exit 0", test: "echo '== units'; kill -9 $$", last: "0 passed, 1 failed", code: 1, says: "== units" },
  { what: "the tests end well, but have not said how", apt: "exit 0", lint: "exit 0", test: "echo '== units'", last: "0 passed, 1 failed", code: 1, says: "== units" },
  { what: "some tests fail", apt: "exit 0", lint: "exit 0", test: "echo '5 passed, 2 failed'; exit 1", last: "5 passed, 2 failed", code: 1, says: "" },
  { what: "there is no room for files", apt: "exit 0", lint: "exit 0", test: "echo '5 passed, 0 failed'", last: "0 passed, 1 failed", code: 1, says: "mktemp", env: { TMPDIR: "/there/is/none" } },
  { what: "all tests pass", apt: "exit 0", lint: "exit 0", test: "echo '7 passed, 0 failed'", last: "7 passed, 0 failed", code: 0, says: "" },
])("ends with a line that counts when $what", async ({ apt, lint, test, last, code, says, env = {} }) => {
  // The real one would change this machine.
  writeFileSync(join(project, "bin", "apt-get"), `#!/bin/sh\n${apt}\n`);
  chmodSync(join(project, "bin", "apt-get"), 0o755);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "ci", private: true, scripts: { lint, test: `${test} #` } }));
  const ended = await runProgram(join(project, ".ci", "run"), [], { cwd: project, path: join(project, "bin"), env });
  expect(ended.lastLine).toBe(last);
  expect(ended.output.split("\n").filter((line) => / passed, \d+ failed$/.test(line))).toEqual([last]);
  expect(ended.output).toContain(says);
  expect(Math.min(ended.code ?? 1, 1)).toBe(code);
});
