/** From options to a running server: takes the port, joins the group, serves. What main.ts, tests and benchmarks start. */
import { createReplica, type GroupTransport, type Limits, type Logger, type QuorumOption } from "@lockstep/framework";
import { kvMachine } from "./machine/machine.js";
import { KvServer } from "./server/kv-server.js";
import { defaultServerLimits, type ServerLimits } from "./server/limits.js";
import { Listener } from "./server/listener.js";
import type { ReadConsistency } from "./server/service.js";

export const defaultGroup = "lockstep-kv";

export interface StartOptions {
  /** The way to the other replicas; one transport for one server. */
  readonly transport: GroupTransport;
  /** Replicas of one group hold the same data; default "lockstep-kv". */
  readonly group?: string;
  /** Who may write after a failure (the framework's quorum policies); default "majority". */
  readonly quorum?: QuorumOption;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 6379; 0 takes any that is free. */
  readonly port?: number;
  /** Default "linearizable". */
  readonly reads?: ReadConsistency;
  /** Keeps this replica's data on disk, in a directory of its own; default: in memory. All replicas of a group have one, or none. */
  readonly directory?: string;
  readonly limits?: Partial<ServerLimits>;
  /** Of the replica: how large a command may be, how long an answer may take, … */
  readonly replicaLimits?: Partial<Limits>;
  /** What the replica reports with; default: warnings and errors as JSON lines on standard error. */
  readonly logger?: Logger;
}

/**
 * Resolves when the port is open and the replica has joined its group; until it has the group's data and a quorum,
 * commands are answered with -LOADING or -CLUSTERDOWN (`server.replica.ready()` waits for that).
 * Rejects with Node's error if the port cannot be had, with a LockstepError if the group cannot be joined or the directory not used.
 */
export async function startServer(options: StartOptions): Promise<KvServer> {
  const { host = "127.0.0.1", port = 6379 } = options;
  return serveFrom(await Listener.listen(host, port), options);
}

/** The same, with a port that is open already. Closes it if the replica cannot be had. */
export async function serveFrom(listener: Listener, options: Omit<StartOptions, "host" | "port">): Promise<KvServer> {
  const { transport, group = defaultGroup, quorum = "majority", reads = "linearizable", directory, replicaLimits = {}, logger } = options;
  const limits = { ...defaultServerLimits, ...options.limits };
  try {
    const replica = await createReplica(kvMachine, {
      group, transport, quorum, limits: replicaLimits,
      ...(directory === undefined ? {} : { durability: "disk", directory }),
      ...(logger === undefined ? {} : { logger }),
    });
    return new KvServer({ listener, replica, reads, durable: directory !== undefined, limits });
  } catch (error) {
    listener.close();
    await transport.close();
    throw error;
  }
}
