/** Runs one of the conversations of kv-client.ts, by an unmodified client library, in a process on a node. */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Cluster } from "./cluster.js";

const client = fileURLToPath(new URL("../dist/cluster/kv-client.js", import.meta.url));

/** @returns what it says, parsed. */
export async function runKvClient(node: ReturnType<Cluster["node"]>, port: string, library: "ioredis" | "redis", conversation: string, prefix: string): Promise<unknown> {
  const child = node.spawn(process.execPath, [client, library, conversation, port, prefix], { stdio: ["ignore", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(child, "close");
  return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
}
