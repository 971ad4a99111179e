/** The in-process group beyond what every transport must do (memory.conformance.test.ts): faults, limits, order of events. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { MemoryNetwork, memory } from "../../src/transport/memory/index.js";
import { Transcript, join, joinAll, turns } from "./transcript.js";

const three = (): MemoryNetwork => new MemoryNetwork({ nodes: 3 });

describe("a ring change", () => {
  it("tells both sides of a cut who went, then the new ring, then quorum", async () => {
    const network = three();
    const [one, two, lone] = await joinAll(network);
    network.cut([[1, 2], [3]]);
    await turns(1);
    const majority = ["members 1 2, left 3 (nodedown)", "ring 1/8 of 1 2", "quorate"];
    expect(one?.transcript.take()).toEqual(majority);
    expect(two?.transcript.take()).toEqual(majority);
    expect(lone?.transcript.take()).toEqual(["members 3, left 1 (nodedown), left 2 (nodedown)", "ring 3/8 of 3", "not quorate"]);
  });

  it("lists as joined, on each side of a merge, those of the other side", async () => {
    const network = three();
    const [one, , lone] = await joinAll(network);
    network.cut([[1, 2], [3]]);
    network.renewRing(3);
    await turns(1);
    one?.transcript.take();
    lone?.transcript.take();
    network.heal();
    await turns(1);
    expect(one?.transcript.take()).toEqual(["members 1 2 3, joined 3 (nodeup)", "ring 1/16 of 1 2 3", "quorate"]);
    expect(lone?.transcript.take()).toEqual(["members 1 2 3, joined 1 (nodeup), joined 2 (nodeup)", "ring 1/16 of 1 2 3", "quorate"]);
  });

  it("names a process that died meanwhile after the nodes and before the ring", async () => {
    const network = three();
    const [one] = await joinAll(network);
    network.crash(2);
    network.cut([[1, 2], [3]]);
    await turns(2);
    expect(one?.transcript.take()).toEqual([
      "members 1 2, left 3 (nodedown)",
      "members 1, left 2 (procdown)",
      "ring 1/8 of 1 2",
      "quorate",
    ]);
  });

  it("carries what was multicast before it, and not delivered, over to the next ring, in order", async () => {
    const network = three();
    const [one, two, lone] = await joinAll(network);
    one?.say("a");
    lone?.say("b");
    one?.say("c");
    network.cut([[1, 2], [3]]);
    await turns(2);
    expect(two?.transcript.take()).toEqual(["members 1 2, left 3 (nodedown)", "ring 1/8 of 1 2", "quorate", "1: a", "1: c"]);
    expect(lone?.transcript.take()).toEqual(["members 3, left 1 (nodedown), left 2 (nodedown)", "ring 3/8 of 3", "not quorate", "3: b"]);
  });

  it("with the same nodes is a new ring and no change of members", async () => {
    const network = three();
    const [one, two] = await joinAll(network);
    network.renewRing(2);
    await turns(1);
    expect(one?.transcript.take()).toEqual(["ring 1/8 of 1 2 3", "quorate"]);
    expect(two?.transcript.take()).toEqual(["ring 1/8 of 1 2 3", "quorate"]);
  });

  it("leaves a ring alone whose nodes stay", async () => {
    const network = three();
    const [, , lone] = await joinAll(network);
    network.cut([[1, 2], [3]]);
    await turns(1);
    lone?.transcript.take();
    network.cut([[1], [2], [3]]);
    await turns(1);
    expect(lone?.transcript.take()).toEqual([]);
    expect(network.ring(3)?.id).toEqual({ nodeId: 3, seq: 8n });
  });

  it("lets a member join on its side of a cut, and the other side hears of it as nodeup", async () => {
    const network = three();
    const one = await join(network, 1);
    network.cut([[1, 2], [3]]);
    const lone = await join(network, 3);
    expect(lone.transcript.take()).toEqual(["members 3, joined 3 (join)", "ring 3/8 of 3", "not quorate"]);
    one.transcript.take();
    network.heal();
    await turns(1);
    expect(one.transcript.take()).toEqual(["members 1 3, joined 3 (nodeup)", "ring 1/12 of 1 2 3", "quorate"]);
  });
});

describe("the end of a member", () => {
  it("by crash() is procdown to the others, after what it had sent, and closed(error) to itself", async () => {
    const network = three();
    const [one, two] = await joinAll(network);
    two?.say("last");
    network.crash(2);
    expect(() => two?.say("too late")).toThrow(expect.objectContaining({ code: "TRANSPORT_CLOSED" }));
    await turns(2);
    expect(one?.transcript.take()).toEqual(["2: last", "members 1 3, left 2 (procdown)"]);
    expect(two?.transcript.take()).toEqual(["closed by an error"]);
    expect(two?.transcript.closedWith).toMatchObject({ code: "TRANSPORT_CLOSED" });
  });

  it("by crash(address) leaves the other members on its node alone", async () => {
    const network = three();
    const first = await join(network, 1);
    const second = await join(network, 1);
    await turns(1);
    second.transcript.take();
    network.crash(first.address);
    await turns(1);
    expect(second.transcript.take()).toEqual(["members 1, left 1 (procdown)"]);
    expect(second.say("still here")).toBe("queued");
  });

  it("by kill() of its node is nodedown to the others, and the node can come back", async () => {
    const network = three();
    const [one, two] = await joinAll(network);
    two?.say("lost with the node");
    network.kill(2);
    await turns(2);
    expect(one?.transcript.take()).toEqual(["members 1 3, left 2 (nodedown)", "ring 1/8 of 1 3", "quorate"]);
    expect(two?.transcript.take()).toEqual(["closed by an error"]);
    expect(network.ring(2)).toBeUndefined();
    await expect(join(network, 2)).rejects.toMatchObject({ code: "TRANSPORT_CLOSED", message: expect.stringContaining("network.start(2)") });
    network.start(2);
    const again = await join(network, 2);
    expect(again.transcript.take()).toEqual(["members 1 2 3, joined 2 (join)", "ring 1/12 of 1 2 3", "quorate"]);
    expect(one?.transcript.take()).toEqual(["ring 1/12 of 1 2 3", "quorate", "members 1 2 3, joined 2 (join)"]);
  });

  it("while it is still joining rejects join(), and the others never hear of it", async () => {
    const network = three();
    const one = await join(network, 1);
    one.transcript.take();
    const transport = memory({ network, nodeId: 2 });
    const transcript = new Transcript();
    const joining = transport.join("g", transcript);
    const rejected = expect(joining).rejects.toMatchObject({ code: "TRANSPORT_CLOSED" });
    await transport.close();
    await rejected;
    await turns(2);
    expect(transcript.lines).toEqual([]);
    expect(one.transcript.take()).toEqual([]);
  });

  it("holds no event loop: a process that has joined and sent ends by itself", () => {
    const program = fileURLToPath(new URL("./ends-by-itself.mjs", import.meta.url));
    expect(execFileSync(process.execPath, [program], { encoding: "utf8", timeout: 60_000 })).toBe("delivered hello\n");
  });
});

describe("a paused member", () => {
  it("is told everything in order when it is resumed, and what it sent goes out then", async () => {
    const network = three();
    const [one, two] = await joinAll(network);
    network.pause(2);
    two?.say("from the frozen");
    one?.say("x");
    network.cut([[1, 2], [3]]);
    await turns(3);
    expect(two?.transcript.take()).toEqual([]);
    one?.transcript.take();
    network.resume(2);
    await turns(2);
    expect(two?.transcript.take()).toEqual(["members 1 2, left 3 (nodedown)", "ring 1/8 of 1 2", "quorate", "1: x", "2: from the frozen"]);
    expect(one?.transcript.take()).toEqual(["2: from the frozen"]);
  });

  it("stops being told at once when a listener pauses it", async () => {
    const network = three();
    const [one, two] = await joinAll(network);
    two?.say("first");
    network.renewRing(2);
    const { transcript } = two as NonNullable<typeof two>;
    transcript.ringChanged = () => { network.pause(2); };
    await turns(2);
    expect(transcript.take()).toEqual([]);
    expect(one?.transcript.take()).toEqual(["ring 1/8 of 1 2 3", "quorate", "2: first"]);
    network.resume(2);
    await turns(1);
    expect(transcript.take()).toEqual(["quorate", "2: first"]);
  });

  it("is evicted when more waits for it than limits.heldBytes: procdown to the others, closed(error) to itself", async () => {
    const network = new MemoryNetwork({ nodes: 2, limits: { heldBytes: 1000 } });
    const [one, two] = await joinAll(network);
    network.pause(2);
    for (let index = 0; index < 9; index++) one?.say("m");
    await turns(2);
    expect(one?.transcript.take()).toEqual([...Array.from({ length: 9 }, () => "1: m"), "members 1, left 2 (procdown)"]);
    network.resume(2);
    await turns(1);
    expect(two?.transcript.take()).toEqual(["closed by an error"]);
  });

  it("can be closed: it ends as a killed process does", async () => {
    const network = three();
    const [one, two] = await joinAll(network);
    network.pause(2);
    await two?.transport.close();
    await turns(1);
    expect(one?.transcript.take()).toEqual(["members 1 3, left 2 (procdown)"]);
  });
});

describe("back-pressure", () => {
  it("answers busy beyond limits.queueBytes, and writable when half of it has gone", async () => {
    const network = new MemoryNetwork({ nodes: 2, limits: { queueBytes: 1280, batchBytes: 129 } });
    const [one, two] = await joinAll(network);
    const answers = Array.from({ length: 10 }, (_, index) => one?.say(String(index)));
    expect(answers).toEqual([...Array.from({ length: 9 }, () => "queued"), "busy"]);
    await turns(20);
    const told = one?.transcript.take() ?? [];
    expect(told.filter((line) => line !== "writable")).toEqual(["1: 0", "1: 1", "1: 2", "1: 3", "1: 4", "1: 5", "1: 6", "1: 7", "1: 8"]);
    expect(told.indexOf("writable")).toBe(5);
    expect(two?.transcript.take()).toHaveLength(9);
  });

  it("never refuses for ever: a message heavier than the whole queue goes when it is alone", async () => {
    const network = new MemoryNetwork({ nodes: 1, limits: { queueBytes: 10 } });
    const [one] = await joinAll(network);
    expect(one?.say("heavier than ten bytes")).toBe("queued");
    expect(one?.say("x")).toBe("busy");
    await turns(2);
    expect(one?.transcript.take()).toEqual(["1: heavier than ten bytes", "writable"]);
  });
});

describe("a listener that throws", () => {
  it("disturbs neither its own later events nor the other members", async () => {
    const network = three();
    const [one, two] = await joinAll(network);
    const uncaught: unknown[] = [];
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => { uncaught.push(error); });
    try {
      (one as NonNullable<typeof one>).transcript.ringChanged = () => { throw new Error("listener's mistake"); };
      network.renewRing(1);
      await turns(2);
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const listener of others) process.on("uncaughtException", listener);
    }
    expect(uncaught).toEqual([new Error("listener's mistake")]);
    expect(one?.transcript.take()).toEqual(["quorate"]);
    expect(two?.transcript.take()).toEqual(["ring 1/8 of 1 2 3", "quorate"]);
  });
});

describe("wrong use", () => {
  const invalid = (message: RegExp): unknown => expect.objectContaining({ code: "CONFIGURATION_INVALID", message: expect.stringMatching(message) });

  it.each<[string, () => unknown, RegExp]>([
    ["no nodes", () => new MemoryNetwork({ nodes: 0 }), /1 to 64 nodes/],
    ["a node twice", () => new MemoryNetwork({ nodes: [1, 2, 1] }), /comes twice/],
    ["a node id of 0", () => new MemoryNetwork({ nodes: [0] }), /from 1 to/],
    ["a limit of 0", () => new MemoryNetwork({ limits: { queueBytes: 0 } }), /limits\.queueBytes/],
    ["an unknown limit", () => new MemoryNetwork({ limits: { queue: 5 } as never }), /no limit "queue"/],
    ["an option of a network that is misspelt", () => new MemoryNetwork({ node: 3 } as never), /node is not an option of MemoryNetwork; there are nodes, limits/],
    ["an option of memory() that is misspelt", () => memory({ nodeID: 3 } as never), /nodeID is not an option of memory\(\); there are network, nodeId/],
    ["a number for the options of a network", () => new MemoryNetwork(3 as never), /the options of MemoryNetwork are an object \(\{ nodes, limits \}\), not a number/],
    ["something else for the network", () => memory({ network: {} as never, nodeId: 1 }), /takes a MemoryNetwork/],
    ["no node id among several", () => memory({ network: three() }), /needs nodeId/],
    ["a node that does not exist", () => memory({ network: three(), nodeId: 4 }), /nodes are 1, 2, 3/],
    ["a cut that forgets a node", () => { three().cut([[1], [2]]); }, /exactly one side/],
    ["a cut with a node on both sides", () => { three().cut([[1, 2], [2, 3]]); }, /exactly one side/],
    ["a fault on an unknown node", () => { three().crash(7); }, /no node 7/],
  ])("%s is refused with what to do about it", (_, act, message) => {
    expect(act).toThrow(invalid(message));
  });

  it("memory() alone is a network of one node, quorate by itself", async () => {
    const transport = memory();
    const transcript = new Transcript();
    expect(await transport.join("alone", transcript)).toEqual({ nodeId: 1, pid: 1 });
    expect(transcript.take()).toEqual(["members 1, joined 1 (join)", "ring 1/4 of 1", "quorate"]);
    expect(await transport.configuredNodes()).toEqual([1]);
    await transport.close();
    expect(transcript.take()).toEqual(["members , left 1 (leave)", "closed"]);
  });
});
