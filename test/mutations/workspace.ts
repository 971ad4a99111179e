/** A copy of the framework's sources in a temporary directory, where they are changed, compiled and run. Nothing outside is touched. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Edit } from "./mutation.js";

/** What runs histories and transcripts. Tests are run from their sources. */
const compiled = ["src", "test/simulation", "test/scenarios/interpreter.ts", "test/scenarios/transcript.ts"];

/** A mistake cannot be made any more as the catalogue has it. */
export class NoLongerApplies extends Error {}

export class Workspace {
  readonly #root: string;
  readonly directory = mkdtempSync(join(tmpdir(), "lockstep-mutations-"));

  constructor(root: string) {
    this.#root = root;
    const isSource = (path: string): boolean => !path.endsWith("tsconfig.json");
    for (const path of ["src", "test"]) cpSync(join(root, "framework", path), join(this.directory, path), { recursive: true, filter: isSource });
    cpSync(join(root, "test", "scenarios"), join(this.directory, "scenarios"), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(this.directory, "node_modules"));
    writeFileSync(join(this.directory, "package.json"), JSON.stringify({ type: "module" }));
    const compilerOptions = {
      rootDir: ".", outDir: "dist", composite: false, incremental: true, declaration: false, declarationMap: false, sourceMap: false,
      // What a rule is left out of may have no use for its imports any more.
      noUnusedLocals: false, noUnusedParameters: false,
    };
    writeFileSync(join(this.directory, "tsconfig.json"), JSON.stringify({ extends: join(root, "tsconfig.base.json"), compilerOptions, include: compiled }));
    mkdirSync(join(this.directory, "dist"));
  }

  /** Runs with these edits made and compiled, and takes them back. */
  async withEdits<T>(edits: readonly Edit[], run: () => Promise<T>): Promise<T> {
    const before = new Map(edits.map(({ file }) => [file, this.#read(file)]));
    try {
      for (const edit of edits) this.#make(edit);
      this.#compile();
      return await run();
    } finally {
      for (const [file, text] of before) this.#write(file, text);
    }
  }

  #make({ file, find, replace }: Edit): void {
    const text = this.#read(file);
    const times = text.split(find).length - 1;
    if (times !== 1) throw new NoLongerApplies(`framework/src/${file} has ${times} times, instead of once:\n${find}`);
    this.#write(file, text.replace(find, () => replace));
  }

  #compile(): void {
    const { status, stdout, stderr } = spawnSync(join(this.#root, "node_modules", ".bin", "tsc"), ["-p", this.directory], { encoding: "utf8", timeout: 120_000 });
    if (status !== 0) throw new NoLongerApplies(`it does not compile:\n${stdout}${stderr}`);
  }

  #read(file: string): string {
    return readFileSync(join(this.directory, "src", file), "utf8");
  }

  #write(file: string, text: string): void {
    writeFileSync(join(this.directory, "src", file), text);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
