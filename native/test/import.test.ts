/** Machines where the addon was not built: everything but Corosync works. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const native = fileURLToPath(new URL("..", import.meta.url));
let copy = "";

/** A copy of the package as it is before the addon is built. */
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "lockstep-native-"));
  for (const name of ["dist", "package.json"]) cpSync(join(native, name), join(copy, name), { recursive: true });
  symlinkSync(join(native, "..", "node_modules"), join(copy, "node_modules"));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

describe("the package without its addon", () => {
  test("is imported all the same, and refuses its first use with NOT_BUILT and what to run", () => {
    const program = `
      import { Cpg, Cmap, isCorosyncError, MessageBatch } from ${JSON.stringify(pathToFileURL(join(copy, "dist", "index.js")).href)};
      const listener = { messages() {}, configurationChanged() {}, ringChanged() {}, ended() {} };
      for (const open of [() => Cpg.open({ listener }), () => Cmap.open()]) {
        await open().then(() => console.log("opened"), (error) => console.log(isCorosyncError(error, "NOT_BUILT"), error.message));
      }
      console.log(typeof MessageBatch);
    `;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8", cwd: copy, env: { ...process.env, "@LOCKSTEP/COROSYNC_PREBUILD": copy } });
    const lines = stdout.trim().split("\n");
    expect(lines, stderr).toHaveLength(3);
    expect(lines[0]).toMatch(/^true .*npm run build in Lockstep's directory/);
    expect(lines[1]).toMatch(/^true /);
    expect(lines[2]).toBe("function");
  });
});
