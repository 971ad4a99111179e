/** Members that come while the group works on: several at once, and with donors and joiners that die in the middle of a transfer. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "./support/eventually.js";
import { TestGroup, type TestOptions, type TestReplica } from "./support/test-group.js";

/** A snapshot of many small slices is needed, and sent one by one. */
const slow = { logRetentionBytes: 1, incrementalBytes: 1, snapshotSliceBytes: 40, inFlightChunks: 1 };
const keys = 2_000;

let directory: string;
let group: TestGroup;
let stopLoad: () => Promise<void>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lockstep-joining-"));
  group = new TestGroup(5);
  stopLoad = async () => undefined;
});
afterEach(async () => {
  await stopLoad();
  await group.stop();
  rmSync(directory, { recursive: true, force: true });
});

function start(nodeId: number, durability: "memory" | "disk"): Promise<TestReplica> {
  const options: TestOptions = durability === "disk" ? { durability, directory: join(directory, String(nodeId)), limits: slow } : { limits: slow };
  return group.start(nodeId, options);
}

/** All five with so many keys, and then the first three or four of them under load: how much they did, by key. Three with the state are needed. */
async function membersOfFive(count: 3 | 4, durability: "memory" | "disk") {
  const replicas = await Promise.all(group.network.nodes.map((nodeId) => start(nodeId, durability)));
  await Promise.all(replicas.map((replica) => replica.ready()));
  const [first] = replicas as [TestReplica, ...TestReplica[]];
  for (let n = 0; n < keys; n += 200) await Promise.all(Array.from({ length: 200 }, (_, i) => first.submit.add({ key: `key ${n + i}`, by: 1 })));
  await Promise.all(replicas.slice(count).map((replica) => replica.stop()));
  for (const nodeId of [4, 5].slice(count - 3)) rmSync(join(directory, String(nodeId)), { recursive: true, force: true });
  const done = new Map<string, number>();
  let going = true;
  const load = replicas.slice(0, count).map(async (replica, index) => {
    for (let n = 0; going; n++) {
      const key = `${index} ${n % 50}`;
      try {
        await replica.submit.add({ key, by: 1 });
        done.set(key, (done.get(key) ?? 0) + 1);
      } catch {
        return; // it was stopped
      }
    }
  });
  stopLoad = async () => {
    going = false;
    await Promise.all(load);
  };
  return { members: replicas.slice(0, count), done };
}

async function expectAlike(replicas: readonly TestReplica[], done: ReadonlyMap<string, number>): Promise<void> {
  await stopLoad();
  const [first] = replicas;
  const position = Math.max(...replicas.map((replica) => replica.inspect().positions.committed));
  await eventually(() => replicas.every((replica) => replica.inspect().positions.applied >= position), "all to apply the same");
  for (const replica of replicas) expect([...replica.state.values]).toEqual([...(first?.state.values ?? [])]);
  for (const [key, count] of done) expect(first?.state.values.get(key)).toBeGreaterThanOrEqual(count);
  expect([...(first?.state.values.keys({ prefix: "key " }) ?? [])].length).toBe(keys);
}

const given = (replica: TestReplica): number => replica.inspect().totals.transferBytesGiven;

describe.each(["memory", "disk"] as const)("members that join, with durability %s", (durability) => {
  it("get the state both at once, while the others work on", async () => {
    const { members, done } = await membersOfFive(3, durability);
    const joiners = await Promise.all([start(4, durability), start(5, durability)]);
    await Promise.all(joiners.map((joiner) => joiner.ready()));
    expect(done.size).toBeGreaterThan(0);
    for (const joiner of joiners) expect(joiner.inspect().totals.transferBytesTaken).toBeGreaterThan(10_000);
    await expectAlike([...members, ...joiners], done);
  });

  it("get it from another donor when theirs dies in the middle", async () => {
    const { members, done } = await membersOfFive(4, durability);
    const joiner = await start(5, durability);
    const before = members.map(given);
    await eventually(() => members.some((member, index) => given(member) > (before[index] ?? 0) + 500), "a transfer to begin");
    const donor = members.find((member, index) => given(member) > (before[index] ?? 0)) as TestReplica;
    expect(joiner.role).not.toBe("active");
    await donor.stop();
    await joiner.ready();
    const rest = members.filter((member) => member !== donor);
    expect(rest.reduce((sum, member) => sum + given(member), 0)).toBeGreaterThan(10_000);
    await expectAlike([...rest, joiner], done);
  });

  it("disturb nobody when they die in the middle, and get it when they come again", async () => {
    const { members, done } = await membersOfFive(3, durability);
    const dying = await start(4, durability);
    await eventually(() => dying.inspect().totals.transferBytesTaken > 500, "the transfer to begin");
    expect(dying.role).not.toBe("active");
    await dying.stop();
    const again = await start(4, durability);
    await again.ready();
    await expectAlike([...members, again], done);
  });
});
