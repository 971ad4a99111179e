/** Whole replicas on the in-process transport: what an application is promised. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { createReplica } from "../src/create-replica.js";
import type { CoreEvent } from "../src/core/events.js";
import { majorityPolicy } from "../src/core/quorum-policy.js";
import type { CoreState } from "../src/core/state.js";
import { createApplier } from "../src/apply/applier.js";
import { kinds } from "../src/codec/message-codec.js";
import type { Clock } from "../src/apply/cluster-clock.js";
import { tokens } from "../src/container.js";
import type { Applier } from "../src/apply/types.js";
import { isLockstepError, type ErrorCode } from "../src/errors.js";
import { defaultLimits } from "../src/limits.js";
import { defineMachine } from "../src/machine/define-machine.js";
import type { Logger } from "../src/logger.js";
import { systemScheduler, type Scheduler } from "../src/scheduler.js";
import type { AnyMachine } from "../src/machine/types.js";
import { memory } from "../src/transport/memory/index.js";
import type { ReplicaEvent } from "../src/replica-api.js";
import type { GroupListener, GroupTransport, RingId, VoteInfo } from "../src/transport/group-transport.js";
import { eventually } from "./support/eventually.js";
import { counters, quickLimits, renewable, TestGroup, type TestOptions, type TestReplica } from "./support/test-group.js";

let group: TestGroup;

afterEach(async () => { await group.stop(); });

async function three(options: Parameters<TestGroup["start"]>[1] = {}): Promise<[TestReplica, TestReplica, TestReplica]> {
  group = new TestGroup(3);
  return (await group.startAll(options)) as [TestReplica, TestReplica, TestReplica];
}

async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | "resolved" | undefined> {
  try {
    await promise;
    return "resolved";
  } catch (error) {
    return isLockstepError(error) ? error.code : undefined;
  }
}

/** An applier of counters(), one of whose ways out is wrong. */
function failing<K extends "digest" | "capture" | "receive">(name: K, wrong: (right: ReturnType<Applier<unknown>[K]>) => ReturnType<Applier<unknown>[K]>): Applier<unknown> {
  const applier = createApplier(counters() as unknown as AnyMachine<unknown>);
  const right = applier[name].bind(applier) as () => ReturnType<Applier<unknown>[K]>;
  return Object.assign(applier, { [name]: () => wrong(right()) });
}

interface QuorumTold {
  readonly listener: GroupListener;
  readonly ring: RingId;
  readonly votes: VoteInfo;
}

/** Keeps the news of quorum from its listener, for the test to tell. */
function withNews(transport: GroupTransport): { readonly transport: GroupTransport; readonly news: QuorumTold[] } {
  const news: QuorumTold[] = [];
  const join: GroupTransport["join"] = (name, listener) => transport.join(name, new Proxy(listener, {
    get: (target, key) => (key === "quorumChanged" ? (_quorate: boolean, ring: RingId, votes: VoteInfo) => { news.push({ listener, ring, votes }); } : Reflect.get(target, key) as unknown),
  }));
  return { news, transport: new Proxy(transport, { get: (target, key) => (key === "join" ? join : bound(target, key)) }) };
}

interface Attempt {
  /** Of its transport. */
  closes: number;
  /** It had joined, and closed() has said that it is over. */
  lost: boolean;
  /** What join() has to say of that, whenever the test has it say it. */
  reject(): void;
}

/** A transport that can be renewed so many times. @param renewed called each time */
function renewableTimes(times: number, transport: GroupTransport, renewed: () => void): GroupTransport {
  const renew = (): GroupTransport | undefined => {
    renewed();
    return times === 0 ? undefined : renewableTimes(times - 1, transport.renew?.() as GroupTransport, renewed);
  };
  return new Proxy(transport, { get: (target, key) => (key === "renew" ? renew : bound(target, key)) });
}

/** Transports of which one, the `which`th, is lost as soon as it has joined, and join() rejects late. */
function losing(transport: GroupTransport, attempts: Attempt[], which: number): GroupTransport {
  const attempt: Attempt = { closes: 0, lost: false, reject: () => undefined };
  attempts.push(attempt);
  const join: GroupTransport["join"] = async (name, listener) => {
    const address = await transport.join(name, listener);
    if (attempts.indexOf(attempt) + 1 !== which) return address;
    await transport.leave();
    attempt.lost = true;
    return new Promise((_resolve, reject) => { attempt.reject = () => reject(new Error("the daemon had gone")); });
  };
  const close = async (): Promise<void> => {
    attempt.closes++;
    await transport.close();
  };
  const own: Partial<GroupTransport> = { join, close, renew: () => losing(transport.renew?.() as GroupTransport, attempts, which) };
  return new Proxy(transport, { get: (target, key) => Reflect.get(own, key) ?? bound(target, key) });
}

function bound(target: GroupTransport, key: string | symbol): unknown {
  const value = Reflect.get(target, key, target) as unknown;
  return typeof value === "function" ? (value.bind(target) as unknown) : value;
}

async function applied(replicas: readonly TestReplica[], key: string, total: number): Promise<void> {
  await eventually(() => replicas.every((replica) => (replica.state.values.get(key) ?? 0) === total), `${key} is ${total} everywhere`);
}

