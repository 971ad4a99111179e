/** `npm run bench`, where a part of it cannot be carried out. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { runProgram } from "../start/programs.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

it("says which part failed and why, exits with 1, and leaves the results of before alone when there are no new ones", async () => {
  const place = mkdtempSync(join(tmpdir(), "lockstep-bench-test-"));
  const json = join(place, "results.json");
  writeFileSync(json, "the results of before");
  try {
    const { code, output } = await runProgram(process.execPath, ["test/dist/bench/main.js", "commit", "--totem", "token=nonsense", "--json", json], { cwd: root });
    expect(output).toMatch(/^Failed: commit\. The cluster did not start; [^]*"nonsense"/);
    expect(output).not.toContain("    at ");
    expect(readFileSync(json, "utf8")).toBe("the results of before");
    expect(code).toBe(1);
    rmSync(/logs are in (\S+)\. /.exec(output)?.[1] ?? place, { recursive: true });
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

it("names what cannot be measured here, and says with --check that it was not", async () => {
  const place = mkdtempSync(join(tmpdir(), "lockstep-bench-test-"));
  try {
    writeFileSync(join(place, "etcd"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    const run = async (...more: readonly string[]) => runProgram(process.execPath, ["test/dist/bench/main.js", "etcd", "--json", join(place, "results.json"), ...more], { cwd: root, path: place });
    const checked = await run("--check");
    expect(checked.output).toMatch(/^Left out: etcd\. etcd is not installed\. [^\n]*apt-get install etcd-server$/m);
    expect([checked.code, (await run()).code]).toEqual([1, 0]);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});
