/** What is on disk when the program has ended, however it ended; and which directories it refuses. */
import { cp, mkdtemp, readdir, readFile, rename, rm, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.js";
import { killAll, run, runIn, serving, type Run } from "../support/program.js";

let scratch: string;
let data: string;
let clients: Redis[] = [];

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "lockstep-kv-test-"));
  data = join(scratch, "data");
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await killAll();
  await rm(scratch, { recursive: true });
});

/** One client for each replica. Commands that are not answered fail when the program ends. */
async function connect(program: Run): Promise<readonly Redis[]> {
  const ports = await serving(program);
  clients = ports.map((port) => new Redis(port, { retryStrategy: null, maxRetriesPerRequest: 0 }));
  for (const client of clients) client.on("error", () => undefined); // the commands say so, too
  return clients;
}

function start(...args: string[]): Run {
  return run("--port", "0", "--data", data, ...args);
}

async function stop(program: Run, signal: "SIGINT" | "SIGKILL"): Promise<number | string | null> {
  program.child.kill(signal);
  return program.ended;
}

/** Writes something, as often as told one after the other, and stops. */
async function makeData(times = 1): Promise<void> {
  const program = start();
  const [first] = await connect(program);
  for (let i = 1; i < times; i++) await first?.set("a", String(i));
  await first?.mset("a", "1", "b", "2");
  expect(await stop(program, "SIGINT")).toBe(0);
}

/** Starts, and expects what makeData() wrote, from every replica. */
async function expectData(): Promise<void> {
  for (const replica of await connect(start())) expect(await replica.mget("a", "b")).toEqual(["1", "2"]);
}

/** Starts, and expects that it says why it does not. */
async function refusal(...args: string[]): Promise<string> {
  const { ended, output } = run("--data", data, ...args);
  expect(await ended, output.err).toBe(1);
  expect(output.out).toBe("");
  return output.err;
}

async function contents(directory: string): Promise<ReadonlyMap<string, string>> {
  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  const names = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name)).sort();
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(name, "latin1")] as const)));
}

const storeOf = (replica: number): string => join(data, `replica-${replica}`);

describe("the data", () => {
  it("is there again after Ctrl-C, for every replica", async () => {
    const first = start();
    const [one] = await connect(first);
    await one?.mset("a", "1", "b", "2");
    await one?.incrby("n", 41);
    expect(await one?.config("GET", "appendonly")).toEqual(["appendonly", "yes"]);
    expect(await stop(first, "SIGINT")).toBe(0);
    const second = start();
    const replicas = await connect(second);
    expect(second.output.out).toContain(`Data is kept in ${data}, which has 3 keys.`);
    for (const replica of replicas) expect(await replica.mget("a", "b", "n")).toEqual(["1", "2", "41"]);
    expect(await replicas[2]?.incr("n")).toBe(42);
    expect(await stop(second, "SIGINT")).toBe(0);
    expect(second.output.err).toBe("");
  });

  it("has everything that was answered when the program was killed while it wrote, again and again", async () => {
    const written: string[] = [];
    const counted = { answered: 0, sent: 0 };
    for (let round = 0; round < 5; round++) {
      const program = start();
      const replicas = await connect(program);
      await expectAll(replicas[round % 3], written, counted);
      const enough = written.length + 200 * (round + 1);
      const writing = replicas.map((replica, i) => writeUntilKilled(replica, `${round}:${i}`, written, counted));
      await eventually("enough is written", () => written.length >= enough);
      expect(await stop(program, "SIGKILL")).toBe("SIGKILL");
      await Promise.all(writing);
    }
    const [last] = await connect(start());
    await expectAll(last, written, counted);
    expect(written.length).toBeGreaterThanOrEqual(3000);
  });

  it("is kept in the current directory if nothing else is asked for", async () => {
    const program = runIn(scratch, "--port", "0");
    await serving(program);
    expect(program.output.out).toContain(`Data is kept in ${join(scratch, "lockstep-kv-data")}, which has 0 keys.`);
    expect(program.output.out).toContain(`rm -r ${join(scratch, "lockstep-kv-data")}`);
    expect((await readdir(join(scratch, "lockstep-kv-data"))).sort()).toEqual(["lockstep-kv.json", "replica-1", "replica-2", "replica-3"]);
  });

  it("is gone with the process with --memory, which leaves no file behind", async () => {
    for (let round = 0; round < 2; round++) {
      const program = runIn(scratch, "--memory", "--port", "0");
      const [first] = await connect(program);
      expect(program.output.out).toContain("Data is held in memory, and gone when this process ends.");
      expect(await first?.set("a", "1", "GET")).toBeNull();
      expect(await stop(program, "SIGINT")).toBe(0);
    }
    expect(await readdir(scratch)).toEqual([]);
  });

  it("knows which keys have ended, and when the others will", async () => {
    const first = start();
    const [one] = await connect(first);
    await one?.set("long", "1", "EX", 1000);
    await one?.set("short", "1", "PX", 1);
    await eventually("the short one is gone", async () => (await one?.exists("short")) === 0);
    expect(await stop(first, "SIGKILL")).toBe("SIGKILL");
    const [again] = await connect(start());
    expect(await again?.ttl("long")).toBeGreaterThan(900);
    expect(await again?.ttl("long")).toBeLessThanOrEqual(1000);
    expect(await again?.exists("short")).toBe(0);
    await again?.pexpire("long", 20);
    await eventually("the long one ends, too", async () => (await again?.exists("long")) === 0);
  });
});