describe("commands and reads", () => {
  it("gives every replica's commands their results, in one order everywhere", async () => {
    const replicas = await three();
    const totals = await Promise.all(Array.from({ length: 90 }, async (_, i) => (replicas[i % 3] as TestReplica).submit.add({ key: "x", by: 1 })));
    expect(totals.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 90 }, (_, i) => i + 1));
    await applied(replicas, "x", 90);
  });

  it("sends what is asked for in the same turn: neither a command nor a read waits for a tick, or for a message that comes", async () => {
    group = new TestGroup(1);
    let timersRun = true;
    const whileTimersRun = (call: () => void) => (): void => { if (timersRun) call(); };
    const scheduler: Scheduler = {
      ...systemScheduler,
      after: (ms, call) => systemScheduler.after(ms, whileTimersRun(call)), every: (ms, call) => systemScheduler.every(ms, whileTimersRun(call)),
    };
    const replica = await group.start(1, { provide: { scheduler: () => scheduler } });
    await replica.ready();
    expect(await replica.submit.add({ key: "x", by: 1 })).toBe(1);
    timersRun = false;
    const answers: unknown[] = [];
    const answered = async (asked: Promise<unknown>): Promise<void> => {
      void asked.then((answer) => answers.push(answer), (error: unknown) => answers.push(error));
      const { length } = answers;
      await eventually(() => answers.length > length, `an answer follows ${answers.join(", ")}`);
    };
    // When the first is answered, nothing is under way any more.
    await answered(replica.submit.add({ key: "x", by: 1 }));
    await answered(replica.submit.add({ key: "x", by: 1 }));
    await answered(replica.query.total("x", { consistency: "linearizable" }));
    expect(answers).toEqual([2, 3, 3]);
  });

  it("acknowledges what somebody waits for before it applies what the same messages commit", async () => {
    group = new TestGroup(3);
    const did: string[] = [];
    const applier = createApplier(counters() as unknown as AnyMachine<unknown>);
    const applyIt = applier.apply.bind(applier);
    const apply: Applier<unknown>["apply"] = (committed) => {
      if (committed.entry.commands.length > 0) did.push("applies");
      return applyIt(committed);
    };
    const transport = memory({ network: group.network, nodeId: 2 });
    const multicast: GroupTransport["multicast"] = (message) => {
      if (message[1] === kinds.ack) did.push("acknowledges");
      return transport.multicast(message);
    };
    const watched = new Proxy(transport, { get: (target, key) => (key === "multicast" ? multicast : bound(target, key)) });
    const observer = { stepped: (_core: CoreState, event: CoreEvent) => { if (event.type === "message" || event.type === "drained") did.push(event.type); }, applied: () => undefined };
    const provide = { applier: () => Object.assign(applier, { apply }), observer: () => observer };
    const replicas = await Promise.all([group.start(1), group.start(2, { transport: watched, provide }), group.start(3)]);
    await Promise.all(replicas.map((replica) => replica.ready()));
    // What commits a command is the next one's message, as often as that comes before the other acknowledgements.
    const both = (): boolean => did.join(" ").includes("drained acknowledges applies");
    for (let total = 1; total <= 200 && !both(); total++) await replicas[0].submit.add({ key: "x", by: 1 });
    expect(both(), did.slice(-40).join(" ")).toBe(true);
    expect(did.join(" ")).not.toContain("message applies");
  });

  it("tells a rejection by the machine, with its details, from every other failure", async () => {
    const [first] = await three();
    await expect(first.submit.take("nothing")).rejects.toMatchObject({ code: "REJECTED", outcome: "none", details: { code: "absent", details: { key: "nothing" } } });
  });

  it("answers a repeated request id with the first result, through another replica too", async () => {
    const [first, second] = await three();
    expect(await first.submit.add({ key: "x", by: 5 }, { requestId: "once" })).toBe(5);
    expect(await second.submit.add({ key: "x", by: 5 }, { requestId: "once" })).toBe(5);
    expect(await codeOf(second.submit.echo("another command", { requestId: "once" }))).toBe("REQUEST_ID_REUSED");
    expect(await second.query.total("x", { consistency: "linearizable" })).toBe(5);
  });

  it("sees in a linearizable read what was answered before it began, on whatever replica", async () => {
    const [first, second, third] = await three();
    for (let total = 1; total <= 20; total++) {
      await first.submit.add({ key: "x", by: 1 });
      expect(await Promise.all([second, third].map((replica) => replica.query.total("x", { consistency: "linearizable" })))).toEqual([total, total]);
    }
  });

  it("takes a command that is much larger than a message of the transport", async () => {
    group = new TestGroup(3, 4_096);
    const replicas = await group.startAll();
    const lengths = await Promise.all(replicas.map((replica, i) => replica.submit.echo("x".repeat(300_000 + i))));
    expect(lengths).toEqual([300_000, 300_001, 300_002]);
  });

  it("follows commands with their results from a position on", async () => {
    const [first, second] = await three();
    await first.submit.add({ key: "x", by: 1 });
    await codeOf(first.submit.take("absent"));
    await applied([second], "x", 1);
    const seen: ReplicaEvent[] = [];
    await first.submit.add({ key: "x", by: 2 });
    for await (const event of second.events({ from: 1 })) if (seen.push(event) === 3) break;
    expect(seen.map(({ command, outcome }) => [command, outcome.ok ? outcome.result : outcome.code])).toEqual([["add", 1], ["take", "REJECTED"], ["add", 3]]);
  });
});

