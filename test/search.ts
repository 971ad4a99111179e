/**
 * A longer search for histories that break the protocol core:
 *
 *   node test/dist/search.js [--seconds N] [--seed S]
 *
 * Runs framework/test/core/hostile.test.ts with other limits; a failure prints its seed and the end of its history.
 */
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

function wholeNumber(name: string, given: string): string {
  if (!/^\d{1,9}$/.test(given) || Number(given) === 0) throw new Error(`--${name} must be a whole number of at least 1, not ${given}`);
  return given;
}

function main(): number {
  const { values } = parseArgs({ options: { seconds: { type: "string", default: "60" }, seed: { type: "string" } } });
  const seconds = wholeNumber("seconds", values.seconds);
  const seed = wholeNumber("seed", values.seed ?? String(1 + Math.floor(Math.random() * 900_000_000)));
  const { status } = spawnSync(process.execPath, [join(root, "node_modules", "vitest", "vitest.mjs"), "run", "framework/test/core/hostile.test.ts", "--disable-console-intercept"], {
    cwd: root, stdio: "inherit", env: { ...process.env, LOCKSTEP_SEARCH_SECONDS: seconds, LOCKSTEP_SEED: seed },
  });
  return status ?? 1;
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
