/** `npm run chaos -- --machine lock`, in short: everything at once on three real nodes, from a seed of its own each time; then nodes die in quiet. docs/chaos.md. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import type { LockReport } from "../chaos/lock/report.js";

const program = fileURLToPath(new URL("../dist/chaos/main.js", import.meta.url));
/** Twenty seconds of chaos, four deaths of nodes; the rest for starting and coming to rest on a busy machine. */
const testMs = 600_000;

async function run(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [program, "--machine", "lock", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  // Beyond the time limit, too: it would go on beside the tests that follow.
  onTestFinished(() => { child.kill("SIGTERM"); });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => { output += String(data); });
  await once(child, "close");
  return { code: child.exitCode, output };
}

describe("the lock service under chaos", () => {
  it("gives nothing to two, lets no late write through, and hands on what a dead node's client held", async () => {
    const scratch = mkdtempSync(join(tmpdir(), "lockstep-lock-chaos-test-"));
    const json = join(scratch, "results.json");
    const { code, output } = await run(["--minutes", "0.33", "--unhurried", "--json", json]);
    console.log(output);
    expect(code, output).toBe(0);
    const [report] = JSON.parse(readFileSync(json, "utf8")) as [LockReport];
    expect(report.grants).toBeGreaterThan(10);
    expect(report.writesAccepted).toBeGreaterThan(20);
    expect(Object.values(report.faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(3);
    // Each bound session's node died once, and a lease's. How long it took is judged by the command, on a machine that does nothing else; here, that no bound session had to expire.
    expect(report.nodeDeaths.map(({ bound }) => bound)).toEqual([true, true, true, false]);
    for (const { bound, ttlMs, toNextGrantMs } of report.nodeDeaths) if (bound) expect(toNextGrantMs).toBeLessThan(ttlMs / 2);
    rmSync(scratch, { recursive: true });
  }, testMs);

  it.each([["--compare"], ["--machine=locks"]])("is not started with %s: it says what is wanted, with exit code 2", async (option) => {
    const { code, output } = await run([option]);
    expect(output).toContain(option.split("=")[0]);
    expect(code).toBe(2);
  });
});
