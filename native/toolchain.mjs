// What compiling an addon needs, without downloading anything: Node's headers come from npm_config_nodedir, or from where Node itself
// is installed.
import { existsSync, realpathSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/** The directory that holds include/node, or undefined. */
export function nodeDirectory() {
  const candidates = [process.env.npm_config_nodedir, join(dirname(realpathSync(process.execPath)), "..")];
  return candidates.find((directory) => directory && existsSync(join(directory, "include", "node", "node_api.h")));
}

const runs = (command, ...args) => spawnSync(command, args, { stdio: "ignore" }).status === 0;

/** What is missing on this machine, in words that say what to install; undefined if it can compile. */
export function missing() {
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

/** Compiles what a directory's binding.gyp says, into its build/Release. Quiet, but for the compiler's words when it fails. True if it worked. */
export function compile(directory) {
  const args = [require.resolve("node-gyp/bin/node-gyp.js"), "rebuild", "--silent", "--release", `--nodedir=${nodeDirectory()}`];
  const result = spawnSync(process.execPath, args, { cwd: directory, encoding: "utf8", env: { ...process.env, MAKEFLAGS: "-j2" } });
  if (result.status === 0) return true;
  process.stderr.write(`${result.stdout ?? ""}${result.stderr ?? ""}${result.error ? `${result.error}\n` : ""}`);
  return false;
}
