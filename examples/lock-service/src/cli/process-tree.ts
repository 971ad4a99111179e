/** A command and all that it has started: they are signalled together. */
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";

const isWindows = process.platform === "win32";

/** Whether the command is started as a group of its own (spawn()'s `detached`). On Windows it would have a console of its own, without Ctrl-C, and outlive who started it. */
export const inGroup = !isWindows;

/** Does nothing if they have ended. */
export function signalTree(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  if (isWindows) return endOnWindows(child, child.pid, signal);
  try {
    process.kill(-child.pid, signal);
  } catch {
    // All of it has ended.
  }
}

/** Windows has no signals that ask: what the console tells, Ctrl-C, it tells the command as well. */
function endOnWindows(child: ChildProcess, pid: number, signal: NodeJS.Signals): void {
  if (signal === "SIGKILL") child.kill(signal);
  if (signal !== "SIGTERM") return;
  // By its path: a program of that name in the working directory would come first.
  const ending = spawn(join(process.env["SystemRoot"] ?? "C:\\Windows", "System32", "taskkill.exe"), ["/pid", String(pid), "/t", "/f"], { stdio: "ignore", windowsHide: true });
  ending.once("error", () => child.kill("SIGKILL"));
}
