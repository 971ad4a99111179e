/** `lockstep-lock serve` as people start it: what it says, what it keeps, how it stops, what it refuses. Runs what the build has made. */
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.js";
import { killAll, run, serving } from "../support/program.js";

let scratch: string;

beforeEach(async () => { scratch = await mkdtemp(join(tmpdir(), "lockstep-lock-test-")); });
afterEach(async () => {
  await killAll();
  await rm(scratch, { recursive: true });
});

async function call(method: string, url: string, body?: unknown, token?: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const headers = { ...(body === undefined ? {} : { "content-type": "application/json" }), ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
  const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

describe("serve", () => {
  it.each(["SIGINT", "SIGTERM"] as const)("says what runs and what to type, does what it says, and stops cleanly on %s", async (signal) => {
    const { child, output, ended } = run(["serve", "--memory", "--port", "0"]);
    const urls = await serving({ child, output, ended });
    expect(urls).toHaveLength(3);
    const typed = [...output.out.matchAll(/curl -s(?: -X (\w+))? (http\S+?)\)?(?: -H '[^']*' -d '([^']*)')?(?: \|.*)?$/gm)].map(([, method = "GET", url = "", body]) => ({ method, url, body }));
    expect(typed).toHaveLength(4);
    let session = "";
    const statuses: number[] = [];
    for (const { method, url, body } of typed) {
      const answer = await call(method, url.replace("$S", session), body === undefined ? undefined : JSON.parse(body));
      statuses.push(answer.status);
      session = (answer.body["session"] as string | undefined) ?? session;
    }
    expect(statuses).toEqual([201, 200, 200, 200]);
    child.kill(signal);
    expect(await ended).toBe(0);
    expect(output).toEqual({ out: expect.stringMatching(/Stopping\.\n$/) as unknown, err: "" });
  });

  it("goes on when nobody reads what it says any more, and stops cleanly", async () => {
    const { child, output, ended } = run(["serve", "--memory", "--port", "0"]);
    const [url] = await serving({ child, output, ended });
    child.stdout?.destroy();
    child.kill("SIGHUP");
    expect((await call("POST", `${url}/v1/sessions`)).status).toBe(201);
    child.kill("SIGINT");
    expect({ code: await ended, err: output.err }).toEqual({ code: 0, err: "" });
  });

  it("keeps everything that was answered, however it ends, in the current directory unless told otherwise", async () => {
    const first = run(["serve", "--port", "0"], scratch);
    const [one = ""] = await serving(first);
    expect(first.output.out).toContain(`Data is kept in ${join(scratch, "lockstep-lock-data")}.`);
    const session = (await call("POST", `${one}/v1/sessions`, { ttlMs: 3_600_000 })).body["session"] as string;
    const { token } = (await call("PUT", `${one}/v1/sessions/${session}/requests/r`, { locks: [{ lock: "x" }] })).body;
    first.child.kill("SIGKILL");
    await first.ended;
    const second = run(["serve", "--port", "0"], scratch);
    for (const url of await serving(second)) expect((await call("GET", `${url}/v1/locks/x/check?token=${String(token)}`)).status).toBe(200);
    expect((await readdir(join(scratch, "lockstep-lock-data"))).sort()).toEqual(["replica-1", "replica-2", "replica-3"]);
    const third = run(["serve", "--port", "0"], scratch);
    expect(await third.ended).toBe(1);
    expect(third.output.err).toMatch(/lockstep-lock-data\/replica-1 is in use by another process/);
    second.child.kill("SIGINT");
    expect(await second.ended).toBe(0);
    const fourth = run(["serve", "--ports", "0,0,0,0,0"], scratch);
    expect(await fourth.ended).toBe(1);
    expect(fourth.output.err).toMatch(/slots 1, 2, 3, not 1, 2, 3, 4, 5[\s\S]*Start as it was made, or choose another directory with --data/);
  });

  it("asks for tokens, reads them again on SIGHUP, and keeps the old ones when the new are wrong", async () => {
    const file = join(scratch, "auth.json");
    const [old, young] = ["old-0123456789abcdef", "young-0123456789abcdef"];
    const entry = (token: string): string => JSON.stringify({ tokens: [{ name: "a", token, permissions: [{ prefix: "", allow: ["lock"] }] }] });
    await writeFile(file, entry(old));
    const running = run(["serve", "--memory", "--port", "0", "--auth", file]);
    const [one = ""] = await serving(running);
    const open = async (token?: string): Promise<number> => (await call("POST", `${one}/v1/sessions`, undefined, token)).status;
    expect([await open(), await open(young), await open(old)]).toEqual([401, 401, 201]);
    await writeFile(file, `${entry(young)}}`);
    running.child.kill("SIGHUP");
    await eventually("it says what is wrong", () => running.output.err.includes("What was in use before stays in use."));
    expect(running.output.err).toContain(`The authentication file ${file} cannot be used`);
    expect([await open(young), await open(old)]).toEqual([401, 201]);
    await writeFile(file, entry(young));
    running.child.kill("SIGHUP");
    await eventually("it has read them again", () => running.output.out.includes("were read again"));
    expect([await open(young), await open(old)]).toEqual([201, 401]);
  });

  it("says so when everybody who reaches it may do everything", async () => {
    const open = run(["serve", "--memory", "--port", "0", "--host", "0.0.0.0"]);
    await serving(open);
    await eventually("it warns", () => open.output.out.includes("without --auth, whoever reaches 0.0.0.0 can take and release every lock"));
  });

  it.each([
    [["serve", "--prot", "1"], 2, /--prot[\s\S]*See lockstep-lock serve --help/],
    [["srve"], 2, /there is no command "srve"/],
    [["serve", "--memory", "--port", "0", "--host", "192.0.2.1"], 1, /192\.0\.2\.1 is not an address of this machine/],
    [["serve", "--memory", "--port", "0", "--auth", "/nowhere/auth.json"], 1, /\/nowhere\/auth\.json cannot be used: ENOENT/],
    [["serve", "--memory", "--port", "0", "--tls-cert", "/nowhere/c.pem", "--tls-key", "/nowhere/k.pem"], 1, /--tls-cert \/nowhere\/c\.pem cannot be read: ENOENT/],
    [["serve", "--port", "0", "--data", "/proc/locks"], 1, /\/proc\/locks/],
  ])("%j is refused with code %i", async (args, code, message) => {
    const { ended, output } = run(args, scratch);
    expect(await ended).toBe(code);
    expect(output.err).toMatch(message);
    expect(await readdir(scratch)).toEqual([]);
  });

  it("says which port is taken and how to choose others", async () => {
    const other = createServer();
    await once(other.listen(0, "127.0.0.1"), "listening");
    const { port } = other.address() as AddressInfo;
    const { output, ended } = run(["serve", "--memory", "--ports", `0,${port},0`]);
    expect(await ended).toBe(1);
    expect(output.err).toContain(`Port ${port} of 127.0.0.1 is in use already`);
    other.close();
  });

  it("explains itself when asked", async () => {
    for (const [args, text] of [[["--help"], "lockstep-lock serve     run the service"], [["serve", "--help"], "--tls-cert FILE"], [["--version"], "lockstep-lock 0.1.0"]] as const) {
      const { ended, output } = run(args);
      expect(await ended).toBe(0);
      expect(output.out).toContain(text);
    }
  });
});
