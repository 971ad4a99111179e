/** The Redis-protocol server of one replica: takes connections from a port, and hands each to a Connection. */
import type { Socket } from "node:net";
import { commandTable } from "../commands/table.js";
import type { KvReplica } from "../machine/machine.js";
import { error as errorLine } from "../resp/reply.js";
import { ClientMemory } from "./client-memory.js";
import { Connection } from "./connection.js";
import type { ServerLimits } from "./limits.js";
import type { Listener } from "./listener.js";
import { ScanCursors } from "./scan-cursors.js";
import type { ReadConsistency, Service, ServiceStatistics } from "./service.js";
import type { Session } from "./session.js";
import { Standing } from "./standing.js";

export interface KvServerOptions {
  readonly listener: Listener;
  readonly replica: KvReplica;
  readonly reads: ReadConsistency;
  readonly durable: boolean;
  readonly limits: ServerLimits;
}

export class KvServer {
  readonly port: number;
  readonly replica: KvReplica;
  readonly #listener: Listener;
  readonly #service: Service;
  readonly #sessions = new Map<number, Session>();
  readonly #connections = new Map<Session, Connection>();
  readonly #statistics: ServiceStatistics = { connectionsReceived: 0, connectionsRejected: 0, commandsProcessed: 0, errorReplies: 0 };
  /** Called when the last connection is gone, once the server is closing. */
  #whenEmpty: (() => void) | undefined;

  constructor({ listener, replica, reads, durable, limits }: KvServerOptions) {
    this.#listener = listener;
    this.port = listener.port;
    this.replica = replica;
    this.#service = {
      replica,
      standing: new Standing(replica),
      commands: commandTable,
      reads,
      durable,
      limits,
      statistics: this.#statistics,
      memory: new ClientMemory(limits.clientBytes),
      cursors: new ScanCursors(limits.scanCursors),
      sessions: this.#sessions,
      startedAtMs: Date.now(),
      port: listener.port,
    };
    listener.serve((socket) => this.#accept(socket));
  }

  /** Ends all connections, then stops the replica. */
  async close(): Promise<void> {
    await this.endConnections();
    await this.replica.stop();
  }

  /**
   * Takes no more connections and commands, answers what was taken, and closes. A connection that is not done after
   * `limits.closeTimeoutMs` is cut. The replica goes on, as others may need its acknowledgements to answer.
   */
  async endConnections(): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections.values()) connection.finish();
    if (this.#connections.size > 0) {
      const cut = setTimeout(() => this.#destroyAll(), this.#service.limits.closeTimeoutMs);
      await new Promise<void>((resolve) => { this.#whenEmpty = resolve; });
      clearTimeout(cut);
    }
  }

  #accept(socket: Socket): void {
    this.#statistics.connectionsReceived += 1;
    if (this.#connections.size >= this.#service.limits.connections) {
      this.#statistics.connectionsRejected += 1;
      socket.end(errorLine("ERR max number of clients reached"), () => socket.destroy());
      return;
    }
    const now = Date.now();
    const session: Session = {
      id: this.#statistics.connectionsReceived,
      address: `${socket.remoteAddress}:${socket.remotePort}`,
      localAddress: `${socket.localAddress}:${socket.localPort}`,
      connectedAtMs: now,
      protocol: 2,
      name: "",
      libraryName: "",
      libraryVersion: "",
      lastCommand: undefined,
      lastAtMs: now,
      heldBytes: () => 0,
      closing: false,
    };
    this.#sessions.set(session.id, session);
    this.#connections.set(session, new Connection(socket, session, this.#service));
    socket.once("close", () => this.#forget(session));
  }

  #forget(session: Session): void {
    this.#sessions.delete(session.id);
    this.#connections.delete(session);
    if (this.#connections.size === 0) this.#whenEmpty?.();
  }

  #destroyAll(): void {
    for (const connection of this.#connections.values()) connection.destroy();
  }
}
