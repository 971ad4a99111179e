/** Building the addon: what it does not need, what it compares, and where it does not work: one plain line, and an error only if it was required. */
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
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

/** Looks at sources without compiling them, which takes a second each. `before`: a command that runs the compiler. */
function look(how: "-M" | "-fsyntax-only", sources: readonly string[], before: readonly string[] = []): SpawnSyncReturns<string> {
  const nodeDirectory = process.env["npm_config_nodedir"] ?? join(dirname(realpathSync(process.execPath)), "..");
  const include = [join(nodeDirectory, "include", "node"), dirname(createRequire(import.meta.url).resolve("node-addon-api/package.json"))].map((directory) => `-I${directory}`);
  const [command = "", ...args] = [...before, process.env["CXX"] ?? "g++", "-std=gnu++17", how, ...include, ...sources.map((name) => join(copy, "src", name))];
  return spawnSync(command, args, { encoding: "utf8" });
}

describe("the addon's sources", () => {
  test("need none of Corosync's headers", () => {
    const hidden = ["unshare", "-m", "sh", "-c", 'for directory in /usr/include/corosync /usr/local/include/corosync; do [ ! -d "$directory" ] || mount -t tmpfs none "$directory" || exit; done; exec "$@"', "sh"];
    const sources = readdirSync(join(copy, "src")).filter((name) => name.endsWith(".cc"));
    expect(sources).toContain("abi_check.cc");
    for (const result of [look("-M", sources, hidden), look("-fsyntax-only", ["abi_check.cc"], hidden)]) {
      expect(result.stderr).toBe("");
      expect(result.status).toBe(0);
      expect(result.stdout).not.toContain("include/corosync/");
    }
  });

  test.each([
    ["a number", "corotypes.h", "kTryAgain = 6;", "kTryAgain = 5;", "kTryAgain differs from CS_ERR_TRY_AGAIN"],
    ["the order of two fields", "cpg.h", "uint32_t nodeId;\n  uint32_t pid;\n  uint32_t reason;", "uint32_t pid;\n  uint32_t nodeId;\n  uint32_t reason;", "nodeId is not where Corosync has nodeid"],
    ["the size of a structure", "votequorum.h", "char deviceName[255];", "char deviceName[128];", "VotequorumInfo differs from votequorum_info"],
    ["a function's parameter", "cmap.h", "(*initialize)(Handle*, int map);", "(*initialize)(Handle*);", "initialize differs from cmap_initialize_map"],
    ["a callback's parameter", "quorum.h", "uint32_t quorate, QuorumRingId,", "uint32_t quorate,", "QuorumNotify differs from quorum_v1_quorum_notification_fn_t"],
    ["a callback", "cfg.h", "(*)(Handle, int flags)", "(*)(Handle)", "CfgShutdown differs from corosync_cfg_shutdown_callback_t"],
  ])("do not compile where %s is not what an installed %s says", (_what, header, right, wrong, says) => {
    const abi = join(copy, "src", "abi.h");
    const text = readFileSync(abi, "utf8");
    expect(text.split(right)).toHaveLength(2);
    writeFileSync(abi, text.replace(right, wrong));
    try {
      const { status, stderr } = look("-fsyntax-only", ["abi_check.cc"]);
      const installed = existsSync(`/usr/include/corosync/${header}`);
      expect(status === 0, stderr).toBe(!installed);
      if (installed) expect(stderr).toContain(says);
    } finally {
      writeFileSync(abi, text);
    }
  });
});

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
