/**
 * Processes by pid *and* start time, so that a pid that was used again is never taken for ours, and commands with a clear
 * error. Linux only: reads /proc.
 */
import { execFile } from "node:child_process";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { toolPath } from "./available.js";

/** What went wrong while making, breaking or mending a test cluster, with what to do about it. */
export class ClusterError extends Error {
  override readonly name = "ClusterError";
}

export interface ProcessRef {
  readonly pid: number;
  /** Clock ticks since boot at which it started: field 22 of /proc/PID/stat, see proc(5). */
  readonly startTicks: number;
}

export type ProcessState = "running" | "stopped" | "gone";

/** @throws ClusterError if there is no such process. */
export function processRef(pid: number | undefined): ProcessRef {
  const stat = pid === undefined ? undefined : readStat(pid);
  if (pid === undefined || stat === undefined) throw new ClusterError(`A process ended while it was being started (pid ${String(pid)}).`);
  return { pid, startTicks: stat.startTicks };
}

export function processState(ref: ProcessRef): ProcessState {
  const stat = readStat(ref.pid);
  if (stat === undefined || stat.startTicks !== ref.startTicks || stat.state === "Z" || stat.state === "X") return "gone";
  return stat.state === "T" ? "stopped" : "running";
}

/** Sends a signal if the process is still the one it was. */
export function signal(ref: ProcessRef, name: NodeJS.Signals): void {
  if (processState(ref) === "gone") return;
  try {
    process.kill(ref.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Which network namespace a process lives in, as /proc names it; undefined if it is gone. */
export function networkNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${String(pid)}/ns/net`);
  } catch {
    return undefined;
  }
}

/** All processes in the network namespaces of these holders, themselves included: only what was started inside can be there. */
export function processesWith(holders: readonly ProcessRef[]): ProcessRef[] {
  const own = networkNamespace(process.pid);
  const alive = holders.filter((holder) => processState(holder) !== "gone");
  const namespaces = new Set(alive.map((holder) => networkNamespace(holder.pid)).filter((name) => name !== undefined && name !== own));
  if (namespaces.size === 0) return [];
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
  return pids.filter((pid) => namespaces.has(networkNamespace(pid))).flatMap((pid) => {
    const stat = readStat(pid);
    return stat === undefined ? [] : [{ pid, startTicks: stat.startTicks }];
  });
}

function readStat(pid: number): { state: string; startTicks: number } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${String(pid)}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The command's name, in brackets, may hold anything: count from behind it. State is field 3, start time field 22.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "X", startTicks: Number(fields[19]) };
}

export interface CommandOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
  /** Some tools say things by their exit code that are no failure. */
  readonly anyExitCode?: boolean;
}

/** Runs a command to its end and returns what it wrote to stdout. @throws ClusterError with the command and its stderr. */
export async function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, { timeout: options.timeoutMs ?? 10_000, killSignal: "SIGKILL", env: { ...process.env, PATH: toolPath } }, (error, stdout, stderr) => {
      const failed = error !== null && !(options.anyExitCode === true && typeof error.code === "number");
      if (failed) reject(new ClusterError(`${[command, ...args].join(" ")} failed: ${stderr.trim() || error.message}`, { cause: error }));
      else resolve(stdout);
    });
    // A command that ends without reading its input is judged by its exit code.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(options.input ?? "");
  });
}