describe("a directory", () => {
  it("that a running program uses is refused, and the one that runs goes on", async () => {
    const running = start();
    const [first] = await connect(running);
    await first?.set("a", "1");
    const second = start();
    expect(await second.ended).toBe(1);
    expect(second.output.err).toMatch(/data is in use by another process.*Stop that one, or choose another directory with --data/);
    expect(await first?.incr("a")).toBe(2);
    expect(await stop(running, "SIGINT")).toBe(0);
  });

  it("of another group, or another number of replicas, is refused before anything is touched", async () => {
    await makeData();
    const before = await contents(data);
    expect(await refusal("--port", "0", "--group", "other")).toMatch(/holds the data of group lockstep-kv/);
    expect(await refusal("--ports", "0,0,0,0,0")).toMatch(/made with 3 replicas, and their number cannot change: this start asks for 5/);
    expect(await contents(data)).toEqual(before);
  });

  it("is not begun if the ports cannot be had", async () => {
    const other = run("--memory", "--port", "0");
    const [taken] = await serving(other);
    const program = run("--ports", `0,${taken},0`, "--data", data);
    expect(await program.ended).toBe(1);
    await expect(stat(data)).rejects.toThrow(/ENOENT/);
  });

  it.each([
    ["within its first page", () => 100],
    ["to its first page", () => 4096],
    ["to its half", (size: number) => Math.floor(size / 2)],
  ])("in which a replica's file was cut %s is refused with the way out, which leads out", async (_where, cut) => {
    await makeData(300);
    const file = join(storeOf(2), "data.mdb");
    await truncate(file, cut((await stat(file)).size));
    const told = await refusal("--port", "0");
    expect(told).toContain(`Replica 2 of 3, in ${storeOf(2)}: `);
    expect(told).toContain(`The other replicas have everything. Here:\n  mv ${storeOf(2)} ${storeOf(2)}.damaged\n`);
    await rename(storeOf(2), `${storeOf(2)}.damaged`);
    await expectData();
  });

  it("in which a majority is damaged is refused, and nobody is told that the rest has everything", async () => {
    await makeData();
    for (const replica of [1, 3]) await truncate(join(storeOf(replica), "data.mdb"), 4096);
    const told = await refusal("--port", "0");
    expect(told).toContain(`Replica 1 of 3, in ${storeOf(1)}: `);
    expect(told).toContain(`Replica 3 of 3, in ${storeOf(3)}: `);
    expect(told).toContain(`Too few replicas are left for that: bring the data back from a backup, or begin without it.\n  mv ${data} ${data}.damaged\n`);
  });

  it("in which one replica's data is missing gets it from the others", async () => {
    await makeData();
    await rm(storeOf(1), { recursive: true });
    await expectData();
  });

  it("in which a majority is missing is refused instead of waiting for what nobody has, and good again when it is back", async () => {
    await makeData();
    await cp(data, `${data}.backup`, { recursive: true });
    for (const replica of [1, 2]) await rm(storeOf(replica), { recursive: true });
    expect(await refusal("--port", "0")).toContain("The replicas cannot go on: ");
    await rm(data, { recursive: true });
    await rename(`${data}.backup`, data);
    await expectData();
  });

  it("in which two replicas have changed places is refused, and good again when they are back", async () => {
    await makeData();
    await swap(storeOf(1), storeOf(2));
    const told = await refusal("--port", "0");
    expect(told).toMatch(/Replica 1 of 3, in .*: .*of node 2, not 1/);
    expect(told).toMatch(/Replica 2 of 3, in .*: .*of node 1, not 2/);
    await swap(storeOf(1), storeOf(2));
    await expectData();
  });
});

async function swap(one: string, two: string): Promise<void> {
  await rename(one, `${one}.moved`);
  await rename(two, one);
  await rename(`${one}.moved`, two);
}

/** Single keys and a counter, several at a time; notes what was answered. */
async function writeUntilKilled(redis: Redis, name: string, written: string[], counted: { answered: number; sent: number }): Promise<void> {
  const write = async (lane: number): Promise<void> => {
    for (let i = 0; ; i++) {
      const key = `${name}:${lane}:${i}`;
      counted.sent += 1;
      const answers = [redis.set(key, `value of ${key}`), redis.incr("counter")] as const;
      const [set, increment] = await Promise.allSettled(answers);
      if (set.status === "fulfilled") written.push(key);
      if (increment.status === "fulfilled") counted.answered += 1;
      else return;
    }
  };
  await Promise.all([0, 1, 2, 3].map(write));
}

async function expectAll(redis: Redis | undefined, written: readonly string[], counted: { readonly answered: number; readonly sent: number }): Promise<void> {
  if (redis === undefined || written.length === 0) return;
  const values = await redis.mget(...written);
  expect(values.flatMap((value, i) => (value === `value of ${written[i]}` ? [] : [{ key: written[i], value }]))).toEqual([]);
  const counter = Number(await redis.get("counter"));
  expect(counter).toBeGreaterThanOrEqual(counted.answered);
  expect(counter).toBeLessThanOrEqual(counted.sent);
}
