/**
 * One process for a directory. Who wants it listens on a socket in it, with a name of its own, and then looks whether another
 * one answers. Who can be reached is alive, frozen or not, in whatever network or process namespace; who is gone cannot.
 * (Node has no lock on files that would go with its process. On Windows it has: there its file is open for it alone, instead of a socket.)
 *
 * Why two cannot have it at once: each looks after it listens, so of two the later one finds the other. Both may find each
 * other; then both go back, and try again after pauses that differ.
 */
import { randomBytes, randomInt } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { LockstepError } from "../errors.js";
import { ExclusiveFile } from "./exclusive-file.js";
import { listenIn, withSocketPath } from "./local-socket.js";

/** So many, because others may try at the same moment; a holder is found in each. */
const attempts = 5;
const longestPauseMs = 40;
const nameForm = /^lock-(\d+)-[0-9a-f]{16}$/;

/** Whether a file of this name in a directory is of its lock. */
export function isLockFile(name: string): boolean {
  return nameForm.test(name);
}

export class DirectoryLock {
  readonly #directory: string;
  readonly #name: string;
  readonly #held: Server | ExclusiveFile;

  private constructor(directory: string, name: string, held: Server | ExclusiveFile) {
    this.#directory = directory;
    this.#name = name;
    this.#held = held;
  }

  /** @throws LockstepError STORE_LOCKED, STORE_FAILED. */
  static async take(directory: string): Promise<DirectoryLock> {
    for (let attempt = 1; ; attempt++) {
      const lock = await DirectoryLock.#listen(directory);
      const { alive, dead } = await lock.#lookAround();
      // One that was found dead may have been about to listen; whoever took its name away was there when it looked, or is done.
      if (alive === undefined && existsSync(join(directory, lock.#name))) {
        for (const name of dead) remove(directory, name);
        return lock;
      }
      await lock.release();
      if (attempt === attempts) throw new LockstepError("STORE_LOCKED", `Another process${alive === undefined ? "" : ` (pid ${alive})`} uses the directory ${directory}: stop it first, or name another directory.`);
      await pause(randomInt(1, longestPauseMs));
    }
  }

  static async #listen(directory: string): Promise<DirectoryLock> {
    const name = `lock-${process.pid}-${randomBytes(8).toString("hex")}`;
    if (isWindows()) return new DirectoryLock(directory, name, openAlone(directory, name));
    const server = createServer((connection) => connection.destroy());
    // It does not keep the process running.
    server.unref();
    await listenIn(directory, name, server);
    return new DirectoryLock(directory, name, server);
  }

  async #lookAround(): Promise<{ alive: string | undefined; dead: readonly string[] }> {
    const dead: string[] = [];
    for (const name of readdirSync(this.#directory)) {
      const [, pid] = nameForm.exec(name) ?? [];
      if (pid === undefined || name === this.#name) continue;
      if (await answers(this.#directory, name)) return { alive: pid, dead };
      dead.push(name);
    }
    return { alive: undefined, dead };
  }

  async release(): Promise<void> {
    await new Promise<void>((resolve) => { this.#held.close(() => resolve()); });
    remove(this.#directory, this.#name);
  }
}

const isWindows = (): boolean => process.platform === "win32";

function openAlone(directory: string, name: string): ExclusiveFile {
  try {
    return new ExclusiveFile(join(directory, name));
  } catch (cause) {
    throw new LockstepError("STORE_FAILED", `The directory ${directory} takes no file, which its lock is: ${String(cause)}. It must have room, and be writable for this process.`, { cause });
  }
}

/** On Windows not while somebody looks at it: then it stays, as dead as it is. */
function remove(directory: string, name: string): void {
  try {
    rmSync(join(directory, name), { force: true });
  } catch (error) {
    if (!isWindows()) throw error;
  }
}

/** Only what is certain counts as dead: nobody listens, or the socket is gone. A full queue, or no permission, is somebody. */
function answers(directory: string, name: string): Promise<boolean> {
  if (isWindows()) return Promise.resolve(ExclusiveFile.isHeld(join(directory, name)));
  return withSocketPath(directory, name, (path) => new Promise<boolean>((resolve) => {
    const connection = connect(path);
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"));
  }));
}
