/** JavaScript that is busy, daemons that are frozen or dead: nothing hangs, nothing grows without bound, nothing is reordered. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { Client, Recording } from "../support/client.js";
import { useDaemon } from "../support/use-daemon.js";

/** Joins and keeps the recording for later calls. */
function joinAs(client: Client, options: { group: string; stallMs?: number; heldLimitBytes?: number }): Promise<void> {
  return client.run(async ({ record, kept }, { group, ...limits }) => {
    const recording = await record(limits);
    kept["recording"] = recording;
    await recording.cpg.join(group);
  }, options);
}

/** Numbered messages, as fast as they are taken. */
function flood(client: Client, options: { count: number; bytes: number }): Promise<void> {
  return client.run(async ({ kept }, { count, bytes }) => {
    const { cpg } = kept["recording"] as Recording;
    for (let i = 0; i < count; i += 1) {
      const message = Buffer.alloc(bytes, ".");
      message.write(`${i} `);
      while (cpg.multicast(message) === "busy") await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }, options);
}

/** What its own recording has so far. */
function untilHeard(client: Client, options: { messages: number; leavers: number }): Promise<void> {
  return client.run(async ({ kept, until }, { messages, leavers }) => {
    const { events, texts } = kept["recording"] as Recording;
    await until(() => texts().length >= messages && events.flatMap((event) => (event.kind === "change" ? event.left : [])).length >= leavers);
  }, options);
}

interface Blocked {
  /** Resolves when its event loop turns again. */
  readonly release: () => Promise<void>;
}

/** Blocks the client's event loop until it is released. A file tells it: nothing else reaches a process that does not turn. */
function block(client: Client, directory: string): Blocked {
  const path = join(directory, `release-${client.pid}`);
  const blocked = client.run(({ fs }, path) => {
    while (!fs.existsSync(path));
  }, path);
  return {
    release: () => {
      writeFileSync(path, "");
      return blocked;
    },
  };
}

/** What the daemon itself says: so many events have left its memory for the ring buffer (1 MiB) that it shares with that process. */
function untilDispatched(client: Client, options: { pid: number; count: number }): Promise<void> {
  return client.run(async ({ corosync, until }, { pid, count }) => {
    const stats = await corosync.Cmap.open({ map: "stats" });
    await until(async () => {
      const counters = (await stats.entries("stats.ipcs.")).filter(({ key }) => key.includes(`.${pid}.`) && key.endsWith(".dispatched"));
      return counters.some(({ value }) => Number(value) >= count);
    });
  }, options);
}

const numbers = (texts: string[]): number[] => texts.map((text) => Number(text.split(" ")[0]));

describe("a busy event loop", () => {
  const fixture = useDaemon();

  test("has its messages taken off the daemon's hands meanwhile, and gets them all, in order, afterwards", async () => {
    const [busy, sender] = [fixture.client(), fixture.client()];
    await joinAs(busy, { group: "busy" });
    await joinAs(sender, { group: "busy" });
    const blocked = block(busy, fixture.daemon.directory);
    await flood(sender, { count: 1500, bytes: 20_000 });
    await untilDispatched(sender, { pid: busy.pid, count: 1500 });
    await blocked.release();
    const texts = await busy.run(async ({ kept, until }) => {
      const { texts } = kept["recording"] as Recording;
      await until(() => texts().length === 1500);
      return texts();
    });
    expect(numbers(texts)).toEqual(Array.from({ length: 1500 }, (_, i) => i));
  });

  test("gets small messages by the hundred in one call, all of them in one piece of memory", async () => {
    const [busy, sender] = [fixture.client(), fixture.client()];
    await busy.run(async ({ corosync, kept }) => {
      const batches: { messages: number; memories: number }[] = [];
      kept["batches"] = batches;
      const cpg = await corosync.Cpg.open({
        listener: {
          messages: (batch) => {
            const memories = new Set(Array.from({ length: batch.length }, (_, i) => batch.data(i).buffer));
            batches.push({ messages: batch.length, memories: memories.size });
          },
          configurationChanged: () => undefined,
          ringChanged: () => undefined,
          ended: () => undefined,
        },
      });
      await cpg.join("batches");
    });
    await joinAs(sender, { group: "batches" });
    const blocked = block(busy, fixture.daemon.directory);
    await flood(sender, { count: 1500, bytes: 100 });
    await untilDispatched(sender, { pid: busy.pid, count: 1500 });
    await blocked.release();
    const batches = await busy.run(async ({ kept, until }) => {
      const batches = kept["batches"] as { messages: number; memories: number }[];
      await until(() => batches.reduce((sum, { messages }) => sum + messages, 0) === 1500);
      return batches;
    });
    expect(new Set(batches.map(({ memories }) => memories))).toEqual(new Set([1]));
    expect(Math.max(...batches.map(({ messages }) => messages)), JSON.stringify(batches)).toBeGreaterThan(100);
  });

  test("is told of configuration changes in their place among the messages of that time", async () => {
    const [busy, sender, visitor] = [fixture.client(), fixture.client(), fixture.client()];
    await joinAs(busy, { group: "interleaved" });
    await joinAs(sender, { group: "interleaved" });
    const blocked = block(busy, fixture.daemon.directory);
    // Each when the group has seen the one before: between two processes the daemon keeps no order, and what one that is killed had not yet been relieved of is lost.
    await flood(sender, { count: 50, bytes: 100 });
    await untilHeard(sender, { messages: 50, leavers: 0 });
    await joinAs(visitor, { group: "interleaved" });
    await flood(visitor, { count: 50, bytes: 100 });
    await untilHeard(sender, { messages: 100, leavers: 0 });
    await visitor.kill();
    await untilHeard(sender, { messages: 100, leavers: 1 });
    await flood(sender, { count: 50, bytes: 100 });
    await blocked.release();
    const order = await busy.run(async ({ kept, until }) => {
      const { events, texts } = kept["recording"] as Recording;
      await until(() => texts().length === 150);
      return events.map((event) => (event.kind === "message" ? `message ${event.pid}` : event.kind === "change" ? `${event.joined.length}+${event.left.length}-` : event.kind));
    });
    const runs = order.filter((what, i) => what !== order[i - 1]);
    expect(runs).toEqual(["1+0-", "ring", "1+0-", `message ${sender.pid}`, "1+0-", `message ${visitor.pid}`, "0+1-", `message ${sender.pid}`]);
  });

  test("holds little memory for single messages between configuration changes, which heldLimitBytes counts as little", async () => {
    const [busy, visitor] = [fixture.client(), fixture.client()];
    const visits = 600;
    await joinAs(busy, { group: "visited" });
    const blocked = block(busy, fixture.daemon.directory);
    const dataBytes = (): number => 1024 * Number(/VmData:\s+(\d+) kB/.exec(readFileSync(`/proc/${busy.pid}/status`, "utf8"))?.[1]);
    const before = dataBytes();
    await visitor.run(async ({ record }, visits) => {
      for (let i = 0; i < visits; i += 1) {
        const { cpg } = await record();
        await cpg.join("visited");
        cpg.multicast(Buffer.from("x"));
        await cpg.leave();
      }
    }, visits);
    await untilDispatched(visitor, { pid: busy.pid, count: 3 * visits });
    const heldBytes = dataBytes() - before;
    await blocked.release();
    const kinds = await busy.run(async ({ kept, until }, visits) => {
      const { events } = kept["recording"] as Recording;
      await until(() => events.length >= 2 + 3 * visits);
      return events.map(({ kind }) => kind);
    }, visits);
    expect(kinds).toEqual(["change", "ring", ...Array.from({ length: visits }, () => ["change", "message", "change"]).flat()]);
    // So many slabs of the usual size are 39 MB; this takes 3, under AddressSanitizer 20.
    expect(heldBytes).toBeLessThan(30_000_000);
  });

  test("is evicted when more than heldLimitBytes wait: the group sees it go, and its listener hears a prefix and then why", async () => {
    const [busy, sender] = [fixture.client(), fixture.client()];
    await joinAs(busy, { group: "evicted", heldLimitBytes: 4 * 1024 * 1024 });
    await joinAs(sender, { group: "evicted" });
    const blocked = block(busy, fixture.daemon.directory);
    await flood(sender, { count: 1000, bytes: 20_000 });
    const left = await sender.run(async ({ kept, until }) => {
      const { events } = kept["recording"] as Recording;
      const left = (): unknown[] => events.flatMap((event) => (event.kind === "change" ? event.left : []));
      await until(() => left().length > 0);
      return left();
    });
    expect(left).toEqual([{ nodeId: 7, pid: busy.pid, reason: "procdown" }]);
    await blocked.release();
    const { texts, last, code, closed } = await busy.run(async ({ kept, until, corosync }) => {
      const { events, texts, cpg } = kept["recording"] as Recording;
      await until(() => events.at(-1)?.kind === "ended");
      let code = "";
      try {
        cpg.multicast(Buffer.from("x"));
      } catch (error) {
        if (corosync.isCorosyncError(error)) code = error.code;
      }
      return { texts: texts(), last: events.at(-1), code, closed: cpg.closed };
    });
    expect(last).toEqual({ kind: "ended", code: "EVICTED" });
    expect(code).toBe("EVICTED");
    expect(closed).toBe(true);
    expect(texts.length).toBeGreaterThan(100);
    expect(texts.length).toBeLessThan(1000);
    expect(numbers(texts)).toEqual(Array.from({ length: texts.length }, (_, i) => i));
  });

  test("that takes messages all the time, but slower than they come, is evicted too: they would wait in the daemon, without bound", async () => {
    const [slow, sender] = [fixture.client(), fixture.client()];
    const count = 3000;
    await slow.run(async ({ corosync, kept }) => {
      const heard: { messages: number; ended?: string } = { messages: 0 };
      kept["heard"] = heard;
      const cpg = await corosync.Cpg.open({
        heldLimitBytes: 4 * 1024 * 1024,
        stallMs: 50,
        listener: {
          // A slab of 64 KiB takes 15 ms: a third of what would be standing still.
          messages: (batch) => {
            heard.messages += batch.length;
            const until = performance.now() + 15;
            while (performance.now() < until);
          },
          configurationChanged: () => undefined,
          ringChanged: () => undefined,
          ended: ({ code }) => { heard.ended = code; },
        },
      });
      await cpg.join("slow");
    });
    await joinAs(sender, { group: "slow" });
    await sender.run(async ({ kept }, { count, pid }) => {
      const { cpg, events } = kept["recording"] as Recording;
      const message = Buffer.alloc(20_000);
      const gone = (): boolean => events.some((event) => event.kind === "change" && event.left.some((left) => left.pid === pid));
      for (let i = 0; i < count && !gone(); i += 1) {
        while (cpg.multicast(message) === "busy") await new Promise((resolve) => setTimeout(resolve, 1));
        if (i % 16 === 0) await new Promise(setImmediate);
      }
    }, { count, pid: slow.pid });
    const heard = await slow.run(async ({ kept, until }, count) => {
      const heard = kept["heard"] as { messages: number; ended?: string };
      await until(() => heard.ended !== undefined || heard.messages === count);
      return heard;
    }, count);
    expect(heard.ended, JSON.stringify(heard)).toBe("EVICTED");
    expect(heard.messages).toBeLessThan(count);
  });

  test("that sends without a pause and is evicted by its own messages is told so by every way of sending, before its listener is", async () => {
    const client = fixture.client();
    await joinAs(client, { group: "own messages", heldLimitBytes: 4 * 1024 * 1024 });
    const codes = await client.run(({ kept, corosync }) => {
      const { cpg, events } = kept["recording"] as Recording;
      const message = Buffer.alloc(60_000);
      const code = (send: () => unknown): unknown => {
        try {
          return send();
        } catch (error) {
          return corosync.isCorosyncError(error) ? error.code : String(error);
        }
      };
      const deadline = performance.now() + 60_000;
      while (["queued", "busy"].includes(String(code(() => cpg.multicast(message)))) && performance.now() < deadline);
      return {
        multicast: code(() => cpg.multicast(message)),
        "multicast of pieces": code(() => cpg.multicast([message, message])),
        "multicastEach of one": code(() => cpg.multicastEach([message])),
        "multicastEach from the middle": code(() => cpg.multicastEach([message, message, message, message], 2)),
        listener: events.some((event) => event.kind === "ended"),
      };
    });
    expect(codes).toEqual({ multicast: "EVICTED", "multicast of pieces": "EVICTED", "multicastEach of one": "EVICTED", "multicastEach from the middle": "EVICTED", listener: false });
  });

  test("still turns while a flood comes in", async () => {
    const [listener, sender] = [fixture.client(), fixture.client()];
    await joinAs(listener, { group: "turning" });
    await joinAs(sender, { group: "turning" });
    const flooding = flood(sender, { count: 20_000, bytes: 200 });
    const turns = await listener.run(async ({ kept, until }) => {
      const { texts } = kept["recording"] as Recording;
      let turns = 0;
      const turn = (): void => {
        turns += 1;
        if (texts().length < 20_000) setImmediate(turn);
      };
      turn();
      await until(() => texts().length === 20_000);
      return turns;
    });
    await flooding;
    // A turn takes a slab or 8192 messages at most; in practice the sender is slower than that.
    expect(turns).toBeGreaterThan(10);
  });
});

describe("a frozen daemon", () => {
  const fixture = useDaemon();
  afterEach(() => fixture.daemon.signal("SIGCONT"));

  test("makes multicast busy instead of hanging, and the messages it took come, once, in order, when it goes on", async () => {
    const client = fixture.client();
    await joinAs(client, { group: "frozen" });
    fixture.daemon.signal("SIGSTOP");
    const { taken, ms } = await client.run(({ kept }) => {
      const { cpg } = kept["recording"] as Recording;
      const from = performance.now();
      let taken = 0;
      while (taken < 5000 && cpg.multicast(Buffer.from(String(taken))) === "queued") taken += 1;
      return { taken, ms: performance.now() - from };
    });
    // libqb itself would spin for ever once the socket's buffer is full, at 279 here.
    expect(taken).toBeGreaterThan(50);
    expect(taken).toBeLessThan(1000);
    expect(ms).toBeLessThan(10_000);
    fixture.daemon.signal("SIGCONT");
    const texts = await client.run(async ({ kept, until }, taken) => {
      const { texts, cpg } = kept["recording"] as Recording;
      await until(() => texts().length === taken);
      await until(() => cpg.multicast(Buffer.from("end")) === "queued");
      await until(() => texts().at(-1) === "end");
      return texts();
    }, taken);
    expect(texts).toEqual([...Array.from({ length: taken }, (_, i) => String(i)), "end"]);
  });

  test("holds up neither the event loop nor file access, only the calls that need it; multicast is busy meanwhile", async () => {
    const client = fixture.client();
    await joinAs(client, { group: "waiting" });
    fixture.daemon.signal("SIGSTOP");
    const { answers, busy } = await client.run(async ({ kept, fs, corosync, until }) => {
      const { cpg } = kept["recording"] as Recording;
      // More waiting calls than libuv's pool has threads.
      const cmaps = Array.from({ length: 5 }, () => corosync.Cmap.open());
      kept["pending"] = [cpg.membership("waiting"), ...cmaps.map(async (opening) => (await opening).get("totem.cluster_name"))];
      // As soon as a thread has begun to ask. libqb has room for 279 messages.
      let busy = cpg.multicast(Buffer.from("x"));
      for (let sent = 1; busy === "queued" && sent < 200; sent += 1) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        busy = cpg.multicast(Buffer.from("x"));
      }
      let ticks = 0;
      const interval = setInterval(() => (ticks += 1), 5);
      const answers = await Promise.all(Array.from({ length: 8 }, () => fs.promises.readFile("/proc/self/status", "utf8")));
      await until(() => ticks > 10);
      clearInterval(interval);
      return { answers: answers.length, busy };
    });
    expect(answers).toBe(8);
    expect(busy).toBe("busy");
    fixture.daemon.signal("SIGCONT");
    const late = await client.run(async ({ kept }) => (await Promise.all(kept["pending"] as Promise<unknown>[])).length);
    expect(late).toBe(6);
  });

  test("does not keep a handle from closing, nor a process from ending", async () => {
    const client = fixture.client();
    await client.run(async ({ record, kept }) => {
      kept["one"] = await record({ closeMs: 100 });
      kept["two"] = await record();
      await (kept["one"] as Recording).cpg.join("one");
      await (kept["two"] as Recording).cpg.join("two");
    });
    fixture.daemon.signal("SIGSTOP");
    const { ms, code } = await client.run(async ({ kept }) => {
      const { cpg } = kept["one"] as Recording;
      const asked = cpg.membership("one").then(() => "answered", (error: { code?: string }) => error.code);
      const from = performance.now();
      await cpg.close();
      return { ms: performance.now() - from, code: await asked };
    });
    expect(ms).toBeLessThan(30_000);
    expect(code).toBe("BAD_HANDLE");
    const from = performance.now();
    await client.run(({ kept }) => void (kept["two"] as Recording).cpg.unref());
    client.child.disconnect();
    expect(await client.exited()).toEqual({ code: 0, signal: null });
    expect(performance.now() - from).toBeLessThan(30_000);
  });
});

