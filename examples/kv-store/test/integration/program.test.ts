/** The program as people start it: what it says, how it stops. Runs what the build has made. */
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterEach, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.js";
import { killAll, portsOf, run, runOnWindows } from "../support/program.js";
import { RespClient } from "../support/resp-client.js";

afterEach(killAll);

describe("the program", () => {
  it.each(["SIGINT", "SIGTERM"] as const)("says what runs and what to type, serves it, and stops cleanly on %s", async (signal) => {
    const { child, output, ended } = run("--memory", "--port", "0");
    await eventually("it says that it runs", () => output.out.includes("Ctrl-C"));
    const ports = portsOf(output.out);
    expect(ports).toHaveLength(3);
    const [typed, thenTyped] = [...output.out.matchAll(/redis-cli -p (\d+) (.*)/g)].map((match) => ({ port: Number(match[1]), args: (match[2] ?? "").split(" ") }));
    const first = await RespClient.connect(typed?.port ?? 0);
    expect(await first.call(...(typed?.args ?? []))).toBe("+OK\r\n");
    const last = await RespClient.connect(thenTyped?.port ?? 0);
    expect(await last.call(...(thenTyped?.args ?? []))).toBe("$1\r\n1\r\n");
    child.kill(signal);
    expect(await ended).toBe(0);
    await Promise.all([first.closed, last.closed]);
    expect(output).toEqual({ out: expect.stringMatching(/Stopping\.\n$/) as unknown, err: "" });
  });

  it("stops cleanly on Windows when its console is closed (SIGHUP)", async () => {
    const { child, output, ended } = runOnWindows("--memory", "--port", "0");
    await eventually("it says that it runs", () => output.out.includes("Ctrl-C"));
    child.kill("SIGHUP");
    expect(await ended).toBe(0);
    expect(output).toEqual({ out: expect.stringMatching(/Stopping\.\n$/) as unknown, err: "" });
  });

  it("goes on when nobody reads what it says any more, and stops cleanly", async () => {
    const { child, output, ended } = run("--memory", "--port", "0");
    await eventually("it says that it runs", () => output.out.includes("Ctrl-C"));
    const client = await RespClient.connect(portsOf(output.out)[0] ?? 0);
    child.stdout.destroy();
    child.kill("SIGINT");
    expect({ code: await ended, err: output.err }).toEqual({ code: 0, err: "" });
    await client.closed;
  });

  it("serves ioredis and node-redis as they are, each on a replica of its own", async () => {
    const { child, output, ended } = run("--memory", "--port", "0");
    await eventually("it says that it runs", () => output.out.includes("Ctrl-C"));
    const [first = 0, , third = 0] = portsOf(output.out);
    const ioredis = new Redis(first, { retryStrategy: null });
    const nodeRedis = createClient({ socket: { port: third, reconnectStrategy: false } });
    await nodeRedis.connect();
    expect(await ioredis.set("x", "1", "EX", 100)).toBe("OK");
    expect(await nodeRedis.incrBy("x", 41)).toBe(42);
    expect(await ioredis.get("x")).toBe("42");
    expect(await nodeRedis.ttl("x")).toBeGreaterThan(0);
    await Promise.all([ioredis.quit(), nodeRedis.close()]);
    child.kill("SIGINT");
    expect(await ended).toBe(0);
  });

  it("says which port is taken and how to choose others", async () => {
    const other = createServer();
    await once(other.listen(0, "127.0.0.1"), "listening");
    const { port } = other.address() as AddressInfo;
    const { output, ended } = run("--memory", "--ports", `0,${port},0`);
    expect(await ended).toBe(1);
    expect(output.err).toContain(`Port ${port} of 127.0.0.1 is in use already`);
    expect(output.err).toContain("--ports 7001,7002,7003");
    other.close();
  });

  it("says that an address is not this machine's", async () => {
    const { output, ended } = run("--memory", "--host", "192.0.2.1", "--port", "0");
    expect(await ended).toBe(1);
    expect(output.err).toContain("192.0.2.1 is not an address of this machine");
  });

  it("refuses what it does not know, and explains itself when asked", async () => {
    const wrong = run("--prot", "1");
    expect(await wrong.ended).toBe(2);
    expect(wrong.output.err).toContain("See lockstep-kv --help");
    const help = run("--help");
    expect(await help.ended).toBe(0);
    expect(help.output.out).toContain("--reads HOW");
  });
});
