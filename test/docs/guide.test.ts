/** docs/guide.md, run: its code is this code. Three replicas in this process, with the faults that a network can have. */
import { MemoryNetwork, corosync, createReplica, defineMachine, isLockstepError, memory, rejectionOf, type Clock, type ReplicaEvent, type StateOf } from "@lockstep/framework";
import { simulate, type Random } from "@lockstep/framework/testing";
import { afterEach, describe, expect, it } from "vitest";
import { stock } from "./examples/stock.js";

type StockReplica = Awaited<ReturnType<typeof startReplica>>;
let running: StockReplica[] = [];

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function startReplica(network: MemoryNetwork, nodeId: number) {
  return createReplica(stock, { group: "stock", transport: memory({ network, nodeId }), checkDeterminism: true, logger: quiet });
}

async function startThree(): Promise<{ network: MemoryNetwork; one: StockReplica; two: StockReplica; three: StockReplica }> {
  const network = new MemoryNetwork({ nodes: 3 });
  const [one, two, three] = await Promise.all([startReplica(network, 1), startReplica(network, 2), startReplica(network, 3)]);
  running = [one, two, three];
  await Promise.all(running.map((replica) => replica.ready()));
  return { network, one, two, three };
}

afterEach(async () => {
  await Promise.all(running.map((replica) => replica.stop()));
  running = [];
});

function counterThatAdds(step: number) {
  return defineMachine({
    name: "counter",
    version: 1,
    initialState: () => ({ count: 0 }),
    commands: (command) => ({
      add: command((draft) => {
        draft.count += step;
      }),
      look: command((draft) => draft.count),
    }),
    queries: { count: (state) => state.count },
  });
}

function becomes(replica: StockReplica, role: StockReplica["role"]): Promise<void> {
  return new Promise((resolve) => {
    const end = replica.onRoleChange((now) => {
      if (now !== role) return;
      end();
      resolve();
    });
    if (replica.role === role) {
      end();
      resolve();
    }
  });
}

