/**
 * `npm test`: every suite this machine can run. What it cannot run is left out by name, never skipped inside a suite;
 * the output says so in one line, with the command that adds it, if there is one. `--require-cluster` (CI) makes that an error.
 *
 * Suites on real daemons run after the others and one file at a time: they bring up whole clusters.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { corosyncAvailable } from "./cluster/available.js";
import { quorumDeviceAvailable } from "./cluster/quorum-device.js";

interface Suite {
  readonly name: string;
  readonly include: readonly string[];
  readonly parallel: boolean;
  /** Why it cannot run here, and what to do about it: undefined if that is nothing. */
  readonly leftOut: { readonly why: string; readonly add: string | undefined } | undefined;
}

interface Counts {
  passed: number;
  failed: number;
}

const usage = `Usage: npm test -- [--require-cluster] [FILE …] [vitest's options]
FILE is a part of a test file's path; without any: all. --require-cluster: what this machine cannot run counts as failed.`;
const given = process.argv.slice(2).filter((argument) => argument !== "--require-cluster");
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

function onPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(":").some((directory) => existsSync(join(directory, program)));
}

function suites(): Suite[] {
  const elsewhere = process.platform === "linux" ? undefined : `it runs on Linux only; this is ${process.platform}`;
  const leave = (missing: string | undefined, add: string): Suite["leftOut"] => {
    if (elsewhere !== undefined) return { why: elsewhere, add: undefined };
    return missing === undefined ? undefined : { why: missing.replace(/\.$/, ""), add };
  };
  const corosync = corosyncAvailable();
  return [
    {
      name: "units", parallel: true, leftOut: undefined,
      include: ["native/test/*.test.ts", "framework/test/*.test.ts", "framework/test/!(disk)/**/*.test.ts", "examples/*/test/*.test.ts", "examples/*/test/!(differential|python)/**/*.test.ts", "test/scenarios/*.test.ts", "test/types/*.test.ts", "test/docs/*.test.ts", "test/start/*.test.ts", "test/bench/*.test.ts", "test/simulation/*.test.ts", "test/chaos/**/*.test.ts", "test/mutations/*.test.ts"],
    },
    {
      name: "losses of power on real files", parallel: true, include: ["framework/test/disk/*.test.ts"],
      leftOut: leave(onPath("g++") ? undefined : "g++ is not installed", "apt-get install g++"),
    },
    {
      name: "comparison with redis-server", parallel: true, include: ["examples/*/test/differential/**/*.test.ts"],
      leftOut: leave(onPath("redis-server") ? undefined : "redis-server is not installed", "apt-get install redis-server redis-tools"),
    },
    {
      name: "Consul's Python client", parallel: true, include: ["examples/*/test/python/**/*.test.ts"],
      leftOut: leave(spawnSync("/usr/bin/python3", ["-c", "import consul"]).status === 0 ? undefined : "python3-consul is not installed", "apt-get install python3-consul"),
    },
    {
      name: "real Corosync", parallel: false, include: ["native/test/daemon/*.test.ts", "test/cluster/**/*.test.ts"],
      leftOut: leave(corosync, "apt-get install corosync iproute2 iptables procps, then npm test as root"),
    },
    {
      name: "quorum device", parallel: false, include: ["test/quorum-device/*.test.ts"],
      leftOut: leave(corosync ?? quorumDeviceAvailable(), "apt-get install corosync corosync-qnetd corosync-qdevice iproute2 iptables procps, then npm test as root"),
    },
  ];
}

function runSuite(suite: Suite, results: string): Counts {
  const { status } = spawnSync(process.execPath, [
    join(root, "node_modules", "vitest", "vitest.mjs"), "run", "--reporter=default", "--reporter=json", `--outputFile.json=${results}`,
    ...(suite.parallel ? [] : ["--no-file-parallelism"]),
    // Those that name files are of one suite, mostly.
    ...(given.length === 0 ? [] : ["--passWithNoTests", ...given]),
  ], { cwd: root, stdio: "inherit", env: { ...process.env, LOCKSTEP_TESTS: JSON.stringify(suite.include) } });
  const counts = readCounts(results);
  // Vitest failed outside a test: a file that does not load, an unhandled rejection.
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

function readCounts(results: string): Counts {
  if (!existsSync(results)) return { passed: 0, failed: 1 };
  const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(results, "utf8")) as { numPassedTests: number; numFailedTests: number };
  return { passed: numPassedTests, failed: numFailedTests };
}

function main(): number {
  if (given.includes("--help") || given.includes("-h")) {
    console.log(usage);
    return 0;
  }
  const required = process.argv.includes("--require-cluster");
  const scratch = mkdtempSync(join(tmpdir(), "lockstep-test-"));
  const total: Counts = { passed: 0, failed: 0 };
  const leftOut: string[] = [];
  try {
    for (const [index, suite] of suites().entries()) {
      if (suite.leftOut !== undefined) {
        const { why, add } = suite.leftOut;
        leftOut.push(`Left out: ${suite.name}, because ${why}.${add === undefined ? "" : ` To add it: ${add}`}`);
        if (required) total.failed++;
        continue;
      }
      console.log(`\n== ${suite.name}`);
      const counts = runSuite(suite, join(scratch, `${index}.json`));
      total.passed += counts.passed;
      total.failed += counts.failed;
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  for (const line of leftOut) console.log(line);
  if (total.passed + total.failed === 0) {
    console.log(`There are no tests ${given.join(" ")}.`);
    total.failed = 1;
  }
  console.log(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 ? 0 : 1;
}

process.exitCode = main();