describe("events", () => {
  it("tell once of a request that was submitted twice, so that they add up to the state", async () => {
    const [first, second] = await three();
    const from = first.inspect().positions.applied + 1;
    const options = { requestId: "once" };
    await first.submit.add({ key: "x", by: 1 }, options);
    await second.submit.add({ key: "x", by: 1 }, options);
    await first.submit.echo("the last");
    let sum = 0;
    for await (const { command, input } of first.events({ from })) {
      if (command === "echo") break;
      sum += (input as { by: number }).by;
    }
    expect(sum).toBe(first.state.values.get("x"));
  });
});

describe("limits and wrong use", () => {
  it("refuses what exceeds a limit, certainly without effect", async () => {
    const [first] = await three({ limits: { commandBytes: 1_000, queueBytes: 2_000, pendingSubmissions: 3 } });
    expect(await codeOf(first.submit.echo("x".repeat(2_000)))).toBe("COMMAND_TOO_LARGE");
    const four = await Promise.all([1, 2, 3, 4].map((by) => codeOf(first.submit.add({ key: "x", by }))));
    expect(four).toEqual(["resolved", "resolved", "resolved", "QUEUE_FULL"]);
    const large = await Promise.all([1, 2, 3].map(() => codeOf(first.submit.echo("x".repeat(900)))));
    expect(large).toEqual(["resolved", "resolved", "QUEUE_FULL"]);
    expect(first.inspect().queue).toMatchObject({ commands: 0, bytes: 0 });
  });

  it("refuses options that make no sense, and says which", async () => {
    const [first] = await three();
    expect(await codeOf(first.submit.echo("x", { timeoutMs: -1 }))).toBe("INVALID_INPUT");
    expect(await codeOf(first.submit.echo("x", { requestId: "" }))).toBe("INVALID_INPUT");
    expect(await codeOf(first.submit.echo("x", { signal: AbortSignal.abort() }))).toBe("TIMED_OUT");
    const transport = memory();
    await expect(createReplica(counters(), { group: "", transport })).rejects.toMatchObject({ code: "CONFIGURATION_INVALID" });
    await expect(createReplica(counters(), { group: "g", transport, slots: [2, 2] })).rejects.toMatchObject({ code: "CONFIGURATION_INVALID" });
    await expect(createReplica(counters(), { group: "g", transport, limits: { tickMs: 0 } })).rejects.toThrow("limits.tickMs");
    await transport.close();
  });

  it("refuses what JavaScript may give for options, whatever the types say: names that are misspelt, and parts that are none", async () => {
    const transport = memory();
    const create = createReplica as unknown as (machine: unknown, options?: object) => Promise<unknown>;
    const good = { group: "g", transport };
    type Part = (token: unknown) => unknown;
    const wrong: [string, unknown, object | undefined][] = [
      ["made by defineMachine()", undefined, good], ["made by defineMachine()", {}, good], ["an object of options", counters(), undefined],
      ["durabilty is not an option of createReplica(); there are group,", counters(), { ...good, durabilty: "disk" }],
      ["group must be a name, not left out", counters(), { transport }], ["group must be a name, not 5", counters(), { ...good, group: 5 }],
      ["transport must be a GroupTransport", counters(), { group: "g" }], ["transport must be a GroupTransport", counters(), { group: "g", transport: { join: () => undefined } }],
      ["slots must be different node ids", counters(), { ...good, slots: 3 }], ["slots must be different node ids", counters(), { ...good, slots: "12" }],
      ["quorum must be", counters(), { ...good, quorum: null }], ["limits must be an object", counters(), { ...good, limits: null }],
      ["logger must have the functions", counters(), { ...good, logger: { info: () => undefined } }],
      ["logger must have the functions", counters(), { ...good, provide: { logger: () => undefined } }],
      ["transport must be a GroupTransport", counters(), { ...good, provide: { transport: () => ({}) } }],
      ["limits must be an object", counters(), { ...good, provide: { limits: () => null } }],
      ["limits.tickMs must be a whole number", counters(), { ...good, provide: { limits: () => ({ ...defaultLimits, tickMs: 0 }) } }],
      ["limits.commandBytes must be at most", counters(), { ...good, provide: { limits: () => ({ ...defaultLimits, commandBytes: 1e9 }) } }],
      ["limits.toString is not a limit", counters(), { ...good, limits: { toString: 5 } }],
      ...["applier", "log", "policy", "clock", "scheduler", "observer", "newIncarnation"].flatMap((part): [string, unknown, object][] => [undefined, null, {}, Promise.resolve()].map((none) => [
        `provide.${part} must return`, counters(), { ...good, provide: { [part]: () => none } },
      ])),
      ["provide.openStore must return", counters(), { ...good, provide: { openStore: () => ({}) } }],
      ["clock asks for clock", counters(), { ...good, provide: { clock: (part: Part) => part(tokens.clock) } }],
      ["log asks for clock asks for log", counters(), { ...good, provide: { clock: (part: Part) => part(tokens.log), log: (part: Part) => part(tokens.clock) } }],
      ["clokc is not a part of a replica; there are transport,", counters(), { ...good, provide: { clokc: () => undefined } }],
      ["monotonicMs() is a number of milliseconds, not a bigint", counters(), { ...good, provide: { clock: () => ({ monotonicMs: () => process.hrtime.bigint(), wallMs: () => 0 }) } }],
      ["wallMs() is a number of milliseconds, not NaN", counters(), { ...good, provide: { clock: () => ({ monotonicMs: () => 0, wallMs: () => Number.NaN }) } }],
      ["provide.clock must be a function", counters(), { ...good, provide: { clock: { wallMs: () => 0 } } }], ["provide must be an object", counters(), { ...good, provide: 1 }],
    ];
    for (const [saying, machine, options] of wrong) {
      await expect(create(machine, options), saying).rejects.toMatchObject({ code: "CONFIGURATION_INVALID", message: expect.stringContaining(saying) as string });
    }
    // Nothing of it has touched the transport.
    const replica = await createReplica(counters(), { group: "g", transport, logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined } });
    await replica.stop();
  });

  it.each(["x", "00000000000000AB", undefined])("refuses %s as the id of a start, which the others could not read", async (id) => {
    group = new TestGroup(1);
    await expect(group.start(1, { provide: { newIncarnation: () => () => id as string } })).rejects.toMatchObject({ code: "CONFIGURATION_INVALID", message: expect.stringContaining("16 hexadecimal digits") as string });
  });

  it("refuses to be a replica on a node that is none of the group's slots; those that are go on", async () => {
    group = new TestGroup(3);
    const [second, third] = await Promise.all([2, 3].map((node) => group.start(node, { slots: [2, 3] }))) as [TestReplica, TestReplica];
    await expect(group.start(1, { slots: [2, 3] })).rejects.toMatchObject({ code: "CONFIGURATION_INVALID", message: expect.stringContaining("this node's id is 1, which is not one of the slots 2, 3") as string });
    await third.ready();
    expect(await second.submit.add({ key: "x", by: 1 })).toBe(1);
  });

  it("refuses a second replica of a group on one node; the first goes on", async () => {
    const [first] = await three();
    await expect(group.start(1)).rejects.toMatchObject({ code: "SLOT_TAKEN" });
    expect(await first.submit.add({ key: "x", by: 1 })).toBe(1);
  });

  it("refuses a transport that another replica uses; that one goes on, also as a member of its group", async () => {
    group = new TestGroup(2);
    const transport = memory({ network: group.network, nodeId: 1 });
    const [first, second] = await Promise.all([group.start(1, { transport }), group.start(2)]);
    await Promise.all([first.ready(), second.ready()]);
    for (const name of ["counters", "others"]) await expect(group.start(1, { group: name, transport })).rejects.toMatchObject({ code: "TRANSPORT_CLOSED" });
    expect(await first.submit.add({ key: "x", by: 1 })).toBe(1);
    await applied([second], "x", 1);
    await first.stop();
    await eventually(() => second.role === "minority", "the second is told that the first has left");
  });

  it("stops a replica of another machine; the group goes on", async () => {
    group = new TestGroup(3);
    const [first, second] = await Promise.all([group.start(1), group.start(2), group.start(3).then((third) => third.ready().then(() => third.stop()))]);
    const other = defineMachine({ name: "other", version: 1, initialState: () => ({}), commands: (command) => ({ nothing: command(() => undefined) }) });
    const misfit = await createReplica(other, { group: "counters", transport: memory({ network: group.network, nodeId: 3 }), logger: { debug() {}, info() {}, warn() {}, error() {} }, limits: quickLimits });
    expect(await misfit.stopped).toMatchObject({ code: "MACHINE_MISMATCH" });
    expect(await first.submit.add({ key: "x", by: 1 })).toBe(1);
    await applied([second], "x", 1);
  });
});