describe("the guide", () => {
  it("submits through one replica and reads from another", async () => {
    const { one: replica, three } = await startThree();
    const total = await replica.submit.receive({ sku: "lamp", count: 10 });
    expect(total).toBe(10);
    expect(await three.query.left("lamp", { consistency: "linearizable" })).toBe(10);
    expect(await three.query.skus("la")).toEqual(["lamp"]);

    const left = await replica.query.left("lamp"); // at once, from what is applied here
    const surely = await replica.query.left("lamp", { consistency: "linearizable" });
    const state: StateOf<typeof stock> = replica.state; // immutable; the same as queries see
    expect([left, surely, state.items.get("lamp")]).toEqual([10, 10, 10]);
    expect(state.replicas).toEqual([1, 2, 3]);
  });

  it("refuses input that the schema refuses, before anything is sent", async () => {
    const { one } = await startThree();
    await expect(one.submit.receive({ sku: "lamp", count: -1 })).rejects.toMatchObject({ code: "INVALID_INPUT", outcome: "none" });
  });

  it("tells refusals, certain failures and unknown outcomes apart", async () => {
    const { one: replica } = await startThree();
    async function holdOne(requestId: string): Promise<string | undefined> {
      for (;;) {
        try {
          return await replica.submit.hold({ sku: "lamp", count: 1, forMs: 60_000 }, { requestId, timeoutMs: 2_000 });
        } catch (error) {
          if (rejectionOf(error)?.code === "out-of-stock") return undefined; // agreed: there is none left
          if (!isLockstepError(error)) throw error;
          if (error.outcome === "unknown") continue; // sent; the same request id finds out what became of it
          throw error; // certainly not done: try later, or through another replica
        }
      }
    }
    expect(await holdOne("cart-1")).toBeUndefined();
    await replica.submit.receive({ sku: "lamp", count: 1 });
    expect(await holdOne("cart-2")).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("answers a request id once, through any replica", async () => {
    const { one, two } = await startThree();
    await one.submit.receive({ sku: "lamp", count: 10 });
    const first = await one.submit.hold({ sku: "lamp", count: 2, forMs: 60_000 }, { requestId: "cart-17" });
    const again = await two.submit.hold({ sku: "lamp", count: 2, forMs: 60_000 }, { requestId: "cart-17" });
    expect(again).toBe(first);
    expect(await two.query.left("lamp", { consistency: "linearizable" })).toBe(8);
  });

  it("tells what happened, from any position that is still held", async () => {
    const { one: replica, two } = await startThree();
    await two.submit.receive({ sku: "lamp", count: 10 });
    const seen: ReplicaEvent[] = [];
    let position = 0; // the last one that was dealt with
    for await (const event of replica.events({ from: position + 1 })) {
      seen.push(event);
      position = event.position;
      if (event.command === "receive") break;
    }
    expect(seen.at(-1)).toMatchObject({ command: "receive", input: { sku: "lamp", count: 10 }, outcome: { ok: true, result: 10 }, origin: { slot: 2 } });
  });

  it("shows what a cut off replica knows, and that the others go on", async () => {
    const { network, one, three } = await startThree();
    network.cut([[1, 2], [3]]);
    await becomes(three, "minority");
    await expect(three.submit.receive({ sku: "lamp", count: 1 })).rejects.toMatchObject({ code: "NOT_PRIMARY", outcome: "none" });
    expect(three.inspect().reason).toContain("1 of 3 slots");

    await one.submit.receive({ sku: "lamp", count: 5 });
    network.heal();
    await three.ready();
    expect(await three.query.left("lamp", { consistency: "linearizable" })).toBe(5);
  });

  it("runs timers when cluster time reaches them, on a clock that the test moves", async () => {
    let elapsedMs = 0;
    const clock: Clock = { monotonicMs: () => elapsedMs, wallMs: () => Date.parse("2026-01-01") };
    const replica = await createReplica(stock, { group: "stock", transport: memory(), provide: { clock: () => clock } });
    running = [replica];
    await replica.ready();
    await replica.submit.receive({ sku: "lamp", count: 1 });
    await replica.submit.hold({ sku: "lamp", count: 1, forMs: 60_000 });
    const events = replica.events();
    elapsedMs += 60_000;
    const { value } = await events.next();
    expect(value).toMatchObject({ command: "release", origin: undefined });
    expect(await replica.query.left("lamp")).toBe(1);
  });

  it("simulates a machine, and finds the one that is careless", async () => {
    const summary = await simulate(stock, {
      commands: {
        receive: (random) => ({ sku: random.pick(["lamp", "chair"]) ?? "lamp", count: random.between(1, 9) }),
        hold: (random) => ({ sku: "lamp", count: random.between(1, 3), forMs: random.between(0, 5_000) }),
      },
      queries: { left: (random) => [random.pick(["lamp", "chair"]) ?? "lamp"] },
      check: ({ items }) => {
        for (const [sku, left] of items) if (left < 0) throw new Error(`${left} ${sku}s are left`);
      },
    });
    expect(summary.answered).toBeGreaterThan(summary.histories);

    const careless = defineMachine({
      name: "careless",
      version: 1,
      initialState: () => ({ lastAt: 0 }),
      commands: (command) => ({
        touch: command((draft) => { draft.lastAt = Date.now(); }),
      }),
    });
    await expect(simulate(careless, { commands: { touch: () => undefined } })).rejects.toThrow("is a handler not deterministic?");
  });

  it("simulates machines that a function makes, and finds what they forget", async () => {
    const makeForgetful = () => {
      const firstAt = new Map<string, number>();
      return defineMachine({
        name: "forgetful",
        version: 1,
        initialState: () => ({ calls: 0, sum: 0 }),
        commands: (command) => ({
          touch: command((draft, { what }: { what: string }) => {
            draft.calls++;
            if (!firstAt.has(what)) firstAt.set(what, draft.calls);
            draft.sum += firstAt.get(what) ?? 0;
          }),
        }),
      });
    };
    const commands = { touch: (random: Random) => ({ what: random.pick(["a", "b"]) ?? "a" }) };
    await expect(simulate(makeForgetful, { commands })).rejects.toThrow("is a handler not deterministic?");
  });

  it("finds a replica whose handler does something else than the others', and gives it their state", async () => {
    const network = new MemoryNetwork({ nodes: 3 });
    const errors: string[] = [];
    const logger = { ...quiet, error: (_fields: unknown, message: string) => { errors.push(message); } };
    const start = (nodeId: number) => createReplica(counterThatAdds(nodeId === 3 ? 2 : 1), {
      group: "counter", transport: memory({ network, nodeId }), logger, limits: { digestIntervalMs: 20, tickMs: 5 },
    });
    const [one, two, three] = await Promise.all([start(1), start(2), start(3)]);
    try {
      await Promise.all([one.ready(), two.ready(), three.ready()]);
      await one.submit.add();
      // Digests are compared as cluster time goes on, at the entries that come.
      while (!errors.some((message) => message.includes("this replica's state differs"))) await one.submit.look();
      await three.ready();
      await three.query.count({ consistency: "linearizable" });
      expect([one.state.count, three.state.count]).toEqual([1, 1]);
    } finally {
      await Promise.all([one.stop(), two.stop(), three.stop()]);
    }
  });

  it("goes on with a stranger in its group, who says nothing that it understands", async () => {
    const network = new MemoryNetwork({ nodes: 4 });
    const start = (nodeId: number) => createReplica(stock, {
      group: "stock", transport: memory({ network, nodeId }), slots: [1, 2, 3], logger: quiet, limits: { silenceTimeoutMs: 200, tickMs: 5 },
    });
    running = await Promise.all([start(1), start(2), start(3)]);
    await Promise.all(running.map((replica) => replica.ready()));
    const stranger = memory({ network, nodeId: 4 });
    const nothing = (): void => {};
    await stranger.join("stock", { deliver: nothing, configurationChanged: nothing, ringChanged: nothing, quorumChanged: nothing, writable: nothing, closed: nothing });
    try {
      stranger.multicast(Buffer.from("what is this?"));
      const [one] = running;
      expect(await one?.submit.receive({ sku: "lamp", count: 1 })).toBe(1);
    } finally {
      await stranger.close();
    }
  });

  it("says in one sentence what is wrong with an option", async () => {
    await expect(createReplica(stock, { group: "", transport: corosync() })).rejects.toMatchObject({ code: "CONFIGURATION_INVALID" });
  });
});
