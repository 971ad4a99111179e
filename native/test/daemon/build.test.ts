/** Building the addon where that does not work: one plain line, and an error only if it was required. */
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const native = fileURLToPath(new URL("../..", import.meta.url));
let copy = "";

/** A copy of the package as it is before anything was built. */
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "lockstep-native-"));
  for (const name of ["src", "dist", "binding.gyp", "build.mjs", "toolchain.mjs", "package.json"]) cpSync(join(native, name), join(copy, name), { recursive: true });
  symlinkSync(join(native, "..", "node_modules"), join(copy, "node_modules"));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

function build(args: readonly string[], env: NodeJS.ProcessEnv): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [join(copy, "build.mjs"), ...args], { encoding: "utf8", env: { ...process.env, ...env } });
}

describe("build.mjs without a compiler", () => {
  test("says in one line that corosync() will not be available and what to install, and is no error", () => {
    const { status, stdout, stderr } = build([], { CXX: "no-such-compiler" });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^corosync\(\) will not be available: .*install.*\n$/);
    expect(stderr).toBe("");
  });

  test("is an error with --required", () => {
    expect(build(["--required"], { CXX: "no-such-compiler" })).toMatchObject({ status: 1, stdout: expect.stringContaining("install") });
  });
});

describe("build.mjs with sources that do not compile", () => {
  test("shows the compiler's output", () => {
    writeFileSync(join(copy, "src", "abi_check.cc"), "#error broken on purpose\n");
    const { status, stdout, stderr } = build(["--required"], {});
    expect(status).toBe(1);
    expect(stderr).toContain("broken on purpose");
    expect(stdout).toBe("corosync() will not be available: the addon did not compile (see above).\n");
  });
});