describe("members that come and go", () => {
  it("is not primary with a minority: refuses at once, and goes on after healing", async () => {
    const replicas = await three();
    const [first, second, third] = replicas;
    await first.submit.add({ key: "x", by: 1 });
    group.network.cut([[1], [2, 3]]);
    await eventually(() => first.role === "minority" && second.role === "active", "the sides know what they are");
    expect(await codeOf(first.submit.add({ key: "x", by: 10 }))).toBe("NOT_PRIMARY");
    expect(await codeOf(first.query.total("x", { consistency: "linearizable" }))).toBe("NOT_PRIMARY");
    expect(await first.query.total("x")).toBe(1);
    expect(await third.submit.add({ key: "x", by: 1 })).toBe(2);
    group.network.heal();
    await first.ready();
    expect(await first.submit.add({ key: "x", by: 1 })).toBe(3);
    await applied(replicas, "x", 3);
  });

  it("waits to be ready for as long as it is told to, weeks and for ever too; a time that is none is refused", async () => {
    const [first] = await three();
    group.network.cut([[1], [2, 3]]);
    await eventually(() => first.role === "minority", "it was cut off");
    const patient = Promise.all([undefined, Infinity, 2 ** 31, 1e12].map((timeoutMs) => codeOf(first.ready(timeoutMs === undefined ? {} : { timeoutMs }))));
    await expect(first.ready({ timeoutMs: 5 })).rejects.toMatchObject({ code: "NOT_READY", message: expect.stringMatching(/^not ready after 5 ms: minority, 1 of 3 slots /) as string });
    for (const timeoutMs of [NaN, -1, 0, -Infinity, null as unknown as number, "5" as unknown as number]) expect(await codeOf(first.ready({ timeoutMs })), String(timeoutMs)).toBe("INVALID_INPUT");
    group.network.heal();
    expect(await patient).toEqual(["resolved", "resolved", "resolved", "resolved"]);
  });

  it("ends what was sent before a cut as unknown, after its time-out or when the quorum is lost; it counts once at most", async () => {
    const replicas = await three();
    const [first] = replicas;
    await first.submit.echo("the group has a time");
    group.network.pause(2);
    group.network.pause(3);
    const impatient = first.submit.add({ key: "x", by: 1 }, { timeoutMs: 100 });
    const patient = codeOf(first.submit.add({ key: "x", by: 10 }));
    await expect(impatient).rejects.toMatchObject({ code: "UNKNOWN_OUTCOME", outcome: "unknown" });
    group.network.cut([[1], [2, 3]]);
    group.network.resume(2);
    group.network.resume(3);
    await eventually(() => first.role === "minority", "the first is alone");
    expect(await patient).toBe("UNKNOWN_OUTCOME");
    group.network.heal();
    await first.ready();
    const total = await first.submit.add({ key: "x", by: 0 });
    // Both, one or none of them: the same for everybody.
    expect([0, 1, 10, 11]).toContain(total);
    await applied(replicas, "x", total);
  });

  it("goes on without a frozen replica, and takes it back when it wakes up", async () => {
    const replicas = await three();
    const [first, second, third] = replicas;
    group.network.pause(3);
    expect(await first.submit.add({ key: "x", by: 1 })).toBe(1);
    group.network.crash(2);
    await eventually(() => second.role === "stopped", "the second is gone");
    const renewed = await group.start(2);
    group.network.resume(3);
    await Promise.all([renewed.ready(), third.ready()]);
    expect(await third.submit.add({ key: "x", by: 1 })).toBe(2);
    await applied([first, renewed, third], "x", 2);
  });

  it("brings a replica that lost its memory back by a snapshot, while the others go on", async () => {
    const [first, second] = await three({ limits: { logRetentionBytes: 1, snapshotSliceBytes: 512 } });
    for (let i = 0; i < 300; i++) void first.submit.add({ key: `k${i}`, by: i }).catch(() => undefined);
    await applied([first, second], "k299", 299);
    group.network.crash(3);
    const third = await group.start(3, { limits: { logRetentionBytes: 1, snapshotSliceBytes: 512 } });
    let written = 0;
    let ready = false;
    const writing = (async () => { while (!ready) await second.submit.add({ key: "meanwhile", by: 1 }).then(() => written++); })();
    await third.ready();
    ready = true;
    await writing;
    await applied([first, second, third], "meanwhile", written);
    expect(third.inspect().positions.base).toBeGreaterThan(0);
    expect([...third.state.values]).toEqual([...first.state.values]);
  });

  it("tells the machine of every change of members, at one position for all", async () => {
    const replicas = await three();
    const [first, second, third] = replicas;
    await eventually(() => replicas.every(({ state }) => state.views.at(-1)?.length === 3), "all know all");
    await third.stop();
    await eventually(() => [first, second].every(({ state }) => state.views.at(-1)?.join() === "1,2"), "the third has left");
    const again = await group.start(3);
    await again.ready();
    await eventually(() => [first, second, again].every(({ state }) => state.views.at(-1)?.join() === "1,2,3"), "the third is back");
    expect(again.state.views).toEqual(first.state.views);
  });

  it("fires timers without any traffic", async () => {
    const replicas = await three();
    await replicas[1].submit.later({ ms: 30, name: "soon" });
    await eventually(() => replicas.every(({ state }) => state.fired.length === 1), "the timer fired everywhere");
    expect(replicas.map(({ state }) => state.fired)).toEqual([["soon"], ["soon"], ["soon"]]);
  });

  it("comes back with what it remembers when its node's group communication is lost", async () => {
    group = new TestGroup(3);
    const replicas = await Promise.all([1, 2, 3].map((node) => group.start(node, { transport: renewable(group.network, node) })));
    const [first, , third] = replicas as [TestReplica, TestReplica, TestReplica];
    await Promise.all(replicas.map((replica) => replica.ready()));
    expect(await first.submit.add({ key: "x", by: 1 })).toBe(1);
    await applied(replicas, "x", 1);
    const { incarnation, positions: { committed, end } } = third.inspect();
    group.network.kill(3);
    await eventually(() => third.role === "joining", "the third has noticed");
    expect(third.inspect(), "what it holds meanwhile").toMatchObject({ slot: 3, incarnation, lineage: true, positions: { committed, end } });
    expect(await first.submit.add({ key: "x", by: 1 })).toBe(2);
    expect(third.state.values.get("x")).toBe(1);
    await expect(third.submit.echo("x")).rejects.toMatchObject({ code: "NOT_READY", message: expect.stringContaining("this replica is joining (the group was lost: ") as string });
    group.network.start(3);
    await third.ready();
    expect(third.inspect().incarnation).not.toBe(incarnation);
    expect(await third.submit.add({ key: "x", by: 1 })).toBe(3);
    await applied(replicas, "x", 3);
  });

  it("tries to come back for as long as it takes, and stops where the transport cannot", async () => {
    group = new TestGroup(1);
    let renewals = 0;
    const replica = await group.start(1, { transport: renewableTimes(4, renewable(group.network, 1), () => { renewals++; }) });
    await replica.ready();
    expect(await replica.submit.add({ key: "x", by: 1 })).toBe(1);
    group.network.kill(1);
    await eventually(() => renewals >= 3, "two attempts have failed");
    expect(replica.role).toBe("joining");
    group.network.start(1);
    await replica.ready();
    expect(await replica.submit.add({ key: "x", by: 1 })).toBe(2);
    group.network.kill(1);
    expect(await replica.stopped).toMatchObject({ code: "TRANSPORT_CLOSED" });
    expect([renewals, replica.role]).toEqual([5, "stopped"]);
  });

  it("applies what it knew to be committed when its group was lost, though no view comes that commits anything more", async () => {
    group = new TestGroup(3);
    const slices = new Set<() => void>();
    let held = false;
    // The third applies its entries one at a time, when the test lets it.
    const soon: Scheduler["soon"] = (call) => {
      if (!held) return systemScheduler.soon(call);
      slices.add(call);
      return () => { slices.delete(call); };
    };
    let now = 0;
    const clock: Clock = { monotonicMs: () => (held ? (now += 10) : (now = Math.max(now, performance.now()))), wallMs: () => Date.now() };
    const provide = { scheduler: () => ({ ...systemScheduler, soon }), clock: () => clock };
    const limits = { silenceTimeoutMs: 60_000, transferTimeoutMs: 60_000 };
    const start = (node: number, options: TestOptions = {}): Promise<TestReplica> => group.start(node, { limits, transport: renewable(group.network, node), ...options });
    const [first, , third] = await Promise.all([start(1), start(2), start(3, { provide })]);
    await Promise.all([first.ready(), third.ready()]);
    group.network.cut([[1, 2], [3]]);
    await eventually(() => third.role === "minority", "the third is alone");
    for (let i = 0; i < 20; i++) await first.submit.add({ key: "x", by: 1 });
    held = true;
    group.network.heal();
    await eventually(() => third.inspect().positions.committed >= first.inspect().positions.committed, "the third has the log");
    const { committed, applied: before } = third.inspect().positions;
    expect(before).toBeLessThan(committed);
    group.network.kill(3);
    await eventually(() => third.role === "joining", "the third has lost its group");
    group.network.cut([[1, 2], [3]]);
    group.network.start(3);
    await eventually(() => third.role === "minority", "the third is alone again");
    held = false;
    for (const slice of slices) slice();
    await eventually(() => third.inspect().positions.applied === committed, "it has applied all of it");
    expect([third.role, third.state.values.get("x")]).toEqual(["minority", 20]);
  });

  it("comes back also where the transport that was lost cannot be closed, and says so", async () => {
    group = new TestGroup(1);
    const warnings: string[] = [];
    const quiet = (): void => undefined;
    const logger = { debug: quiet, info: quiet, error: quiet, warn: (_fields: object, text: string) => void warnings.push(text) };
    const transport = { ...renewable(group.network, 1), close: () => Promise.reject(new Error("it does not close")) };
    const replica = await group.start(1, { transport, logger });
    await replica.ready();
    group.network.kill(1);
    await eventually(() => replica.role === "joining", "it has noticed");
    group.network.start(1);
    await replica.ready();
    expect(await replica.submit.add({ key: "x", by: 1 })).toBe(1);
    expect(warnings).toContain("a transport that was lost could not be closed");
  });

  it("comes back with everything when group communication is lost on all nodes at once, under load", async () => {
    group = new TestGroup(3);
    const replicas = await Promise.all([1, 2, 3].map((node) => group.start(node, { transport: renewable(group.network, node) })));
    await Promise.all(replicas.map((replica) => replica.ready()));
    let answered = 0;
    const outcomes = replicas.flatMap((replica) => Array.from({ length: 200 }, () => replica.submit.add({ key: "x", by: 1 }).then(() => answered++, () => undefined)));
    await eventually(() => answered > 0, "the first answers");
    for (const node of [1, 2, 3]) group.network.kill(node);
    await eventually(() => replicas.every(({ role }) => role === "joining"), "all have noticed");
    for (const node of [1, 2, 3]) group.network.start(node);
    await Promise.all(outcomes);
    await Promise.all(replicas.map((replica) => replica.ready()));
    const total = await (replicas[0] as TestReplica).submit.add({ key: "x", by: 0 });
    expect(total).toBeGreaterThanOrEqual(answered);
    await applied(replicas, "x", total);
  });
});

