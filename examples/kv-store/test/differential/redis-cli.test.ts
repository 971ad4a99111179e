/** The redis-cli of the Redis package, unmodified, against three replicas. */
import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEmbedded, type EmbeddedGroup } from "../../src/index.js";
import { quietLogger } from "../../src/quiet-logger.js";

let group: EmbeddedGroup;

beforeAll(async () => {
  group = await startEmbedded([0, 0, 0], { logger: quietLogger });
});

afterAll(async () => {
  await group.close();
});

/** What it prints. */
async function redisCli(replica: number, args: readonly string[], input?: string): Promise<string> {
  const child = spawn("redis-cli", ["-p", String(group.servers[replica]?.port), ...args], { stdio: ["pipe", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => { output += text; });
  child.stdin.end(input);
  await new Promise<void>((resolve, reject) => child.once("error", reject).once("close", () => resolve()));
  return output;
}

describe("redis-cli", () => {
  it("sets on one replica and gets on another", async () => {
    expect(await redisCli(0, ["set", "x", "1"])).toBe("OK\n");
    expect(await redisCli(2, ["get", "x"])).toBe("1\n");
  });

  it("works with RESP3", async () => {
    expect(await redisCli(0, ["-3", "get", "nosuch"])).toBe("\n");
    expect(await redisCli(0, ["-3", "client", "info"])).toContain("resp=3");
  });

  it("runs what is piped into it", async () => {
    expect(await redisCli(1, [], "set a 1\nincr a\nttl a\nnosuch\n")).toBe("OK\n2\n-1\nERR unknown command 'nosuch', with args beginning with: \n\n");
  });

  it("finds every key with --scan", async () => {
    await redisCli(0, ["mset", ...Array.from({ length: 100 }, (_, i) => [`scan:${i}`, "v"]).flat()]);
    const found = (await redisCli(1, ["--scan", "--pattern", "scan:*"])).trim().split("\n");
    expect(new Set(found).size).toBe(100);
    expect(found.length).toBe(100);
  });

  it("takes commands in bulk with --pipe", async () => {
    const commands = Array.from({ length: 1000 }, (_, i) => `*3\r\n$3\r\nSET\r\n$${`bulk:${i}`.length}\r\nbulk:${i}\r\n$1\r\nv\r\n`).join("");
    expect(await redisCli(2, ["--pipe"], commands)).toContain("errors: 0, replies: 1000");
  });

  it("shows with --stat numbers alone, and those that there are", async () => {
    const child = spawn("redis-cli", ["-p", String(group.servers[0]?.port), "--stat", "-i", "0.001"], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    for await (const text of child.stdout.setEncoding("utf8") as AsyncIterable<string>) {
      output += text;
      if (output.split("\n").length > 4) break;
    }
    child.kill("SIGKILL");
    // Keys, memory, clients, those blocked, requests and their growth, connections.
    expect(output.split("\n")[3]).toMatch(/^\d+ +[\d.]+M +\d+ +0 +\d+ \(\+\d+\) +\d+ *$/);
  });

  it("reads the command table's documentation", async () => {
    expect(await redisCli(0, ["command", "docs", "get"])).toContain("Get the value of a key");
  });
});
