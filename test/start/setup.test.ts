/** `setup.mjs`, in a project of its own with the native part, a compiler, a database and one file in each example: what it does, and when it does nothing. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../cluster/eventually.js";
import { runProgram, type Ended } from "./programs.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const manifest = { name: "project", private: true, type: "module", workspaces: ["native"], dependencies: { lmdb: "file:database" }, devDependencies: { typescript: "file:compiler" } };
/** What it needs is what the test's project does without. */
const { dependencies: _, devDependencies: __, ...native } = JSON.parse(readFileSync(join(root, "native", "package.json"), "utf8")) as { name: string; version: string; dependencies: object; devDependencies: object };
const lock = {
  name: "project", lockfileVersion: 3, requires: true,
  packages: {
    "": { name: "project", workspaces: ["native"], dependencies: manifest.dependencies, devDependencies: manifest.devDependencies },
    "node_modules/lmdb": { resolved: "database", link: true },
    database: { name: "lmdb", version: "1.0.0" },
    "node_modules/typescript": { resolved: "compiler", link: true },
    compiler: { name: "typescript", version: "1.0.0", dev: true },
    "node_modules/@lockstep/corosync": { resolved: "native", link: true },
    native: { name: native.name, version: native.version },
  },
};
let project: string;

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "lockstep-setup-test-"));
  for (const file of ["setup.mjs", "tsconfig.base.json"]) cpSync(join(root, file), join(project, file));
  for (const part of ["binding.gyp", "build.mjs", "toolchain.mjs", "src"]) cpSync(join(root, "native", part), join(project, "native", part), { recursive: true });
  // Making it takes half a minute; where it cannot be made there is none.
  const built = join(root, "native", "build");
  if (existsSync(built)) cpSync(built, join(project, "native", "build"), { recursive: true });
  write("package.json", JSON.stringify(manifest));
  write("native/package.json", JSON.stringify(native));
  write("package-lock.json", JSON.stringify(lock));
  write("compiler/package.json", JSON.stringify({ name: "typescript", version: "1.0.0" }));
  write("compiler/bin/tsc", `import(${JSON.stringify(pathToFileURL(join(root, "node_modules", "typescript", "bin", "tsc")).href)});\n`);
  mkdirSync(join(project, "framework"));
  write("database/package.json", JSON.stringify({ name: "lmdb", version: "1.0.0", main: "dist/index.cjs" }));
  write("database/dist/index.cjs", "");
  for (const example of ["kv-store", "lock-service"]) {
    write(`examples/${example}/tsconfig.json`, JSON.stringify({ extends: "../../tsconfig.base.json", compilerOptions: { rootDir: "src", outDir: "dist", types: [] }, include: ["src"] }));
    write(`examples/${example}/src/main.ts`, 'export const says = "first";\n');
  }
});

afterEach(() => { rmSync(project, { recursive: true }); });