describe("a way back that is lost at once", () => {
  it("is followed by one attempt, which nothing that comes late from the lost one disturbs", async () => {
    group = new TestGroup(1);
    const attempts: Attempt[] = [];
    const replica = await group.start(1, { transport: losing(renewable(group.network, 1), attempts, 2) });
    await replica.ready();
    group.network.kill(1);
    group.network.start(1);
    await eventually(() => attempts[1]?.lost === true, "the second transport had joined and was lost");
    await replica.ready();
    const { incarnation } = replica.inspect();
    attempts[1]?.reject();
    expect(await replica.submit.add({ key: "x", by: 1 })).toBe(1);
    expect(replica.role).toBe("active");
    expect(replica.inspect().incarnation).toBe(incarnation);
    expect(attempts.map(({ closes }) => closes)).toEqual([1, 1, 0]);
  });
});

describe("votes that cannot be read", () => {
  it("make a group of policy corosync wait, whether they were known before or not, and it goes on when they can be", async () => {
    group = new TestGroup(1);
    const { transport, news } = withNews(memory({ network: group.network, nodeId: 1 }));
    const replica = await group.start(1, { transport, quorum: "corosync" });
    await eventually(() => news.length > 0, "quorum was told");
    const [{ listener, ring, votes }] = news as [QuorumTold];
    const unread = (): boolean => replica.role === "minority" && replica.inspect().reason?.includes("votes cannot be read on nodes 1") === true;
    listener.quorumChanged(true, ring);
    await eventually(unread, "refused without votes");
    listener.quorumChanged(true, ring, votes);
    await replica.ready();
    expect(await replica.submit.add({ key: "x", by: 1 })).toBe(1);
    listener.quorumChanged(true, ring);
    await eventually(unread, "refused when votes are known no more");
    expect(await codeOf(replica.submit.add({ key: "x", by: 1 }))).toBe("NOT_PRIMARY");
    listener.quorumChanged(true, ring, votes);
    await replica.ready();
    expect(await replica.submit.add({ key: "x", by: 1 })).toBe(2);
  });

  it("tell all the same whether quorum was lost: only then others can have gone on", async () => {
    group = new TestGroup(1);
    const { transport, news } = withNews(memory({ network: group.network, nodeId: 1 }));
    const unbroken: boolean[] = [];
    const observer = { stepped: (core: CoreState, { type }: CoreEvent): void => { if (type === "quorum") unbroken.push(core.unbroken); }, applied: (): void => undefined };
    const replica = await group.start(1, { transport, quorum: "corosync", provide: { observer: () => observer } });
    await eventually(() => news.length > 0, "quorum was told");
    const [{ listener, ring, votes }] = news as [QuorumTold];
    listener.quorumChanged(true, ring, votes);
    await replica.ready();
    unbroken.length = 0;
    listener.quorumChanged(true, ring);
    listener.quorumChanged(false, ring);
    await eventually(() => unbroken.length === 2, "both were heard");
    expect(unbroken).toEqual([true, false]);
  });
});