describe("an open() of a frozen daemon that is given up", () => {
  const fixture = useDaemon();

  test("does not keep the process from ending, and leaves nothing behind when the daemon goes on", async () => {
    const [ending, staying] = [fixture.client(), fixture.client()];
    fixture.daemon.signal("SIGSTOP");
    for (const client of [ending, staying]) {
      const code = await client.run(async ({ corosync, fs, kept, until }) => {
        const threads = (): number => fs.readdirSync("/proc/self/task").length;
        kept["before"] = threads();
        const controller = new AbortController();
        const opening = corosync.Cmap.open({ closeMs: 100, signal: controller.signal }).then(() => "opened", (error: { code?: string }) => error.code);
        await until(() => threads() > (kept["before"] as number));
        controller.abort();
        return opening;
      });
      expect(code).toBe("ABORTED");
    }
    ending.child.disconnect();
    expect(await ending.exited()).toEqual({ code: 0, signal: null });
    fixture.daemon.signal("SIGCONT");
    const left = await staying.run(async ({ corosync, fs, kept, until }) => {
      const count = (): { threads: number; shared: number } => ({
        threads: fs.readdirSync("/proc/self/task").length - (kept["before"] as number),
        shared: fs.readdirSync("/dev/shm").filter((name) => name.includes(`-${process.pid}-`)).length,
      });
      await until(() => count().threads === 0 && count().shared === 0).catch(() => undefined);
      const left = count();
      const cmap = await corosync.Cmap.open();
      return { ...left, name: (await cmap.get("totem.cluster_name"))?.value };
    });
    expect(left).toEqual({ threads: 0, shared: 0, name: "native-test" });
  });
});

