/** A whole group in this process: one server for each port, on an in-memory network. */
import { memory, MemoryNetwork } from "@lockstep/framework";
import type { KvServer } from "./server/kv-server.js";
import { startServer, type StartOptions } from "./start-server.js";

export interface EmbeddedGroup {
  /** In the order of the ports. */
  readonly servers: readonly KvServer[];
  /** For tests: cutting, healing and crashing nodes, which are numbered from 1. */
  readonly network: MemoryNetwork;
  /** Answers what was taken and stops all. */
  close(): Promise<void>;
}

/** Rejects as startServer() does; nothing is left running then. */
export async function startEmbedded(ports: readonly number[], options: Omit<StartOptions, "transport" | "port"> = {}): Promise<EmbeddedGroup> {
  const network = new MemoryNetwork({ nodes: ports.length });
  const started = await Promise.allSettled(
    ports.map((port, i) => startServer({ ...options, port, transport: memory({ network, nodeId: i + 1 }) })),
  );
  const servers = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const close = async (): Promise<void> => {
    // What one replica still has to answer needs the others.
    await Promise.all(servers.map((server) => server.endConnections()));
    await Promise.all(servers.map((server) => server.close()));
  };
  const failed = started.find((result) => result.status === "rejected");
  if (failed !== undefined) {
    await close();
    throw failed.reason;
  }
  await Promise.all(servers.map((server) => server.replica.ready()));
  return { servers, network, close };
}
