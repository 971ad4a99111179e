/** Client processes that are stopped (SIGSTOP) past their lease. Runs what the build has made. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LockClient } from "../../src/client/index.js";
import { TestGroup } from "../support/group.js";

let group: TestGroup;
let child: ChildProcess;
let client: LockClient;

beforeEach(async () => {
  group = await TestGroup.start();
  const endpoints = [1, 2, 3].map((replica) => group.url(replica));
  client = new LockClient({ endpoints });
  child = spawn(process.execPath, [join(import.meta.dirname, "paused-client.mjs"), "4000", ...endpoints], { stdio: ["pipe", "pipe", "inherit"] });
});
afterEach(async () => {
  child.kill("SIGKILL");
  await client.close();
  await group.close();
});

describe("a client that was stopped past its lease", () => {
  it("looks at a signal that is aborted, whatever runs first when it wakes up, and goes on in a new session", async () => {
    const exited = once(child, "exit");
    const lines = createInterface({ input: child.stdout ?? expect.fail("no output") })[Symbol.asyncIterator]();
    const said = async (): Promise<unknown> => JSON.parse((await lines.next()).value ?? "null");
    expect(await said()).toEqual({ token: 1 });
    child.kill("SIGSTOP");
    const next = await client.acquire("x");
    child.stdin?.end("look\n");
    child.kill("SIGCONT");
    expect(await said()).toEqual({ aborted: true, reason: "LOCK_LOST", held: false });
    expect(next.held).toBe(true);
    expect(await said()).toEqual({ token: 3, sameSession: false });
    expect(await exited).toEqual([0, null]);
  });
});
