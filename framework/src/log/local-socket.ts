/**
 * A socket of a directory: who uses the directory listens on it, others on this machine reach it. It is a file in the directory; only
 * on Windows, where sockets are named pipes and all in one place, a file stands for it, and the pipe's name is made of the directory's.
 */
import { createHash } from "node:crypto";
import { closeSync, openSync, realpathSync, writeFileSync } from "node:fs";
import type { Server } from "node:net";
import { dirname, join, relative } from "node:path";
import { LockstepError } from "../errors.js";

const isWindows = (): boolean => process.platform === "win32";

/** @throws LockstepError STORE_FAILED. */
export async function listenIn(directory: string, name: string, server: Server): Promise<void> {
  const failed = (cause: Error): LockstepError => new LockstepError("STORE_FAILED", `The directory ${directory} takes no socket, which its lock is: ${cause.message}. It must be on a local file system, with room, and writable for this process.`, { cause });
  await withSocketPath(directory, name, (path) => new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(failed(cause)));
    server.listen(path, resolve);
  }));
  // Only now: who finds the file and reaches nobody takes it for a dead one's.
  if (isWindows()) writeFileSync(join(directory, name), "");
}

/**
 * Calls with the path by which the socket is reached. It has at most 103 bytes, on Linux 107; a directory's may be longer. The system cuts
 * longer ones off without a word.
 *
 * @throws LockstepError STORE_FAILED where there is no shorter one.
 */
export async function withSocketPath<T>(directory: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  if (isWindows()) return use(pipeOf(directory, name));
  const path = join(directory, name);
  if (isShort(path)) return use(path);
  if (process.platform !== "linux") return use(fromHere(path));
  const descriptor = openSync(directory, "r");
  try {
    return await use(`/proc/self/fd/${descriptor}/${name}`);
  } finally {
    closeSync(descriptor);
  }
}

const isShort = (path: string): boolean => Buffer.byteLength(path) < 100;

/** Only Linux has other names for a directory. */
function fromHere(path: string): string {
  const short = relative(process.cwd(), path);
  if (isShort(short)) return short;
  throw new LockstepError("STORE_FAILED", `The path of the directory ${dirname(path)} is too long for a socket in it, which its lock is: name one with a shorter path, or start in a directory closer to it.`);
}

/** By whatever path the directory is named, in whatever case. */
function pipeOf(directory: string, name: string): string {
  const owner = createHash("sha256").update(realpathSync.native(directory).toLowerCase()).digest("hex").slice(0, 32);
  return `\\\\.\\pipe\\lockstep-${owner}-${name}`;
}
