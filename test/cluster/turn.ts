/**
 * One at a time changes the cluster of a directory, as when people use two terminals: of two that start one at once, one would be
 * lost, up for ever, and of two that change it one would forget what the other did. An abstract socket is the lock: the kernel gives
 * it back however the process ends.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { resolve as absolute } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** Resolves when nobody else has it; from then on this process has, until it ends. */
export async function takeTurn(directory: string): Promise<void> {
  const name = `\0lockstep-cluster-${createHash("sha256").update(absolute(directory)).digest("hex")}`;
  while (!(await canListen(name))) await pause(50);
}

function canListen(name: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer().unref();
    server.once("error", (error: NodeJS.ErrnoException) => { if (error.code === "EADDRINUSE") resolve(false); else reject(error); });
    server.listen(name, () => { resolve(true); });
  });
}
