/**
 * Run as a process of its own, out of reach of the cluster's faults: what the locks guard. It takes lines from clients over a unix socket, refuses
 * writes with a lower token than it has seen for the lock, unless it is told to accept everything, and tells the controller all that came.
 *
 *     node resource.js SOCKET tokens|no-tokens
 */
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { TokenGuard } from "@lockstep/lock-service/client";
import type { Notice, ResourceRecord } from "./records.js";

const [path = "", checking = ""] = process.argv.slice(2);
const guards = new Map<string, TokenGuard>();

function guardOf(lock: string): TokenGuard {
  const guard = guards.get(lock) ?? new TokenGuard();
  guards.set(lock, guard);
  return guard;
}

/** All or nothing: one write changes what all its locks guard. */
function admit({ locks, token }: Notice): boolean {
  if (locks.some((lock) => token < guardOf(lock).highest)) return false;
  for (const lock of locks) guardOf(lock).admit(token);
  return true;
}

function serve(socket: Socket): void {
  // A client that was killed.
  socket.on("error", () => { socket.destroy(); });
  const lines = createInterface(socket);
  lines.on("error", () => undefined);
  lines.on("line", (line) => {
    const notice = JSON.parse(line) as Notice;
    const accepted = notice.kind !== "write" || checking === "no-tokens" || admit(notice);
    process.send?.({ record: { ...notice, accepted } satisfies ResourceRecord });
    socket.write(`${JSON.stringify({ accepted })}\n`);
  });
}

process.on("disconnect", () => { process.exit(0); });
createServer(serve).listen(path, () => { process.send?.("listening"); });
