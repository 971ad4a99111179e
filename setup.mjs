// Makes a clone ready to run: dependencies, native addon, compiled TypeScript. Skips what is done already.
//
//   node setup.mjs          what `npm start` needs
//   node setup.mjs --dev    everything: tests, benchmarks, tools
//
// Plain JavaScript on Node alone, because it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as toolchain from "./native/toolchain.mjs";

const root = dirname(fileURLToPath(import.meta.url));
const dev = process.argv.includes("--dev");
const stampFile = join(root, "node_modules", ".lockstep-installed");
/** npm's own, which it writes last. */
const installedFile = join(root, "node_modules", ".package-lock.json");
/** The database's addon loads. */
const databaseFile = join(root, "node_modules", ".lockstep-database");

checkNode();
const turn = await takeTurn();
install();
buildDatabase();
buildNative();
compile();

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) fail(`Lockstep needs Node.js 20.19 or newer; this is ${process.versions.node}.`);
  // Vitest's bundler is not installed on these.
  const withoutTools = major === 21 || (major === 22 && minor < 12);
  if (dev && withoutTools) fail(`Lockstep's tests and tools need Node.js 20.19 or later ones of 20, or 22.12 or newer; this is ${process.versions.node}, on which only npm start works.`);
}

/**
 * Two at a time in one clone, as when two programs are started for the first time, would install over each other. An abstract
 * socket is the lock: the kernel gives it back when this process and those that it runs have ended, however they do: an npm that
 * is left over still installs. Only Linux has them; elsewhere nothing is locked.
 *
 * Returns the descriptors to pass on.
 */
async function takeTurn() {
  if (process.platform !== "linux") return [];
  const name = `\0lockstep-setup-${createHash("sha256").update(root).digest("hex")}`;
  for (let told = false; ; told = true) {
    const server = await listen(name);
    if (server !== undefined) return [server._handle.fd];
    if (!told) console.error("Waiting for another setup of this clone to end …");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** undefined: another does. */
function listen(name) {
  return new Promise((resolve, reject) => {
    const server = createServer().unref();
    server.once("error", (error) => (error.code === "EADDRINUSE" ? resolve(undefined) : reject(error)));
    server.listen(name, () => resolve(server));
  });
}

function install() {
  // The compiler, the database and the tests' bundler are other packages on another system or processor: a clone may be seen by several, as from a container.
  const { platform, arch, versions } = process;
  const lock = createHash("sha256").update(readFileSync(join(root, "package-lock.json"))).update(`${platform} ${arch} ${versions.modules}`).digest("hex");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === lock) return;
  console.error("Installing dependencies (npm ci) …");
  // What is half removed when this is killed must not pass for what it was.
  for (const file of [stampFile, installedFile, databaseFile]) rmSync(file, { force: true });
  // Whatever the user's npm leaves out elsewhere, NODE_ENV=production among it: the compiler is a development dependency. What packages compile
  // when they are installed fails the whole where it cannot be; buildDatabase() can do without.
  run("npm", ["ci", "--include=dev", "--include=optional", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
  // Where the registry stops answering npm may say "Exit handler never called!", and end with 0.
  if (!existsSync(installedFile)) fail("npm ci ended before everything was installed: see above. Try again.");
  writeFileSync(stampFile, lock);
}

/**
 * The database of durable replicas, the package lmdb, has an addon for the usual systems with a C++ library of the last years. Where that
 * does not load it is compiled; where it cannot be, everything but data on disk works.
 */
function buildDatabase() {
  if (existsSync(databaseFile)) return;
  const loads = () => spawnSync(process.execPath, ["-e", 'require("lmdb")'], { cwd: join(root, "framework"), stdio: "ignore" }).status === 0;
  if (!loads()) {
    const reason = toolchain.missing();
    if (reason === undefined) console.error("Compiling the database for data on disk (lmdb), whose addon does not load here …");
    const compiled = reason === undefined && toolchain.compile(dirname(dirname(createRequire(join(root, "framework", "package.json")).resolve("lmdb"))));
    if (!compiled || !loads()) {
      console.error(`Data cannot be kept on disk: ${reason ?? "the database did not compile (see above), or does not load"}. Everything else works without it.`);
      return;
    }
  }
  writeFileSync(databaseFile, "");
}

/** Without a compiler everything but corosync() works; build.mjs says so in one line. */
function buildNative() {
  run(process.execPath, [join(root, "native", "build.mjs")]);
}

function compile() {
  forgetBrokenOff();
  const projects = dev ? ["."] : ["examples/kv-store", "examples/lock-service"];
  run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-b", ...projects]);
}

/**
 * A compiler that is ended has written some files, but not yet what it remembers of them: when their sources are put back as they were
 * before, as by git, it would take them for compiled. Where anything is newer than what it remembers, it shall remember nothing.
 */
function forgetBrokenOff() {
  const changedAt = (path) => statSync(path, { bigint: true }).mtimeNs;
  for (const project of ["native", "framework", "examples/kv-store", "examples/lock-service", "test"]) {
    const dist = join(root, project, "dist");
    const memory = join(dist, "tsconfig.tsbuildinfo");
    if (!existsSync(memory)) continue;
    const finishedAt = changedAt(memory);
    if (readdirSync(dist, { recursive: true }).some((path) => changedAt(join(dist, path)) > finishedAt)) rmSync(memory);
  }
}

function run(command, args) {
  // On Windows npm is a script for the shell.
  const shell = process.platform === "win32" && command === "npm";
  const { status, error, signal } = spawnSync(command, args, { cwd: root, shell, stdio: ["ignore", process.stderr, "inherit", ...turn] });
  if (error !== undefined) fail(`${command} could not be started: ${error.message}`);
  if (status !== 0) fail(`${command} ${args.join(" ")} failed${signal === null ? "" : ` (${signal})`}: see above.`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
