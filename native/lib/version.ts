/**
 * Which Corosync is running. No library and no cmap key says it (the libraries' own versions have not changed since 3.0), so the
 * daemon's own executable is asked: /proc/PID/exe is what runs, even after an upgrade has replaced the file.
 */
import { execFile } from "node:child_process";
import type { Stats } from "node:fs";
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import { limit, wrong } from "./arguments.js";
import { CorosyncError } from "./errors.js";

const run = promisify(execFile);

/** Before 3.1.6 messages could be lost or damaged at membership changes (release notes of 3.1.6). */
const oldestSafe: readonly number[] = [3, 1, 6];

/**
 * "3.1.7", or undefined if it cannot be found: no permission, another pid namespace, not an official build, a program of another user.
 * @param daemonPid Cpg.daemonPid, 0 where the system does not tell
 * @throws CorosyncError INVALID_PARAM
 */
export async function daemonVersion(daemonPid: number): Promise<string | undefined> {
  if (limit("daemonVersion", "daemonPid", daemonPid, 0, 0x7fffffff) === 0) return undefined;
  try {
    const executable = await open(`/proc/${daemonPid}/exe`);
    try {
      if (!isTrusted(await executable.stat())) return undefined;
      // The file that was looked at, whatever the process runs by now.
      const { stdout } = await run(`/proc/self/fd/${executable.fd}`, ["-v"], { timeout: 5000, maxBuffer: 65_536 });
      return /Corosync Cluster Engine, version '(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
    } finally {
      await executable.close();
    }
  } catch {
    return undefined;
  }
}

/**
 * The sockets' names are free for every local user while no daemon runs, and what answers there may be anybody's program: it must not
 * be run with this process' rights.
 */
function isTrusted(executable: Stats): boolean {
  const writableByOthers = (executable.mode & 0o022) !== 0;
  return (executable.uid === 0 || executable.uid === process.geteuid?.()) && !writableByOthers;
}

/** @throws CorosyncError TOO_OLD; INVALID_PARAM for what is no version */
export function assertSafeVersion(version: string): void {
  if (typeof version !== "string" || !/^\d+(\.\d+)*$/.test(version)) throw wrong("assertSafeVersion", "a version is numbers and dots, as daemonVersion() gives it");
  const parts = version.split(".").map(Number);
  for (const [i, least] of oldestSafe.entries()) {
    const part = parts[i] ?? 0;
    if (part > least) return;
    if (part < least) throw new CorosyncError("TOO_OLD", "corosync -v", `version ${version}`);
  }
}
