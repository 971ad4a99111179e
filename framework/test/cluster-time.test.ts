/** Cluster time in whole replicas whose clocks the test sets: what a lease can rely on. */
import { afterEach, describe, expect, it } from "vitest";
import type { Clock } from "../src/apply/cluster-clock.js";
import { createReplica } from "../src/create-replica.js";
import { defineMachine } from "../src/machine/define-machine.js";
import { MemoryNetwork, memory } from "../src/transport/memory/index.js";
import { eventually } from "./support/eventually.js";
import { quickLimits } from "./support/test-group.js";

const machine = defineMachine({
  name: "clock",
  version: 1,
  initialState: () => ({ asked: 0 }),
  commands: (command) => ({
    now: command((draft, _: null, context) => {
      draft.asked++;
      return context.now;
    }),
  }),
});

/** More than all that happens in a test takes, and far less than the time that passes at once. */
const aWhileMs = 60_000;
const anHourMs = 3_600_000;

class Group {
  readonly network = new MemoryNetwork({ nodes: [1, 2, 3] });
  #passedMs = 0;
  readonly #open: Replica[] = [];

  /** For all clocks: nothing happens meanwhile. */
  pass(ms: number): void {
    this.#passedMs += ms;
  }

  async start(nodeId: number): Promise<Replica> {
    const bootedMs = performance.now() + this.#passedMs;
    // A process begins anew with its monotonic clock, and nobody set the wall clock right.
    const clock: Clock = { monotonicMs: () => performance.now() + this.#passedMs - bootedMs, wallMs: () => 1_000_000 * nodeId };
    const replica = await open(this.network, nodeId, clock);
    this.#open.push(replica);
    return replica;
  }

  async startAll(): Promise<[Replica, Replica, Replica]> {
    const replicas = await Promise.all([this.start(1), this.start(2), this.start(3)]);
    await Promise.all(replicas.map((replica) => replica.ready()));
    return replicas;
  }

  async stop(): Promise<void> {
    for (const node of this.network.nodes) this.network.resume(node);
    await Promise.all(this.#open.map((replica) => replica.stop()));
  }
}

type Replica = Awaited<ReturnType<typeof open>>;

async function open(network: MemoryNetwork, nodeId: number, clock: Clock) {
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  return createReplica(machine, { group: "clock", transport: memory({ network, nodeId }), logger: silent, limits: quickLimits, provide: { clock: () => clock } });
}

const group = { current: new Group() };

afterEach(async () => {
  await group.current.stop();
  group.current = new Group();
});

describe("cluster time", () => {
  it("is known to a replica that was started anew in a group that did nothing for an hour", async () => {
    const { current } = group;
    const [first, , third] = await current.startAll();
    const before = await first.submit.now(null);
    current.pass(anHourMs);
    await third.stop();
    const again = await current.start(3);
    await again.ready();
    const there = await again.submit.now(null);
    expect(there).toBeGreaterThanOrEqual(before + anHourMs);
    expect(await first.submit.now(null)).toBeLessThan(there + aWhileMs);
  });

  it("stands still while there is no quorum, and goes on alike for all", async () => {
    const { current } = group;
    const replicas = await current.startAll();
    const before = await replicas[0].submit.now(null);
    current.network.cut([[1], [2], [3]]);
    await eventually(() => replicas.every(({ role }) => role === "minority"), "nobody has a quorum");
    current.pass(anHourMs);
    expect(replicas.every((replica) => (replica.inspect().now ?? 0) < before + aWhileMs)).toBe(true);
    current.network.heal();
    await Promise.all(replicas.map((replica) => replica.ready()));
    const after = await Promise.all(replicas.map((replica) => replica.submit.now(null)));
    for (const each of after) expect(each - before).toBeLessThan(aWhileMs);
    current.pass(anHourMs);
    expect(await replicas[1].submit.now(null)).toBeGreaterThanOrEqual(before + anHourMs);
  });

  it("is not moved by a command of one that did not hear that time stood still", async () => {
    const { current } = group;
    const [first, second, third] = await current.startAll();
    const before = await first.submit.now(null);
    current.network.pause(1);
    current.network.cut([[1], [2], [3]]);
    await eventually(() => second.role === "minority" && third.role === "minority", "the others have no quorum");
    current.pass(anHourMs);
    const late = first.submit.now(null, { timeoutMs: 10 * anHourMs });
    current.network.cut([[1], [2, 3]]);
    await Promise.all([second.ready(), third.ready()]);
    expect(await second.submit.now(null)).toBeLessThan(before + aWhileMs);
    current.network.resume(1);
    current.network.heal();
    expect(await late).toBeLessThan(before + aWhileMs);
  });

  it("goes on from where the only one that remembers it saw it stand", async () => {
    const { current } = group;
    const [first, second, third] = await current.startAll();
    const before = await first.submit.now(null);
    current.pass(anHourMs);
    await Promise.all([second.stop(), third.stop()]);
    await eventually(() => first.role === "minority", "the quorum is lost");
    current.pass(anHourMs);
    const again = await Promise.all([current.start(2), current.start(3)]);
    await Promise.all(again.map((replica) => replica.ready()));
    const after = await again[0].submit.now(null);
    expect(after).toBeGreaterThanOrEqual(before + anHourMs);
    expect(after).toBeLessThan(before + anHourMs + aWhileMs);
  });
});
