/** From options to a running server: takes the port, joins the group, serves. What the program, tests and benchmarks start. */
import { createReplica, type GroupTransport, type Limits, type Logger, type QuorumOption } from "@lockstep/framework";
import { lockMachine } from "./machine/machine.js";
import { Access } from "./server/access.js";
import { defaultServerLimits, type ServerLimits } from "./server/limits.js";
import { Listener } from "./server/listener.js";
import { LockServer } from "./server/lock-server.js";
import type { TlsFiles } from "./server/tls.js";

export const defaultGroup = "lockstep-lock";
export const defaultPort = 7400;

export interface StartOptions {
  /** The way to the other replicas; one transport for one server. */
  readonly transport: GroupTransport;
  /** Replicas of one group hold the same locks; default "lockstep-lock". */
  readonly group?: string;
  /** Who may grant after a failure (the framework's quorum policies); default "majority". */
  readonly quorum?: QuorumOption;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 7400; 0 takes any that is free. */
  readonly port?: number;
  /** Who may do what; default: everyone everything. */
  readonly access?: Access;
  /** Certificates, for HTTPS; default: HTTP. */
  readonly tls?: TlsFiles;
  /** Keeps this replica's data on disk, in a directory of its own; default: in memory. All replicas of a group have one, or none. */
  readonly directory?: string;
  readonly limits?: Partial<ServerLimits>;
  /** Of the replica: how long an answer may take, … */
  readonly replicaLimits?: Partial<Limits>;
  /** What the replica reports with; default: warnings and errors as JSON lines on standard error. */
  readonly logger?: Logger;
}

/**
 * Resolves when the port is open and the replica has joined its group; until it has the group's state and a quorum, calls are answered
 * with 503 (`server.replica.ready()` waits for that).
 * Rejects with Node's error if the port cannot be had, with a LockstepError if the group cannot be joined or the directory not used.
 */
export async function startServer(options: StartOptions): Promise<LockServer> {
  const { host = "127.0.0.1", port = defaultPort, tls } = options;
  return serveFrom(await Listener.listen(host, port, { ...defaultServerLimits, ...options.limits }, tls), options);
}

/** The same, with a port that is open already. Closes it if the replica cannot be had. */
export async function serveFrom(listener: Listener, options: Omit<StartOptions, "port" | "tls">): Promise<LockServer> {
  const { transport, group = defaultGroup, quorum = "majority", host = "127.0.0.1", access = new Access(), directory, replicaLimits = {}, logger } = options;
  const limits = { ...defaultServerLimits, ...options.limits };
  try {
    const replica = await createReplica(lockMachine, {
      group, transport, quorum, limits: replicaLimits,
      ...(directory === undefined ? {} : { durability: "disk", directory }),
      ...(logger === undefined ? {} : { logger }),
    });
    return await LockServer.start({ listener, replica, access, limits, host, durable: directory !== undefined });
  } catch (error) {
    await listener.close(0);
    await transport.close();
    throw error;
  }
}
