/** A real redis-server of this test's own, on a free port of the loopback, without a disk. */
import { spawn, type ChildProcess } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { eventually } from "./eventually.js";
import { RespClient } from "./resp-client.js";

export interface RedisServer {
  readonly port: number;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function startRedis(): Promise<RedisServer> {
  const port = await freePort();
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--databases", "1", "--dir", tmpdir()];
  const child = spawn("redis-server", args, { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  try {
    await eventually("redis-server answers PING", () => answersPing(child, port));
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  return {
    port,
    stop: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

async function answersPing(child: ChildProcess, port: number): Promise<boolean> {
  if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
  try {
    const client = await RespClient.connect(port);
    const reply = await client.call("PING");
    client.destroy();
    return reply === "+PONG\r\n";
  } catch {
    return false;
  }
}
