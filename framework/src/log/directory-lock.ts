/**
 * One process for a store. Its holder listens on a socket in the directory: who can be reached is alive, frozen or not, in
 * whatever namespace; a process that is gone cannot. (Node has no lock on files that would go with its process.) Which socket
 * counts stands in the database, where taking it over from a dead holder is one transaction.
 */
import { randomBytes } from "node:crypto";
import { closeSync, openSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { LockstepError } from "../errors.js";

/** Where it is written who holds the store. */
export interface HolderRecord {
  get(): string | undefined;
  /** Atomic among processes: false if it is not `expected` any more. */
  replace(expected: string | undefined, by: string | undefined): boolean;
}

interface Holder {
  readonly socket: string;
  readonly pid: number;
}

/** Against others that take it and die, again and again. */
const maxAttempts = 20;

export class DirectoryLock {
  readonly #directory: string;
  readonly #record: HolderRecord;
  readonly #text: string;
  readonly #socket: string;
  readonly #server: Server;

  private constructor(directory: string, record: HolderRecord, socket: string, server: Server) {
    this.#directory = directory;
    this.#record = record;
    this.#socket = socket;
    this.#server = server;
    this.#text = JSON.stringify({ socket, pid: process.pid } satisfies Holder);
  }

  /** @throws LockstepError STORE_LOCKED, STORE_FAILED. */
  static async take(directory: string, record: HolderRecord): Promise<DirectoryLock> {
    const socket = `lock-${randomBytes(8).toString("hex")}`;
    const lock = new DirectoryLock(directory, record, socket, await listen(directory, socket));
    try {
      await lock.#takeOver();
      return lock;
    } catch (error) {
      await lock.#stopListening();
      throw error;
    }
  }

  async #takeOver(): Promise<void> {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const found = this.#record.get();
      const holder = readHolder(found);
      if (holder !== undefined && await answers(this.#directory, holder.socket)) {
        throw new LockstepError("STORE_LOCKED", `Another process (pid ${holder.pid}) uses the directory ${this.#directory}: stop it first, or name another directory.`);
      }
      if (!this.#record.replace(found, this.#text)) continue;
      if (holder !== undefined) rmSync(join(this.#directory, holder.socket), { force: true });
      return;
    }
    throw new LockstepError("STORE_LOCKED", `Other processes are taking the directory ${this.#directory} at the same moment.`);
  }

  async release(): Promise<void> {
    this.#record.replace(this.#text, undefined);
    await this.#stopListening();
  }

  async #stopListening(): Promise<void> {
    await new Promise<void>((resolve) => { this.#server.close(() => resolve()); });
    rmSync(join(this.#directory, this.#socket), { force: true });
  }
}

function readHolder(text: string | undefined): Holder | undefined {
  if (text === undefined) return undefined;
  try {
    const { socket, pid } = JSON.parse(text) as Partial<Holder>;
    return typeof socket === "string" && typeof pid === "number" && /^lock-[0-9a-f]{16}$/.test(socket) ? { socket, pid } : undefined;
  } catch {
    return undefined;
  }
}

/** Does not keep the process running. */
async function listen(directory: string, name: string): Promise<Server> {
  const server = createServer((connection) => connection.destroy());
  server.unref();
  await withShortPath(directory, name, (path) => new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(new LockstepError("STORE_FAILED", `The directory ${directory} takes no socket, which its lock is: ${cause.message}. Use a local file system.`, { cause })));
    server.listen(path, resolve);
  }));
  return server;
}

function answers(directory: string, name: string): Promise<boolean> {
  return withShortPath(directory, name, (path) => new Promise<boolean>((resolve) => {
    const connection = connect(path);
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    // A full backlog: somebody listens, and is frozen.
    connection.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EAGAIN"));
  }));
}

/** A socket's path has at most 107 bytes; a directory's may be longer. */
async function withShortPath<T>(directory: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(directory, name);
  if (Buffer.byteLength(path) < 100 || process.platform !== "linux") return use(path);
  const descriptor = openSync(directory, "r");
  try {
    return await use(`/proc/self/fd/${descriptor}/${name}`);
  } finally {
    closeSync(descriptor);
  }
}
