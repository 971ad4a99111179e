/** Redis's own replies, to the byte, where there is no redis-server to compare with. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEmbedded, type EmbeddedGroup } from "../../src/index.js";
import { quietLogger } from "../../src/quiet-logger.js";
import { eventually } from "../support/eventually.js";
import { knownReplies } from "../support/known-replies.js";
import { RespClient } from "../support/resp-client.js";

let group: EmbeddedGroup;
let client: RespClient;

beforeAll(async () => {
  group = await startEmbedded([0, 0, 0], { logger: quietLogger });
  client = await RespClient.connect(group.servers[0]?.port ?? 0);
});

afterAll(async () => {
  client.destroy();
  await group.close();
});

describe("a server", () => {
  it("answers as redis-server does, results and errors", async () => {
    const replies = await client.pipeline(knownReplies.map(([request]) => request.split(" ")));
    expect(knownReplies.map(([request], i) => [request, replies[i]])).toEqual(knownReplies);
  });

  it("helps with the commands whose errors refer to HELP, and only with what it has", async () => {
    for (const command of ["CLIENT", "CONFIG", "COMMAND"]) {
      expect(await client.call(command, "NOSUCH")).toBe(`-ERR unknown subcommand 'NOSUCH'. Try ${command} HELP.\r\n`);
      const [, title, ...lines] = (await client.call(command, "HELP")).trimEnd().split("\r\n");
      expect(title).toBe(`+${command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`);
      const names = lines.filter((line) => !line.startsWith("+    ")).map((line) => line.slice(1));
      expect(names.length).toBeGreaterThan(1);
      for (const name of names) expect(await client.call(command, name), name).not.toContain("unknown subcommand");
    }
    expect(await client.call("CLIENT", "HELP", "x")).toBe("-ERR wrong number of arguments for 'client|help' command\r\n");
  });

  it("ends a key that was given milliseconds to live", async () => {
    expect(await client.call("SET", "brief", "1")).toBe("+OK\r\n");
    expect(await client.call("PEXPIRE", "brief", "30")).toBe(":1\r\n");
    await eventually("it has ended", async () => (await client.call("GET", "brief")) === "$-1\r\n");
    expect(await client.call("PTTL", "brief")).toBe(":-2\r\n");
  });
});
