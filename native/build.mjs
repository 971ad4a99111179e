// Builds the addon with node-gyp, if this machine can and anything has changed. npm install never does: a machine without
// a compiler or without Corosync can still use everything else.
//
//   node build.mjs [--required]
//
// Quiet: one line when it has built or cannot, none when nothing has changed, the compiler's output when it fails. Without --required
// a machine that cannot build is not an error. Never downloads anything: Node's headers come from npm_config_nodedir, or from where
// Node itself is installed.
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const addon = join(here, "build", "Release", "corosync.node");
const stamp = join(here, "build", "stamp");

/** The directory that holds include/node, or undefined. */
function nodeDirectory() {
  const candidates = [process.env.npm_config_nodedir, join(dirname(realpathSync(process.execPath)), "..")];
  return candidates.find((directory) => directory && existsSync(join(directory, "include", "node", "node_api.h")));
}

const runs = (command, ...args) => spawnSync(command, args, { stdio: "ignore" }).status === 0;

/** What is missing on this machine, in words that say what to install; undefined if it can build. */
function obstacle() {
  if (process.platform !== "linux") return "Corosync runs on Linux only";
  if (!nodeDirectory()) return "Node's headers are missing (set npm_config_nodedir to a Node installation, or install libnode-dev)";
  if (!runs(process.env.CXX ?? "g++", "--version") || !runs("make", "--version")) return "a C++ compiler is missing (install g++ and make)";
  if (!runs("python3", "--version")) return "python3 is missing (install python3)";
  try {
    require.resolve("node-gyp/bin/node-gyp.js");
  } catch {
    return "node-gyp is missing (run npm install)";
  }
  return undefined;
}

/** Everything that decides what comes out. */
function fingerprint() {
  const hash = createHash("sha256").update(`${process.version} ${process.arch} ${process.env.CXX ?? ""} ${nodeDirectory() ?? ""}`);
  // abi_check.cc compares with those that are installed.
  const headers = ["corotypes.h", "cpg.h", "quorum.h", "votequorum.h", "cmap.h", "cfg.h"].map((name) => `/usr/include/corosync/${name}`);
  for (const header of headers.filter((path) => existsSync(path))) hash.update(header).update(readFileSync(header));
  const sources = readdirSync(join(here, "src")).sort().map((name) => join("src", name));
  for (const name of ["binding.gyp", "build.mjs", ...sources]) hash.update(name).update(readFileSync(join(here, name)));
  return hash.digest("hex");
}

function upToDate(wanted) {
  return existsSync(addon) && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted;
}

/**
 * Compiles aside and moves the result into place at once: whoever is using the addon, or building it at the same time, is not
 * disturbed.
 */
function build() {
  mkdirSync(dirname(addon), { recursive: true });
  const stage = mkdtempSync(join(here, "build", "stage-"));
  try {
    copyFileSync(join(here, "binding.gyp"), join(stage, "binding.gyp"));
    cpSync(join(here, "src"), join(stage, "src"), { recursive: true });
    const gyp = require.resolve("node-gyp/bin/node-gyp.js");
    const args = [gyp, "rebuild", "--silent", "--release", `--nodedir=${nodeDirectory()}`];
    const result = spawnSync(process.execPath, args, { cwd: stage, encoding: "utf8", env: { ...process.env, MAKEFLAGS: "-j2" } });
    if (result.status === 0) {
      renameSync(join(stage, "build", "Release", "corosync.node"), addon);
      return true;
    }
    process.stderr.write(`${result.stdout ?? ""}${result.stderr ?? ""}${result.error ? `${result.error}\n` : ""}`);
    return false;
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

const required = process.argv.includes("--required");
const wanted = fingerprint();
if (!upToDate(wanted)) {
  const reason = obstacle();
  if (reason !== undefined) {
    console.log(`corosync() will not be available: ${reason}. Everything else works without it.`);
    process.exitCode = required ? 1 : 0;
  } else if (build()) {
    writeFileSync(stamp, wanted);
    console.log("Built the Corosync addon.");
  } else {
    console.log("corosync() will not be available: the addon did not compile (see above).");
    process.exitCode = required ? 1 : 0;
  }
}
