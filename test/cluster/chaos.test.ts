/** `npm run chaos`, in short: everything at once on three real nodes, from a seed of its own each time. docs/chaos.md. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import type { RunReport } from "../chaos/report.js";

const program = fileURLToPath(new URL("../dist/chaos/main.js", import.meta.url));
/** Each 45 s of chaos; the rest for starting, coming to rest and judging on a busy machine. */
const testMs = 600_000;

async function run(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  // Beyond the time limit, too: it would go on beside the tests that follow.
  onTestFinished(() => { child.kill("SIGTERM"); });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => { output += String(data); });
  await once(child, "close");
  return { code: child.exitCode, output };
}

describe("three replicas under chaos", () => {
  it.each([["in memory", []], ["on disks, some of the time without power", ["--disk"]]])("lose, double and misorder nothing, and are alike in the end: %s", async (_what, options) => {
    const scratch = mkdtempSync(join(tmpdir(), "lockstep-chaos-test-"));
    const json = join(scratch, "results.json");
    const { code, output } = await run(["--minutes", "0.75", "--json", json, ...options]);
    console.log(output);
    expect(code, output).toBe(0);
    const [report] = JSON.parse(readFileSync(json, "utf8")) as RunReport[];
    expect(report?.writesAcknowledged).toBeGreaterThan(100);
    expect(Object.values(report?.faults ?? {}).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(5);
    rmSync(scratch, { recursive: true });
  }, testMs);

  it.each([["--nodes", "4"], ["--minutes", "none"], ["--seed", "-1"], ["--sneed", "1"]])("are not started for %s %s: it says what is wanted, with exit code 2", async (option, value) => {
    const { code, output } = await run([`${option}=${value}`]);
    expect(output).toContain(option);
    expect(code).toBe(2);
  });
});
