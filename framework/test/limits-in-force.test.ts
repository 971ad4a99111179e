/** Limits that hold where a call says nothing: how long an answer may take, and how many events are kept. */
import { afterEach, describe, expect, it } from "vitest";
import type { ReplicaEvent } from "../src/replica-api.js";
import { eventually } from "./support/eventually.js";
import { TestGroup, type TestReplica } from "./support/test-group.js";

let group: TestGroup;

afterEach(async () => { await group.stop(); });

async function three(limits: Parameters<TestGroup["startAll"]>[0]): Promise<[TestReplica, TestReplica, TestReplica]> {
  group = new TestGroup(3);
  return (await group.startAll(limits)) as [TestReplica, TestReplica, TestReplica];
}

describe("limits.answerTimeoutMs", () => {
  // Nobody takes the others' silence for their end meanwhile.
  const limits = { answerTimeoutMs: 100, silenceTimeoutMs: 60_000 };
  /** Must still be waiting when the others end. */
  const ofItsOwn = { timeoutMs: 10_000 };

  it("ends what was sent and nobody commits as unknown; a call that has a time of its own waits on", async () => {
    const [first, second] = await three({ limits });
    await first.submit.echo("the group has a time", { timeoutMs: 60_000 });
    group.network.pause(2);
    group.network.pause(3);
    const patient = first.submit.add({ key: "x", by: 1 }, ofItsOwn);
    const sent = first.submit.add({ key: "x", by: 10 });
    const read = first.query.total("x", { consistency: "linearizable" });
    await expect(sent).rejects.toMatchObject({ code: "UNKNOWN_OUTCOME", outcome: "unknown", message: expect.stringContaining("timeoutMs passed after the command was sent") as string });
    await expect(read).rejects.toMatchObject({ code: "STALE_READ", message: expect.stringContaining("timeoutMs passed") as string });
    expect(first.role).toBe("active");
    group.network.resume(2);
    group.network.resume(3);
    expect(await patient).toBe(1);
    // Sent is sent: it went in the same batch.
    await eventually(() => second.state.values.get("x") === 11, "both have taken effect");
  });

  it("ends what could not be sent as certainly not done", async () => {
    const [first, second] = await three({ limits });
    await first.submit.echo("the group has a time", { timeoutMs: 60_000 });
    group.network.pause(2);
    group.network.kill(3);
    await eventually(() => first.role === "changing", "it waits for the second to agree on the members");
    const patient = first.submit.add({ key: "x", by: 10 }, ofItsOwn);
    await expect(first.submit.add({ key: "x", by: 1 })).rejects.toMatchObject({ code: "TIMED_OUT", outcome: "none", message: expect.stringContaining("timeoutMs passed before the command was sent") as string });
    expect(first.role).toBe("changing");
    group.network.resume(2);
    expect(await patient).toBe(10);
    await eventually(() => second.state.values.get("x") === 10, "the one that waited has taken effect, and the other has not");
  });
});

describe("limits.pendingSubmissions", () => {
  it("bounds the reads that wait where nothing commits, each sent in an entry of its own", async () => {
    const [first] = await three({ limits: { pendingSubmissions: 5, silenceTimeoutMs: 60_000, answerTimeoutMs: 60_000 } });
    await first.submit.echo("the group has a time");
    group.network.pause(2);
    group.network.pause(3);
    const reads: Promise<number>[] = [];
    for (let i = 0; i < 5; i++) {
      const { end } = first.inspect().positions;
      reads.push(first.query.total("x", { consistency: "linearizable" }));
      await eventually(() => first.inspect().positions.end > end, "it is sent, and has come back");
    }
    await expect(first.query.total("x", { consistency: "linearizable" })).rejects.toMatchObject({ code: "QUEUE_FULL", outcome: "none", message: expect.stringContaining("limits.pendingSubmissions") as string });
    group.network.resume(2);
    group.network.resume(3);
    expect(await Promise.all(reads)).toEqual([0, 0, 0, 0, 0]);
    expect(await first.query.total("x", { consistency: "linearizable" })).toBe(0);
  });
});

describe("limits.eventEntries", () => {
  it("bounds the events that are kept: older ones are refused, the newest are all there", async () => {
    const eventEntries = 10;
    const entries = 50;
    const [first] = await three({ limits: { eventEntries } });
    const positions: number[] = [];
    for (let by = 1; by <= entries; by++) {
      await first.submit.add({ key: "x", by });
      positions.push(first.inspect().positions.applied);
    }
    const [oldest = 0] = positions;
    await expect(first.events({ from: oldest }).next()).rejects.toMatchObject({ code: "EVENTS_TRIMMED", outcome: "n/a" });
    // No more than twice as many are kept, and at least as many as were asked for.
    await expect(first.events({ from: positions.at(-1 - 2 * eventEntries) ?? 0 }).next()).rejects.toMatchObject({ code: "EVENTS_TRIMMED" });
    const newest: ReplicaEvent[] = [];
    for await (const event of first.events({ from: positions.at(-eventEntries) ?? 0 })) if (newest.push(event) === eventEntries) break;
    expect(newest.map(({ position, input }) => [position, input])).toEqual(positions.map((position, index) => [position, { key: "x", by: index + 1 }]).slice(-eventEntries));
  });

  it("is not reached where eventBytes is before it", async () => {
    const [first] = await three({ limits: { eventEntries: 1_000, eventBytes: 10_000 } });
    await first.submit.echo("the first");
    const from = first.inspect().positions.applied;
    for (let i = 0; i < 20; i++) await first.submit.echo("x".repeat(1_000));
    await expect(first.events({ from }).next()).rejects.toMatchObject({ code: "EVENTS_TRIMMED" });
    const { applied } = first.inspect().positions;
    expect((await first.events({ from: applied - 3 }).next()).value).toMatchObject({ position: applied - 3, command: "echo" });
  });

  it("ends a reader that falls behind by more than is kept", async () => {
    const [first] = await three({ limits: { eventEntries: 10 } });
    await first.submit.add({ key: "x", by: 1 });
    const reader = first.events({ from: first.inspect().positions.applied });
    expect((await reader.next()).value).toMatchObject({ command: "add", input: { key: "x", by: 1 } });
    for (let by = 2; by <= 50; by++) await first.submit.add({ key: "x", by });
    await expect(reader.next()).rejects.toMatchObject({ code: "EVENTS_TRIMMED" });
  });
});