describe("a dead daemon", () => {
  const fixture = useDaemon();

  test("ends its handles with LIBRARY and makes their calls fail so; a new one works when it is back", async () => {
    const client = fixture.client();
    await joinAs(client, { group: "dying" });
    const others = client.run(async ({ corosync, kept }) => {
      const ended: string[] = [];
      kept["ended"] = ended;
      const note = (name: string) => (error: { code: string }) => ended.push(`${name} ${error.code}`);
      const quorum = await corosync.Quorum.open({ listener: { quorumChanged: () => undefined, ended: note("quorum") } });
      await quorum.trackStart();
      await corosync.Cfg.open({ listener: { shutdownRequested: () => undefined, ended: note("cfg") } });
    });
    await others;
    await fixture.daemon.kill();
    const { last, codes } = await client.run(async ({ kept, until, corosync }) => {
      const { events, cpg } = kept["recording"] as Recording;
      await until(() => events.at(-1)?.kind === "ended");
      await until(() => (kept["ended"] as string[]).length === 2);
      const code = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => "resolved", (error: { code?: string }) => error.code);
      let multicast = "queued";
      try {
        cpg.multicast(Buffer.from("x"));
      } catch (error) {
        if (corosync.isCorosyncError(error)) multicast = error.code;
      }
      await cpg.close();
      return { last: events.at(-1), codes: [multicast, await code(cpg.membership("dying")), await code(corosync.Cmap.open()), ...(kept["ended"] as string[]).sort()] };
    });
    expect(last).toEqual({ kind: "ended", code: "LIBRARY" });
    expect(codes).toEqual(["LIBRARY", "LIBRARY", "LIBRARY", "cfg LIBRARY", "quorum LIBRARY"]);
    await fixture.daemon.run();
    await joinAs(client, { group: "dying" });
    const members = await client.run(({ kept }) => (kept["recording"] as Recording).events[0]);
    expect(members).toMatchObject({ kind: "change", members: [{ pid: client.pid }] });
  });
});
