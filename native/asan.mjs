// Runs this package's tests with the addon under AddressSanitizer: node asan.mjs [vitest arguments]. Needs g++ with libasan.
// The sanitizer's runtime must be in the process before everything else, hence LD_PRELOAD; leak detection is off because V8 and
// Node free nothing when they end (native/test/daemon/lifetime.test.ts counts what handles leave behind).
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeDirectory } from "./toolchain.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const build = join(here, "build", "asan");
const logs = join(tmpdir(), `lockstep-asan-${process.pid}`);
const compiler = process.env.CXX ?? "g++";

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { stdio: "inherit", ...options });
  if (result.error) throw result.error;
  return result;
}

/** The defines of binding.gyp, which is JSON. */
const [target] = JSON.parse(readFileSync(join(here, "binding.gyp"), "utf8")).targets;

mkdirSync(join(build, "build", "Release"), { recursive: true });
const compiled = run(compiler, [
  "-std=gnu++17", "-O1", "-g", "-fPIC", "-shared", "-fno-omit-frame-pointer", "-fsanitize=address", "-fno-exceptions",
  ...target.defines.map((define) => `-D${define}`), "-DNODE_GYP_MODULE_NAME=corosync",
  `-I${join(nodeDirectory(), "include", "node")}`, `-I${dirname(require.resolve("node-addon-api/package.json"))}`,
  ...target.sources.map((source) => join(here, source)),
  "-o", join(build, "build", "Release", "corosync.node"), "-ldl", "-pthread", "-Wl,-z,nodelete",
]);
if (compiled.status !== 0) process.exit(1);

const runtime = run(compiler, ["-print-file-name=libasan.so"], { stdio: "pipe", encoding: "utf8" }).stdout.trim();
mkdirSync(logs);
const tests = run(process.execPath, [join(dirname(require.resolve("vitest/package.json")), "vitest.mjs"), "run", "--root", join(here, ".."), "native/test", ...process.argv.slice(2)], {
  env: {
    ...process.env,
    LD_PRELOAD: runtime,
    ASAN_OPTIONS: `detect_leaks=0:log_path=${join(logs, "report")}`,
    // node-gyp-build looks here for the addon.
    "@LOCKSTEP/COROSYNC_PREBUILD": build,
  },
});
// A report ends its process, which a test of how processes end could mistake for what it expects.
const reports = readdirSync(logs).map((name) => readFileSync(join(logs, name), "utf8"));
rmSync(logs, { recursive: true });
for (const report of reports) process.stderr.write(report);
if (reports.length > 0) console.error(`AddressSanitizer made ${reports.length} report(s).`);
process.exitCode = tests.status === 0 && reports.length === 0 ? 0 : 1;
