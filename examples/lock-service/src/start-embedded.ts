/** A whole group in this process: one server for each port, on an in-memory network. */
import { join } from "node:path";
import { memory, MemoryNetwork } from "@lockstep/framework";
import { DataError, explainStores, type StoreFailure } from "./data-error.js";
import { defaultServerLimits } from "./server/limits.js";
import { Listener } from "./server/listener.js";
import type { LockServer } from "./server/lock-server.js";
import { serveFrom, type StartOptions } from "./start-server.js";

export interface EmbeddedStartOptions extends Omit<StartOptions, "transport" | "port" | "directory"> {
  /** Keeps the data on disk: replica N's in the subdirectory replica-N; made if it is missing. Default: in memory. */
  readonly directory?: string | undefined;
}

export interface EmbeddedGroup {
  /** In the order of the ports. */
  readonly servers: readonly LockServer[];
  /** For tests: cutting, healing and crashing nodes, which are numbered from 1. */
  readonly network: MemoryNetwork;
  /** Answers what was taken and stops all. */
  close(): Promise<void>;
}

/** Rejects as startServer() does, or with a DataError; nothing is left running then. */
export async function startEmbedded(ports: readonly number[], options: EmbeddedStartOptions = {}): Promise<EmbeddedGroup> {
  // Not before the ports are had: a start that fails for another reason leaves no data behind.
  const listeners = await listenAll(ports, options);
  const network = new MemoryNetwork({ nodes: ports.length });
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

/** Where replica N of one process keeps its data. That there are as many as it was made with, its store checks. */
export function replicaDirectory(directory: string, replica: number): string {
  return join(directory, `replica-${replica}`);
}

async function listenAll(ports: readonly number[], { host = "127.0.0.1", tls, limits }: EmbeddedStartOptions): Promise<readonly Listener[]> {
  const results = await Promise.allSettled(ports.map((port) => Listener.listen(host, port, { ...defaultServerLimits, ...limits }, tls)));
  const failed = results.find((result) => result.status === "rejected");
  const listeners = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  if (failed === undefined) return listeners;
  await Promise.all(listeners.map((listener) => listener.close(0)));
  throw failed.reason;
}

async function serveAll(listeners: readonly Listener[], network: MemoryNetwork, { directory, ...options }: EmbeddedStartOptions): Promise<readonly LockServer[]> {
  const results = await Promise.allSettled(listeners.map((listener, i) => serveFrom(listener, {
    ...options,
    transport: memory({ network, nodeId: i + 1 }),
    ...(directory === undefined ? {} : { directory: replicaDirectory(directory, i + 1) }),
  })));
  const failures = results.flatMap((result, i): StoreFailure[] => (result.status === "rejected" ? [{ replica: i + 1, error: result.reason as unknown }] : []));
  const servers = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  if (failures.length === 0) return servers;
  await closeAll(servers);
  throw (directory === undefined ? undefined : explainStores((replica) => replicaDirectory(directory, replica), listeners.length, failures)) ?? failures[0]?.error;
}

/** All are here, so nobody is waited for: replicas that have no quorum now will never have one. */
async function allActive(servers: readonly LockServer[]): Promise<void> {
  const replicas = servers.map(({ replica }) => replica);
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

async function closeAll(servers: readonly LockServer[]): Promise<void> {
  // What one replica still has to answer needs the others.
  await Promise.all(servers.map((server) => server.endConnections()));
  await Promise.all(servers.map((server) => server.close()));
}
