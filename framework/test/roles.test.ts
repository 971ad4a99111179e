/** Listeners to the role of a replica: they hear everything, in order, and nothing that they do harms the replica. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Logger } from "../src/logger.js";
import type { ReplicaRole } from "../src/replica-api.js";
import { Roles } from "../src/roles.js";
import { systemScheduler, type Scheduler } from "../src/scheduler.js";
import type { GroupTransport } from "../src/transport/group-transport.js";
import { createReplica } from "../src/create-replica.js";
import { eventually } from "./support/eventually.js";
import { counters, quickLimits, renewable, TestGroup, type TestReplica } from "./support/test-group.js";

let group: TestGroup;
let directory: string;
let errors: string[];
const logger: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: ({ error }, message) => { errors.push(`${message}: ${String(error)}`); } };

beforeEach(() => {
  group = new TestGroup(3);
  directory = mkdtempSync(join(tmpdir(), "lockstep-roles-"));
  errors = [];
});

afterEach(async () => {
  await group.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** What it comes to, a failure as a value; a promise that never settles fails by name. */
async function soon(promise: Promise<unknown>, what: string): Promise<unknown> {
  let settled: { readonly value: unknown } | undefined;
  const watch = async (): Promise<void> => {
    try {
      settled = { value: await promise };
    } catch (error) {
      settled = { value: error };
    }
  };
  void watch();
  await eventually(() => settled !== undefined, what);
  return settled?.value;
}

async function three(): Promise<[TestReplica, TestReplica, TestReplica]> {
  return (await group.startAll({ logger })) as [TestReplica, TestReplica, TestReplica];
}

describe("a listener that throws", () => {
  it("is reported; the replica goes on, and the other listeners hear what it heard", async () => {
    const [first, , third] = await three();
    const before: ReplicaRole[] = [];
    const after: ReplicaRole[] = [];
    first.onRoleChange((role) => { before.push(role); throw new Error(`no use for ${role}`); });
    first.onRoleChange((role) => { after.push(role); });
    await third.stop();
    await eventually(() => before.includes("active"), "the view changed");
    expect(await first.submit.add({ key: "x", by: 1 })).toBe(1);
    expect(after).toEqual(before);
    expect(errors.filter((error) => error.includes("no use for"))).toHaveLength(before.length);
    expect(errors[0]).toContain("a listener to changes of the role threw: Error: no use for changing");
    await first.stop();
    expect([before.at(-1), after.at(-1)]).toEqual(["stopped", "stopped"]);
  });

  it("is reported as well when it is async and rejects, which would end the process if nobody handled it", async () => {
    const replica = await group.start(1, { logger, slots: [1] });
    await replica.ready();
    const listener: (role: ReplicaRole) => unknown = async (role) => { await Promise.resolve(); throw new Error(`no use for ${role}`); };
    replica.onRoleChange(listener);
    await replica.stop();
    await eventually(() => errors.some((error) => error.includes("a listener to changes of the role threw: Error: no use for stopped")), "it is reported");
  });

  it("does not keep a replica from stopping, nor from giving its directory up", async () => {
    const durable = { durability: "disk", directory: join(directory, "1"), slots: [1] } as const;
    const replica = await group.start(1, { logger, ...durable });
    replica.onRoleChange(() => { throw new Error("a mistake"); });
    expect(await soon(replica.stop(), "stop() ends")).toBeUndefined();
    expect(await soon(replica.stopped, "it is told that it stopped")).toBeUndefined();
    const again = await group.start(1, durable);
    await again.ready();
  });
});