function write(path: string, text: string): void {
  const file = join(project, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** Commands in npm's place. @returns The PATH on which they are found. */
function ownNpm(commands: string): string {
  write("bin/npm", `#!/bin/sh\n${commands}\n`);
  chmodSync(join(project, "bin", "npm"), 0o755);
  return `${join(project, "bin")}:${process.env["PATH"]}`;
}

const compiled = (): string => readFileSync(join(project, "examples", "kv-store", "dist", "main.js"), "utf8");

/** Everything there is, with the time of its last change. */
function files(): Map<string, number> {
  return new Map(readdirSync(project, { recursive: true, encoding: "utf8" }).map((path) => [path, statSync(join(project, path)).mtimeMs]));
}

async function setUp(env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const ended = await runProgram(process.execPath, ["setup.mjs"], { cwd: project, env });
  expect(ended.code, ended.output).toBe(0);
  return ended;
}

it("installs and compiles the first time, and changes nothing the second time", async () => {
  expect((await setUp()).output).toContain("Installing dependencies");
  expect(compiled()).toContain('"first"');
  const before = files();
  expect((await setUp()).output).not.toContain("Installing");
  expect(files()).toEqual(before);
});

it("leaves the addon to build.mjs, which can do without: npm would compile it, download Node's headers for it, and fail where it cannot", async () => {
  rmSync(join(project, "native", "build"), { recursive: true, force: true });
  // What npm runs to compile, and what build.mjs wants, is not there.
  expect((await setUp()).output).toContain("corosync() will not be available: ");
  expect(existsSync(join(project, "native", "build"))).toBe(false);
  expect(compiled()).toContain('"first"');
});

it.each([{ NODE_ENV: "production" }, { npm_config_omit: "dev" }, { npm_config_ignore_scripts: "true" }])("installs what compiling needs with %o too", async (env) => {
  await setUp(env);
  expect(compiled()).toContain('"first"');
});

describe("a database whose addon does not load", () => {
  /** It loads where `loads` was compiled. */
  async function compilesTo(source: string): Promise<void> {
    await setUp();
    symlinkSync(join(root, "node_modules", "node-gyp"), join(project, "node_modules", "node-gyp"));
    rmSync(join(project, "node_modules", ".lockstep-database"));
    write("database/dist/index.cjs", 'if (!require("node:fs").existsSync(`${__dirname}/../build/Release/loads`)) throw new Error("no addon");');
    write("database/binding.gyp", JSON.stringify({ targets: [{ target_name: "loads", type: "executable", sources: ["loads.c"] }] }));
    write("database/loads.c", source);
  }

  it("is compiled, once", async () => {
    await compilesTo("int main() { return 0; }\n");
    expect((await setUp()).output).toContain("Compiling the database for data on disk");
    expect((await setUp()).output).not.toContain("database");
  });

  it("is done without where it does not compile, which every start says", async () => {
    await compilesTo("#error broken on purpose\n");
    for (let start = 0; start < 2; start++) {
      const { output } = await setUp();
      expect(output).toContain("broken on purpose");
      expect(output).toContain("Data cannot be kept on disk: the database did not compile (see above), or does not load. Everything else works without it.");
    }
    expect(compiled()).toContain('"first"');
  });

  it("is done without where there is no compiler, which every start says", async () => {
    await compilesTo("int main() { return 0; }\n");
    expect((await setUp({ CXX: "no-such-compiler" })).output).toContain("Data cannot be kept on disk: a C++ compiler is missing (install g++ and make). Everything else works without it.");
    expect(compiled()).toContain('"first"');
  });
});

it("compiles again what was changed, without installing", async () => {
  await setUp();
  write("examples/kv-store/src/main.ts", 'export const says = "changed";\n');
  expect((await setUp()).output).not.toContain("Installing");
  expect(compiled()).toContain('"changed"');
});

it("compiles again what was removed", async () => {
  await setUp();
  rmSync(join(project, "examples", "kv-store", "dist"), { recursive: true });
  expect((await setUp()).output).not.toContain("Installing");
  expect(compiled()).toContain('"first"');
});

it("compiles again what a compiler has left that was killed, although its source is again what it was", async () => {
  await setUp();
  write("examples/kv-store/dist/main.js", 'export const says = "changed, and taken back";\n');
  await setUp();
  expect(compiled()).toContain('"first"');
  const before = files();
  await setUp();
  expect(files()).toEqual(before);
});

it("installs again on another system or processor, as when a container sees the same clone", async () => {
  await setUp();
  // For the set-up alone, not for what it runs.
  const pretend = 'data:text/javascript,Object.defineProperty(process, "arch", { value: "riscv64" })';
  const { code, output } = await runProgram(process.execPath, ["--import", pretend, "setup.mjs"], { cwd: project });
  expect(output).toContain("Installing dependencies");
  expect(code).toBe(0);
});

it("installs again when package-lock.json was changed", async () => {
  await setUp();
  write("package-lock.json", JSON.stringify(lock, undefined, 2));
  write("node_modules/left-over/index.js", "");
  expect((await setUp()).output).toContain("Installing dependencies");
  expect(readdirSync(join(project, "node_modules"))).not.toContain("left-over");
  expect((await setUp()).output).not.toContain("Installing");
});

it("waits for the npm of one that was killed, which goes on installing, and installs after it", async () => {
  const env = { ...process.env, PATH: ownNpm('touch begun; until [ -e go ]; do sleep 0.02; done; PATH=${PATH#*:} exec npm "$@"') };
  const killed = spawn(process.execPath, ["setup.mjs"], { cwd: project, stdio: "ignore", env });
  try {
    await eventually(() => existsSync(join(project, "begun")), { what: "npm to install" });
    killed.kill("SIGKILL");
    await once(killed, "exit");
    const next = spawn(process.execPath, ["setup.mjs"], { cwd: project, stdio: ["ignore", "ignore", "pipe"] });
    const ended = once(next, "close");
    const [said] = await once(next.stderr, "data") as [Buffer];
    expect(String(said)).toBe("Waiting for another setup of this clone to end …\n");
    write("go", "");
    expect((await ended)[0]).toBe(0);
    expect(compiled()).toContain('"first"');
  } finally {
    write("go", "");
  }
});

it.each([
  ["20.18.3", [], "Lockstep needs Node.js 20.19 or newer; this is 20.18.3."],
  ["22.11.0", ["--dev"], "tests and tools need Node.js 20.19 or later ones of 20, or 22.12 or newer; this is 22.11.0"],
])("refuses Node.js %s with %j before it does anything", async (version, args, says) => {
  const pretend = `data:text/javascript,Object.defineProperty(process.versions, "node", { value: "${version}" })`;
  const { code, output } = await runProgram(process.execPath, ["--import", pretend, "setup.mjs", ...args], { cwd: project });
  expect(output).toContain(says);
  expect(code).toBe(1);
  expect(existsSync(join(project, "node_modules"))).toBe(false);
});

it("fails, and says at what, when it cannot install; the next run tries again", async () => {
  write("package-lock.json", "no JSON");
  const { code, output } = await runProgram(process.execPath, ["setup.mjs"], { cwd: project });
  expect(code).toBe(1);
  expect(output).toMatch(/^npm ci .+ failed: see above\.$/m);
  write("package-lock.json", JSON.stringify(lock));
  expect((await setUp()).output).toContain("Installing dependencies");
});

it("fails when npm ends well with a part installed; the next run tries again", async () => {
  const { code, output } = await runProgram(process.execPath, ["setup.mjs"], { cwd: project, env: { PATH: ownNpm("mkdir -p node_modules/typescript") } });
  expect(output).toContain("npm ci ended before everything was installed: see above. Try again.");
  expect(code).toBe(1);
  expect((await setUp()).output).toContain("Installing dependencies");
  expect(compiled()).toContain('"first"');
});

it("fails, and says at what, when something does not compile", async () => {
  write("examples/lock-service/src/main.ts", 'export const says: number = "no number";\n');
  const { code, output } = await runProgram(process.execPath, ["setup.mjs"], { cwd: project });
  expect(code).toBe(1);
  expect(output).toContain("main.ts");
  expect(output).toContain("failed: see above.");
});
