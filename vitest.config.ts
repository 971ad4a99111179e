import { defineConfig } from "vitest/config";

/** test/run.ts names the suites that this machine can run; `npx vitest` alone runs all that need nothing installed. */
const tests = process.env["LOCKSTEP_TESTS"];
const everywhere = ["native/test/*.test.ts", "framework/test/**/*.test.ts", "examples/*/test/**/*.test.ts", "test/scenarios/*.test.ts", "test/types/*.test.ts", "test/docs/*.test.ts", "test/start/*.test.ts", "test/bench/*.test.ts", "test/simulation/*.test.ts", "test/chaos/**/*.test.ts", "test/mutations/*.test.ts", "test/cluster/**/*.test.ts", "test/quorum-device/*.test.ts", "native/test/daemon/*.test.ts"];

export default defineConfig({
  test: {
    include: tests === undefined ? everywhere : (JSON.parse(tests) as string[]),
    exclude: ["**/node_modules/**", "**/dist/**"],
    passWithNoTests: false,
    // For tests that hang, which say what they wait for long before. On a machine that is busy with something else, what takes a second takes a minute.
    testTimeout: 300_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