describe("the end of a replica", () => {
  it("comes to all of its parts when the transport cannot be closed: stop() says so, `stopped` is told, the directory is free", async () => {
    const transport = renewable(group.network, 1);
    const stuck: GroupTransport = { ...transport, close: async () => { await transport.close(); throw new Error("the handle is stuck"); } };
    const durable = { durability: "disk", directory: join(directory, "1"), slots: [1] } as const;
    const replica = await createReplica(counters(), { group: "counters", transport: stuck, logger, limits: quickLimits, ...durable });
    await replica.ready();
    await expect(replica.stop()).rejects.toThrow("the handle is stuck");
    expect(await soon(replica.stopped, "it is told that it stopped")).toBeUndefined();
    expect(errors).toEqual(["the replica could not be stopped in order: Error: the handle is stuck"]);
    await (await group.start(1, durable)).ready();
  });

  it.each(["changing", "minority", "active", "synchronising"] as const)("is final when a listener stops it as it is %s: nothing is answered late or never, and all hear the roles in order", async (at) => {
    const [first, second] = await three();
    const heard: ReplicaRole[] = [];
    let stopping: Promise<void> | undefined;
    first.onRoleChange((role) => { if (role === at) stopping ??= first.stop(); });
    first.onRoleChange((role) => { heard.push(role); });
    group.network.cut([[1], [2, 3]]);
    await eventually(() => first.role === "minority" || first.role === "stopped", "it was cut off");
    await second.submit.add({ key: "x", by: 1 });
    group.network.heal();
    await eventually(() => stopping !== undefined, `it was ${at}`);
    expect(await soon(stopping as Promise<void>, "stop() ends")).toBeUndefined();
    expect(await soon(first.stopped, "it is told that it stopped")).toBeUndefined();
    expect(first.role).toBe("stopped");
    expect(heard.slice(-2)).toEqual([at, "stopped"]);
    expect(heard.indexOf("stopped")).toBe(heard.length - 1);
    const late: (() => Promise<unknown>)[] = [() => first.submit.add({ key: "x", by: 1 }), () => first.query.total("x", { consistency: "linearizable" }), () => first.ready()];
    for (const ask of late) expect(await soon(ask(), "it is refused")).toMatchObject({ code: "STOPPED" });
    expect(await second.submit.add({ key: "x", by: 1 })).toBe(2);
    expect(errors).toEqual([]);
  });

  it("is final when a listener stops it as another one leaves: what its core had in mind besides is not done", async () => {
    const transport = renewable(group.network, 1);
    let isClosed = false;
    let late = 0;
    const watched: GroupTransport = {
      ...transport,
      multicast: (message) => { if (isClosed) late++; return transport.multicast(message); },
      close: () => { isClosed = true; return transport.close(); },
    };
    const [first, second, third] = await Promise.all([group.start(1, { transport: watched, logger }), group.start(2), group.start(3)]);
    await Promise.all([first, second, third].map((replica) => replica.ready()));
    const heard: ReplicaRole[] = [];
    let stopping: Promise<void> | undefined;
    first.onRoleChange((role) => { stopping ??= first.stop(); heard.push(role); });
    await third.stop();
    await eventually(() => stopping !== undefined, "the third has left");
    await stopping;
    expect([first.role, ...heard]).toEqual(["stopped", "changing", "stopped"]);
    expect(late, "messages after the end").toBe(0);
    expect(await soon(first.submit.add({ key: "x", by: 1 }), "a command is refused")).toMatchObject({ code: "STOPPED" });
    await eventually(() => second.role === "minority", "the second is alone");
  });

  it("is final when a listener stops it as its group is lost: it does not come back", async () => {
    const pending = new Set<() => void>();
    const scheduler: Scheduler = {
      ...systemScheduler,
      after: (ms, call) => {
        const cancel = systemScheduler.after(ms, () => { pending.delete(call); call(); });
        pending.add(call);
        return () => { pending.delete(call); cancel(); };
      },
    };
    const replica = await group.start(1, { transport: renewable(group.network, 1), slots: [1], logger, provide: { scheduler: () => scheduler } });
    await replica.ready();
    let stopping: Promise<void> | undefined;
    replica.onRoleChange((role) => { if (role === "joining") stopping ??= replica.stop(); });
    group.network.kill(1);
    await eventually(() => stopping !== undefined, "the group was lost");
    expect(await soon(stopping as Promise<void>, "stop() ends")).toBeUndefined();
    expect(pending.size, "waits that go on").toBe(0);
    expect(replica.role).toBe("stopped");
  });
});

describe("roles", () => {
  it("are told to every listener in order, also where one brings about the next; nothing comes after stopped", () => {
    const roles = new Roles(logger);
    const heard: string[] = [];
    roles.listen((role) => {
      heard.push(`first ${role}`);
      if (role !== "changing") return;
      roles.change("stopped", "it was enough");
      roles.change("active", undefined);
    });
    roles.listen((role, reason) => { heard.push(`second ${role}: ${reason ?? "no reason"}`); });
    roles.change("changing", undefined);
    roles.change("active", undefined);
    expect(heard).toEqual(["first changing", "second changing: no reason", "first stopped", "second stopped: it was enough"]);
    expect(roles.now).toEqual({ role: "stopped", reason: "it was enough" });
  });
});

describe("a replica to which nothing comes from its group, as when its daemon stands still", () => {
  it("is changing, and says why, from its first question that nothing comes back of; and active again with the first that comes", async () => {
    const warnings: string[] = [];
    const [first, second, third] = await group.startAll({ logger: { ...logger, warn: (_fields, message) => { warnings.push(message); } } }) as [TestReplica, TestReplica, TestReplica];
    await first.submit.add({ key: "x", by: 1 });
    const heard: [ReplicaRole, string | undefined][] = [];
    third.onRoleChange((role, reason) => { heard.push([role, reason]); });
    warnings.length = 0;
    group.network.pause(3);
    const waiting = third.submit.add({ key: "x", by: 10 });
    await eventually(() => third.role === "changing", "the third does not say that it is active");
    expect(third.inspect()).toMatchObject({ role: "changing", reason: expect.stringContaining("nothing comes from the group any more") as string });
    expect(warnings, "told once").toEqual([expect.stringContaining("nothing comes from the group any more")]);
    expect(await soon(third.ready({ timeoutMs: 50 }), "it is not ready")).toMatchObject({ code: "NOT_READY" });
    expect(await second.submit.add({ key: "x", by: 100 }), "the others go on").toBeGreaterThan(0);
    expect([first.role, second.role]).toEqual(["active", "active"]);

    group.network.resume(3);
    await third.ready();
    expect(await waiting).toBeGreaterThan(0);
    expect(await first.submit.add({ key: "x", by: 0 })).toBe(111);
    expect(heard[0]).toEqual(["changing", expect.stringContaining("nothing comes from the group any more")]);
    expect(heard.at(-1)).toEqual(["active", undefined]);
    expect(warnings).toContain("something comes from the group again");
  });
});
