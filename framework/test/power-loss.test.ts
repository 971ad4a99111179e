/** The power fails at every write of three disks, one after the other: what was acknowledged is there, and nothing is there twice. */
import { afterEach, describe, expect, it } from "vitest";
import { openLogStore } from "../src/log/log-store.js";
import type { Backend, Change, OpenStore } from "../src/log/store.js";
import { TestGroup, type TestReplica } from "./support/test-group.js";

const nodes = [1, 2, 3];
const commands = 12;
/** Small enough for snapshots to be begun, finished and replaced within a dozen commands. */
const limits = { snapshotLogBytes: 300, snapshotSliceBytes: 100, logRetentionBytes: 1 };

/** What three disks share: the writes of all are counted, and at one of them everything stands still. */
class Supply {
  readonly #failsAt: number;
  readonly #lastIsThere: boolean;
  readonly #disks = new Map<number, Map<string, Uint8Array>>(nodes.map((node) => [node, new Map<string, Uint8Array>()]));
  writes = 0;
  readonly failure: Promise<void>;
  #failed!: () => void;

  constructor(failsAt: number, lastIsThere: boolean) {
    this.#failsAt = failsAt;
    this.#lastIsThere = lastIsThere;
    this.failure = new Promise((resolve) => { this.#failed = resolve; });
  }

  openStore(node: number, works: boolean): OpenStore {
    const disk = this.#disks.get(node) ?? new Map<string, Uint8Array>();
    const between = (from: string, to: string): string[] => Array.from(disk.keys()).filter((key) => key >= from && key < to).sort();
    const backend: Backend = {
      get: (key) => disk.get(key),
      range: (from, to) => between(from, to).map((key) => ({ key, value: disk.get(key) ?? new Uint8Array() })),
      keys: (from, to, limit) => between(from, to).slice(0, limit),
      commit: (changes) => (works ? this.#write(disk, changes) : this.#count(disk, changes)),
      close: async () => undefined,
    };
    return (identity) => Promise.resolve(openLogStore(backend, identity));
  }

  /** A disk takes its time: when the power fails, there is something on the way to each. */
  async #count(disk: Map<string, Uint8Array>, given: readonly Change[]): Promise<void> {
    const changes = given.map((change) => (change.type === "put" ? { ...change, value: Uint8Array.from(change.value) } : change));
    for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => { setImmediate(resolve); });
    this.writes++;
    if (this.writes < this.#failsAt) return this.#write(disk, changes);
    if (this.writes === this.#failsAt && this.#lastIsThere) void this.#write(disk, changes);
    this.#failed();
    return new Promise(() => undefined);
  }

  async #write(disk: Map<string, Uint8Array>, changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      if (change.type === "put") disk.set(change.key, change.value);
      else for (const key of Array.from(disk.keys())) if (change.type === "remove" ? key === change.key : key >= change.from && key < change.to) disk.delete(key);
    }
  }
}

const open: TestGroup[] = [];
afterEach(async () => { await Promise.all(open.splice(0).map((group) => group.stop())); });

function start(supply: Supply, works: boolean): Promise<TestReplica[]> {
  const group = new TestGroup(nodes.length);
  open.push(group);
  return Promise.all(nodes.map((node) => group.start(node, { limits, provide: { openStore: () => supply.openStore(node, works) } })));
}

/** @returns how many commands were answered before everything stood still. */
async function workUntilFailure(supply: Supply): Promise<number> {
  const replicas = await start(supply, false);
  let answered = 0;
  const work = async (): Promise<void> => {
    await Promise.all(replicas.map((replica) => replica.ready()));
    for (let n = 0; n < commands; n++) {
      await replicas[n % replicas.length]?.submit.add({ key: "x", by: 1 }, { requestId: `r${n}` });
      answered++;
    }
  };
  await Promise.race([work(), supply.failure]);
  const [group] = open.splice(-1);
  await group?.stop();
  return answered;
}

async function checkBoundary(failsAt: number, lastIsThere: boolean): Promise<void> {
  const supply = new Supply(failsAt, lastIsThere);
  const answered = await workUntilFailure(supply);
  const replicas = await start(supply, true);
  await Promise.all(replicas.map((replica) => replica.ready()));
  const where = `power loss at write ${failsAt}, which is ${lastIsThere ? "" : "not "}there`;
  const found = await replicas[0]?.query.total("x", { consistency: "linearizable" }) ?? 0;
  expect(found, where).toBeGreaterThanOrEqual(answered);
  for (let n = 0; n < commands; n++) await replicas[1]?.submit.add({ key: "x", by: 1 }, { requestId: `r${n}` });
  expect(await replicas[2]?.query.total("x", { consistency: "linearizable" }), `${where}: each request once`).toBe(commands);
  const [group] = open.splice(-1);
  await group?.stop();
}

describe("a loss of power everywhere", () => {
  it("at any write of any disk loses nothing that was acknowledged, and does nothing twice", async () => {
    const whole = new Supply(Number.POSITIVE_INFINITY, false);
    expect(await workUntilFailure(whole)).toBe(commands);
    expect(whole.writes, "snapshots and log are written").toBeGreaterThan(3 * commands);
    for (let failsAt = 1; failsAt <= whole.writes; failsAt++) {
      for (const lastIsThere of [false, true]) await checkBoundary(failsAt, lastIsThere);
    }
  });
});