describe("nets and parts", () => {
  it("finds by digests that a handler is not deterministic; the replica in the minority takes the others' state", async () => {
    group = new TestGroup(3);
    const limits = { digestIntervalMs: 40 };
    const replicas = await Promise.all([group.start(1, { limits }), group.start(2, { limits }), group.start(3, { limits, salt: 7 })]);
    await Promise.all(replicas.map((replica) => replica.ready()));
    const [first, , third] = replicas;
    await first.submit.salted("x");
    await eventually(() => third.state.values.get("x") === 7, "the third computed something else");
    await eventually(() => {
      void first.submit.echo("time goes on").catch(() => undefined);
      return third.state.values.get("x") === 0;
    }, "the third has the others' state");
    await third.ready();
    expect(await third.submit.add({ key: "y", by: 1 })).toBe(1);
  });

  it("stops where no digest of its state can be computed, and only there: the process and the other replicas go on", async () => {
    group = new TestGroup(3);
    const limits = { digestIntervalMs: 1 };
    const first = await group.start(1, { limits, provide: { applier: () => failing("digest", () => ({ position: 7, step: () => { throw new TypeError("no bytes for this"); } })) } });
    const [second, third] = await Promise.all([group.start(2, { limits }), group.start(3, { limits })]);
    await Promise.all([second.ready(), third.ready()]);
    await eventually(() => {
      void second.submit.echo("time goes on").catch(() => undefined);
      return first.role === "stopped";
    }, "it has noticed");
    expect(await first.stopped).toMatchObject({ code: "INVARIANT_VIOLATED", message: "no digest of the state at position 7 can be computed: no bytes for this" });
    expect(await second.submit.add({ key: "x", by: 1 })).toBe(1);
    await applied([third], "x", 1);
  });

  it.each(["aboutBytes", "slices"] as const)("breaks a transfer off that it cannot begin or go on with (%s); the member that came asks another one, and gets everything", async (part) => {
    group = new TestGroup(3);
    const errors: unknown[] = [];
    const logger: Logger = { debug() {}, info() {}, warn() {}, error: (fields, message) => { errors.push([message, fields["error"]]); } };
    // It has to be a snapshot; or what there is, the log or the state, whichever is smaller.
    const limits = part === "slices" ? { logRetentionBytes: 1 } : { incrementalBytes: 1 };
    let isWrong = false;
    const provide: TestOptions["provide"] = {
      applier: () => failing("capture", (source) => ({
        ...source,
        [part]: (sliceBytes: number) => {
          if (!isWrong) return source[part](sliceBytes);
          isWrong = false;
          throw new TypeError("no bytes for this");
        },
      })),
    };
    const [first, second] = await Promise.all([group.start(1, { limits, logger, provide }), group.start(2, { limits, logger, provide }), group.start(3).then((third) => third.ready().then(() => third.stop()))]);
    await Promise.all([first.ready(), second.ready()]);
    for (let n = 0; n < 20; n++) await first.submit.add({ key: `key ${n}`, by: 1 });
    isWrong = true;
    const third = await group.start(3, { limits });
    await third.ready();
    expect(errors).toEqual([["a transfer to a member was broken off", "no bytes for this"]]);
    expect(third.state.values.size).toBe(20);
    // Neither has stopped. On a busy machine they may just be agreeing on another view.
    await Promise.all([first.ready(), second.ready()]);
  });

  it("stops where what the group sends cannot be dealt with, and only there: the process and the other replicas go on", async () => {
    group = new TestGroup(3);
    const limits = { logRetentionBytes: 1 };
    const [first, second] = await Promise.all([group.start(1, { limits }), group.start(2, { limits }), group.start(3).then((third) => third.ready().then(() => third.stop()))]);
    await Promise.all([first.ready(), second.ready()]);
    for (let n = 0; n < 20; n++) await first.submit.add({ key: "x", by: 1 });
    const third = await group.start(3, { provide: { applier: () => failing("receive", (sink) => ({ write: () => { throw new TypeError("no room for this"); }, finish: () => sink.finish() })) } });
    expect(await third.stopped).toMatchObject({ code: "INVARIANT_VIOLATED", message: "the replica failed: TypeError: no room for this" });
    expect(await first.submit.add({ key: "x", by: 1 })).toBe(21);
    await applied([second], "x", 21);
  });

  it("runs with parts that the application provides", async () => {
    group = new TestGroup(1);
    const asked: string[] = [];
    const clock: Clock = { monotonicMs: () => performance.now(), wallMs: () => 1_000_000 };
    const replica = await group.start(1, {
      provide: {
        clock: () => clock,
        newIncarnation: () => () => "00000000000000ab",
        policy: () => ({ ...majorityPolicy, judge: (slots, reports) => { asked.push(slots.join()); return majorityPolicy.judge(slots, reports); } }),
      },
    });
    await replica.ready();
    expect(replica.inspect()).toMatchObject({ slot: 1, incarnation: "00000000000000ab", role: "active" });
    expect(asked).toContain("1");
    await replica.submit.echo("x");
    expect(replica.inspect().now).toBeGreaterThanOrEqual(1_000_000);
    expect(replica.inspect().now).toBeLessThan(1_000_000 + 60_000);
  });

  it("says in every line of its log of which group it is, for loggers that several replicas share", async () => {
    group = new TestGroup(1);
    const lines: { readonly group: unknown; readonly message: string }[] = [];
    const say = (fields: Readonly<Record<string, unknown>>, message: string): void => void lines.push({ group: fields["group"], message });
    const replica = await group.start(1, { transport: renewable(group.network, 1), logger: { debug: say, info: say, warn: say, error: say } });
    await replica.ready();
    group.network.kill(1);
    await eventually(() => replica.role === "joining", "it has noticed");
    await replica.stop();
    expect(lines.map(({ message }) => message)).toEqual(expect.arrayContaining(["the role changed", "a primary view was installed without a majority that remembers", "the group was lost; this replica tries to come back"]));
    expect(lines.filter((line) => line.group !== "counters")).toEqual([]);
  });

  it("works, and stops in order, although its logger throws at everything; the process is told once", async () => {
    group = new TestGroup(3);
    const warnings: string[] = [];
    const warn = vi.spyOn(process, "emitWarning").mockImplementation((warning) => void warnings.push(String(warning)));
    try {
      const fail = (): never => { throw new Error("its destination is closed"); };
      const logger = { debug: fail, info: fail, warn: fail, error: fail };
      const [first, second, third] = await Promise.all([group.start(1, { logger }), group.start(2), group.start(3)]);
      await Promise.all([first, second, third].map((replica) => replica.ready()));
      expect(await first.submit.add({ key: "x", by: 1 })).toBe(1);
      await first.stop();
      expect([first.role, await first.stopped]).toEqual(["stopped", undefined]);
      expect(await second.submit.add({ key: "x", by: 1 })).toBe(2);
    } finally {
      warn.mockRestore();
    }
    expect(warnings.filter((warning) => warning.includes("its destination is closed"))).toHaveLength(1);
  });

  it("ends everything that waits when it is stopped, each exactly once and truthfully", async () => {
    const [first] = await three();
    await first.submit.echo("the group has a time");
    group.network.pause(2);
    group.network.pause(3);
    const sent = first.submit.add({ key: "x", by: 1 });
    const outcome = codeOf(sent);
    await eventually(() => first.inspect().queue.inFlightBatches > 0 || first.inspect().positions.end > first.inspect().positions.committed, "it is sent");
    await first.stop();
    expect(await outcome).toBe("UNKNOWN_OUTCOME");
    expect(await codeOf(first.submit.echo("x"))).toBe("STOPPED");
    expect(await codeOf(first.ready())).toBe("STOPPED");
    expect(await first.stopped).toBeUndefined();
    await first.stop();
  });
});
