/** Debian's python3-consul, as it is, beside the service. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConsulGroup } from "../consul/consul-group.js";

/** That which Debian's packages are for. */
const python = "/usr/bin/python3";

let group: ConsulGroup;

beforeAll(async () => { group = await ConsulGroup.start(); });
afterAll(() => group.close());

describe("the Python client", () => {
  it("works with keys, sessions, locks, blocking queries and transactions, and goes on at another node when its own is dead", async () => {
    const child = spawn(python, [join(import.meta.dirname, "client.py"), ...[1, 2, 3].map((replica) => String(group.port(replica)))], { stdio: ["pipe", "pipe", "pipe"] });
    let errors = "";
    child.stderr.on("data", (chunk: Buffer) => { errors += chunk.toString(); });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once("close", resolve);
      child.once("error", reject);
    });
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (line !== "ready") continue;
      await group.group.servers[0]?.close();
      child.stdin.end("the first replica is dead\n");
    }
    expect({ code: await ended, errors }).toEqual({ code: 0, errors: "" });
    expect(lines).toEqual(["done keys", "done sessions", "done blocking", "done transactions", "done nodes", "ready", "done failover"]);
  });
});
