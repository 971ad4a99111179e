/** A whole group in this process: one server for each port, on an in-memory network. */
import { memory, MemoryNetwork } from "@lockstep/framework";
import { DataError, findData, makeDataDirectory, replicaDirectory } from "./data-directory.js";
import { explainGroupStores, type StoreFailure } from "./data-error.js";
import type { KvServer } from "./server/kv-server.js";
import { Listener } from "./server/listener.js";
import { defaultGroup, serveFrom, type StartOptions } from "./start-server.js";

export interface EmbeddedStartOptions extends Omit<StartOptions, "transport" | "port" | "directory"> {
  /** Keeps the data on disk: replica N's in the subdirectory replica-N; made if it is missing. Default: in memory. */
  readonly directory?: string | undefined;
}

export interface EmbeddedGroup {
  /** In the order of the ports. */
  readonly servers: readonly KvServer[];
  /** For tests: cutting, healing and crashing nodes, which are numbered from 1. */
  readonly network: MemoryNetwork;
  /** Answers what was taken and stops all. */
  close(): Promise<void>;
}

/** Rejects as startServer() does, or with a DataError; nothing is left running then. */
export async function startEmbedded(ports: readonly number[], options: EmbeddedStartOptions = {}): Promise<EmbeddedGroup> {
  const { directory, host = "127.0.0.1", group = defaultGroup } = options;
  const owner = { group, replicas: ports.length };
  const found = directory === undefined || (await findData(directory, owner));
  const listeners = await listenAll(host, ports);
  const network = new MemoryNetwork({ nodes: ports.length });
  try {
    // Not before the ports are had: a start that fails for another reason leaves no data behind.
    if (!found) await makeDataDirectory(directory, owner);
  } catch (error) {
    for (const listener of listeners) listener.close();
    throw error;
  }
  const servers = await serveAll(listeners, network, options);
  const close = (): Promise<void> => closeAll(servers);
  try {
    await allActive(servers);
  } catch (error) {
    await close();
    throw error;
  }
  return { servers, network, close };
}

async function listenAll(host: string, ports: readonly number[]): Promise<readonly Listener[]> {
  const results = await Promise.allSettled(ports.map((port) => Listener.listen(host, port)));
  const failed = results.find((result) => result.status === "rejected");
  const listeners = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  if (failed === undefined) return listeners;
  for (const listener of listeners) listener.close();
  throw failed.reason;
}

async function serveAll(listeners: readonly Listener[], network: MemoryNetwork, { directory, ...options }: EmbeddedStartOptions): Promise<readonly KvServer[]> {
  const results = await Promise.allSettled(listeners.map((listener, i) => serveFrom(listener, {
    ...options,
    transport: memory({ network, nodeId: i + 1 }),
    ...(directory === undefined ? {} : { directory: replicaDirectory(directory, i + 1) }),
  })));
  const failures = results.flatMap((result, i): StoreFailure[] => (result.status === "rejected" ? [{ replica: i + 1, error: result.reason as unknown }] : []));
  const servers = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  if (failures.length === 0) return servers;
  await closeAll(servers);
  throw (directory === undefined ? undefined : explainGroupStores(directory, listeners.length, failures)) ?? failures[0]?.error;
}

/** Resolves when all take writes. Rejects if they never will: all are here, and none takes any. */
async function allActive(servers: readonly KvServer[]): Promise<void> {
  const replicas = servers.map((server) => server.replica);
  const stopListening: (() => void)[] = [];
  const refused = new Promise<never>((_, reject) => {
    const look = (): void => {
      if (replicas.every(({ role }) => role === "minority")) reject(new DataError(`The replicas cannot go on: ${replicas[0]?.inspect().reason ?? "no quorum"}`));
    };
    for (const replica of replicas) stopListening.push(replica.onRoleChange(look));
    look();
  });
  try {
    await Promise.race([refused, Promise.all(replicas.map((replica) => replica.ready()))]);
  } finally {
    for (const stop of stopListening) stop();
  }
}

async function closeAll(servers: readonly KvServer[]): Promise<void> {
  // What one replica still has to answer needs the others.
  await Promise.all(servers.map((server) => server.endConnections()));
  await Promise.all(servers.map((server) => server.close()));
}
