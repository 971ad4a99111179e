/** The packages' own declarations, as a project sees them that checks its libraries too: whichever way its compiler looks for modules. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, expect, it } from "vitest";

const modules = fileURLToPath(new URL("../../node_modules", import.meta.url));
const projects: string[] = [];

afterEach(() => { for (const project of projects.splice(0)) rmSync(project, { recursive: true }); });

const program = `
import { Table, createReplica, defineMachine, memory, rejectionOf, tokens } from "@lockstep/framework";
import { simulate } from "@lockstep/framework/testing";
import { conformanceCases } from "@lockstep/framework/conformance";

const machine = defineMachine({
  name: "typed", version: 1,
  initialState: () => ({ values: new Table<string, number>() }),
  commands: (command) => ({ set: command((draft, { key, value }: { key: string; value: number }) => draft.values.set(key, value).size) }),
  queries: { get: (state, key: string) => state.values.get(key) },
});
const replica = await createReplica(machine, { group: "typed", transport: memory() });
export const size: number = await replica.submit.set({ key: "a", value: 1 });
export const value: number | undefined = await replica.query.get("a", { consistency: "linearizable" });
// @ts-expect-error a value that is no number
await replica.submit.set({ key: "a", value: "1" });
export { conformanceCases, simulate, tokens };
// What is exported and not annotated: a library's declarations must have a name for it.
export const refused = (error: unknown) => rejectionOf(error);
export const { rates, operations, disk } = replica.inspect();
export const connect = () => createReplica(machine, { group: "typed", transport: memory() });
`;

/** What the compiler says; nothing if it is content. */
async function compile(options: object): Promise<string> {
  const project = mkdtempSync(join(tmpdir(), "lockstep-types-test-"));
  projects.push(project);
  symlinkSync(modules, join(project, "node_modules"));
  const compilerOptions = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false, target: "es2022", lib: ["es2023", "esnext.disposable"], types: ["node"], noEmit: true, ...options };
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }));
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }));
  writeFileSync(join(project, "program.ts"), program);
  const compiling = promisify(execFile)(process.execPath, [join(modules, "typescript", "bin", "tsc"), "-p", project]);
  return compiling.then(({ stdout }) => stdout, (error: unknown) => (error as { stdout: string }).stdout);
}

it.each([
  ["as Node does", { module: "nodenext" }],
  ["as bundlers do", { module: "esnext", moduleResolution: "bundler" }],
  // Installed, and not linked to where the framework's sources are: there the compiler would name what this project cannot see.
  ["as Node does in installed packages, for a library", { module: "nodenext", preserveSymlinks: true, noEmit: false, declaration: true, emitDeclarationOnly: true, outDir: "declarations" }],
])("type-check in a strict project whose modules are looked for %s", async (_how, options) => {
  expect(await compile(options)).toBe("");
});
