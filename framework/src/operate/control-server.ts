/** The replica's end of `control`. A client that sends nonsense, too much, or nothing, gets an error and is cut off: nobody else notices. */
import { isAbsolute, join } from "node:path";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { LockstepError } from "../errors.js";
import { listenIn } from "../log/local-socket.js";
import type { BackupOptions, BackupPlan, BackupResult, Inspection } from "../replica-api.js";
import { errorAnswer, longestRequestBytes, parseRequest, socketName, type ControlAnswer, type ControlRequest } from "./control.js";

/** What operators can ask a replica for. */
export interface Controlled {
  inspect(): Inspection;
  planBackup(path: string): Promise<BackupPlan>;
  backup(path: string, options: BackupOptions): Promise<BackupResult>;
}

const mostConnections = 16;
/** A request is written at once. */
const requestTimeoutMs = 10_000;

export class ControlServer {
  readonly #directory: string;
  readonly #replica: Controlled;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();

  private constructor(directory: string, replica: Controlled) {
    this.#directory = directory;
    this.#replica = replica;
    this.#server = createServer((connection) => this.#accept(connection));
    this.#server.maxConnections = mostConnections;
    // It does not keep the process running.
    this.#server.unref();
  }

  /** The directory must be held (log/directory-lock.ts): what an earlier process left there is removed. @throws LockstepError STORE_FAILED. */
  static async open(directory: string, replica: Controlled): Promise<ControlServer> {
    const control = new ControlServer(directory, replica);
    const server = control.#server;
    try {
      rmSync(join(directory, socketName), { force: true });
    } catch (cause) {
      throw new LockstepError("STORE_FAILED", `${join(directory, socketName)} is no socket of a replica, and cannot be removed: ${String(cause)}. Move it away.`, { cause });
    }
    await listenIn(directory, socketName, server);
    chmodSync(join(directory, socketName), 0o600);
    server.on("error", () => undefined);
    return control;
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await new Promise<void>((resolve) => { this.#server.close(() => resolve()); });
    rmSync(join(this.#directory, socketName), { force: true });
  }

  #accept(connection: Socket): void {
    this.#connections.add(connection);
    connection.unref();
    connection.on("close", () => this.#connections.delete(connection));
    connection.on("error", () => undefined);
    connection.setTimeout(requestTimeoutMs, () => connection.destroy());
    let received = Buffer.alloc(0);
    const onData = (data: Buffer): void => {
      received = Buffer.concat([received, data]);
      const end = received.indexOf("\n");
      if (end < 0 && received.byteLength <= longestRequestBytes) return;
      connection.off("data", onData);
      connection.setTimeout(0);
      // What comes after the line is read and forgotten, or its sender's end would never be seen.
      connection.resume();
      const line = end < 0 || end > longestRequestBytes ? undefined : received.toString("utf8", 0, end);
      void this.#serve(connection, line);
    };
    connection.on("data", onData);
  }

  async #serve(connection: Socket, line: string | undefined): Promise<void> {
    connection.end(`${JSON.stringify(await this.#answer(line))}\n`);
  }

  /** @param line undefined: it was too long. */
  async #answer(line: string | undefined): Promise<ControlAnswer> {
    try {
      const request = line === undefined ? undefined : parseRequest(line);
      if (request === undefined) throw new LockstepError("INVALID_INPUT", `a request is one line of JSON of at most ${longestRequestBytes} bytes: {"command": "status"}, {"command": "backup", "to": FILE, "by": NAME} or {"command": "planBackup", "to": FILE}`);
      return { ok: await this.#perform(request) };
    } catch (error) {
      return errorAnswer(error);
    }
  }

  #perform(request: ControlRequest): Promise<unknown> | Inspection {
    if (request.command === "status") return this.#replica.inspect();
    if (!isAbsolute(request.to)) throw new LockstepError("INVALID_INPUT", `a backup needs an absolute path: the replica has another working directory than who asks; not ${JSON.stringify(request.to)}`);
    return request.command === "backup" ? this.#replica.backup(request.to, { by: request.by }) : this.#replica.planBackup(request.to);
  }
}
