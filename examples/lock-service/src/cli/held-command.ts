/** Runs a command while a lock is held: it gets the token, and is ended when the lock is lost, before another can have it. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import type { Grant } from "../client/grant.js";
import { LockLostError } from "../client/errors.js";
import { inGroup, signalTree } from "./process-tree.js";

/** Between SIGTERM and SIGKILL. The lease ends a tenth of the TTL early: this must fit into what is left. */
const graceMs = 200;
const forwarded = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGBREAK"] as const;

export const lostExitCode = 76;

/** Resolves to the exit code of the command, 128 + N if signal N ended it, as shells have it; `lostExitCode` if the lock was lost. */
export async function runHeld(name: string, grant: Grant, [command = "", ...args]: readonly string[]): Promise<number> {
  // What the command has started is ended with it.
  const child = spawn(command, args, {
    stdio: "inherit", detached: inGroup,
    env: { ...process.env, LOCKSTEP_LOCK_NAME: name, LOCKSTEP_LOCK_TOKEN: String(grant.token), LOCKSTEP_LOCK_SESSION: grant.session.id },
  });
  const send = (signal: NodeJS.Signals): void => signalTree(child, signal);
  const handlers: [NodeJS.Signals, () => void][] = [
    ...forwarded.map((signal): [NodeJS.Signals, () => void] => [signal, () => send(signal)]),
    // Ctrl-Z: nobody would renew the lease, so the command stops first, and goes on only if it was not too long.
    ["SIGTSTP", () => {
      send("SIGSTOP");
      process.kill(process.pid, "SIGSTOP");
    }],
    ["SIGCONT", () => { if (grant.held) send("SIGCONT"); }],
  ];
  for (const [signal, handler] of handlers) process.on(signal, handler);
  let killTimer: NodeJS.Timeout | undefined;
  const end = (): void => {
    process.stderr.write(`lockstep-lock: ${grant.signal.reason instanceof LockLostError ? grant.signal.reason.message : "the lock is lost"}: ending the command\n`);
    send("SIGTERM");
    killTimer = setTimeout(() => send("SIGKILL"), graceMs);
  };
  grant.signal.addEventListener("abort", end, { once: true });
  if (grant.signal.aborted) end();
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", (error: NodeJS.ErrnoException) => (error.code === "ENOENT" ? resolve(127) : error.code === "EACCES" ? resolve(126) : reject(error)));
      child.once("exit", (status, signal) => resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal])));
    });
    if (code === 126 || code === 127) process.stderr.write(`lockstep-lock: ${command} ${code === 127 ? "was not found" : "cannot be run"}\n`);
    return grant.held ? code : lostExitCode;
  } finally {
    clearTimeout(killTimer);
    if (!grant.held) send("SIGKILL");
    grant.signal.removeEventListener("abort", end);
    for (const [signal, handler] of handlers) process.removeListener(signal, handler);
  }
}
