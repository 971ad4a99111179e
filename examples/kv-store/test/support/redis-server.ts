/** A real redis-server of this test's own, at a socket in a directory of its own, without a disk. A port that is free now may be another's when it listens. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.js";
import { RespClient } from "./resp-client.js";

export interface RedisServer {
  /** The path of the socket at which it listens. */
  readonly socket: string;
  stop(): Promise<void>;
}

export async function startRedis(): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), "lockstep-redis-"));
  const socket = join(directory, "socket");
  const args = ["--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--databases", "1", "--dir", directory];
  const child = spawn("redis-server", args, { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
    await rm(directory, { recursive: true });
  };
  try {
    await eventually("redis-server answers PING", () => answersPing(child, socket));
  } catch (error) {
    await stop();
    throw error;
  }
  return { socket, stop };
}

async function answersPing(child: ChildProcess, socket: string): Promise<boolean> {
  if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
  try {
    const client = await RespClient.connect(socket);
    const reply = await client.call("PING");
    client.destroy();
    return reply === "+PONG\r\n";
  } catch {
    return false;
  }
}
