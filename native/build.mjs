// Builds the addon with node-gyp, if this machine can and anything has changed. npm install never does: a machine without
// a compiler or without Corosync can still use everything else.
//
//   node build.mjs [--required]
//
// Quiet: one line when it has built or cannot, none when nothing has changed, the compiler's output when it fails. Without --required
// a machine that cannot build is not an error. Never downloads anything (toolchain.mjs).
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile, missing, nodeDirectory } from "./toolchain.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const addon = join(here, "build", "Release", "corosync.node");
const stamp = join(here, "build", "stamp");

/** Why not here, in words that say what to do; undefined if it can be built. */
const obstacle = () => (process.platform === "linux" ? missing() : "Corosync runs on Linux only");

/** Everything that decides what comes out. */
function fingerprint() {
  const hash = createHash("sha256").update(`${process.version} ${process.arch} ${process.env.CXX ?? ""} ${nodeDirectory() ?? ""}`);
  // abi_check.cc compares with those that are installed.
  const headers = ["corotypes.h", "cpg.h", "quorum.h", "votequorum.h", "cmap.h", "cfg.h"].map((name) => `/usr/include/corosync/${name}`);
  for (const header of headers.filter((path) => existsSync(path))) hash.update(header).update(readFileSync(header));
  const sources = readdirSync(join(here, "src")).sort().map((name) => join("src", name));
  for (const name of ["binding.gyp", "build.mjs", "toolchain.mjs", ...sources]) hash.update(name).update(readFileSync(join(here, name)));
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
    if (!compile(stage)) return false;
    renameSync(join(stage, "build", "Release", "corosync.node"), addon);
    return true;
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
