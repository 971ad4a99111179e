/** Processes and worker threads that end with open handles, and handles that nobody refers to any more. */
import { describe, expect, test } from "vitest";
import type { Recording } from "../support/client.js";
import { useDaemon } from "../support/use-daemon.js";

describe("a process", () => {
  const fixture = useDaemon();

  test.each(["process.exit", "an uncaught exception", "nothing left to do"] as const)("ends by %s with open handles under load, without a crash, and leaves its group", async (how) => {
    const [client, witness] = [fixture.client(), fixture.client()];
    const open = async (tools: import("../support/client.js").ClientTools): Promise<void> => {
      const recording = await tools.record();
      tools.kept["recording"] = recording;
      tools.kept["others"] = [await tools.corosync.Cmap.open(), await tools.corosync.Votequorum.open(), await tools.corosync.Quorum.open({ listener: { quorumChanged: () => undefined, ended: () => undefined } })];
      await recording.cpg.join("ending");
    };
    await witness.run(open);
    await client.run(open);
    const loading = witness.run(async ({ kept }) => {
      const { cpg, events } = kept["recording"] as Recording;
      const from = events.length;
      while (!events.slice(from).some((event) => event.kind === "change" && event.left.length > 0)) {
        if (cpg.multicast(Buffer.alloc(1000)) === "busy") await new Promise((resolve) => setTimeout(resolve, 1));
        else await new Promise((resolve) => setImmediate(resolve));
      }
      return events.findLast((event) => event.kind === "change");
    });
    await client.run(({ kept }, how) => {
      const { cpg } = kept["recording"] as Recording;
      // Requests are under way when it ends.
      for (let i = 0; i < 20; i += 1) cpg.membership("ending").catch(() => undefined);
      // The standby thread is at work when it ends, too.
      const until = performance.now() + 100;
      while (performance.now() < until);
      setImmediate(() => {
        if (how === "process.exit") process.exit(5);
        if (how === "an uncaught exception") throw new Error("uncaught, on purpose");
        const quorum = (kept["others"] as { unref?: () => void }[])[2];
        cpg.unref();
        quorum?.unref?.();
        process.disconnect();
      });
    }, how);
    const expected = { "process.exit": 5, "an uncaught exception": 1, "nothing left to do": 0 };
    expect(await client.exited()).toEqual({ code: expected[how], signal: null });
    expect(await loading).toMatchObject({ left: [{ pid: client.pid, reason: "procdown" }] });
  });

  test("stays alive for a handle that may still have news, until it is closed", async () => {
    const [client, witness] = [fixture.client(), fixture.client()];
    await client.run(async ({ record, kept }) => {
      const nothing = (): void => undefined;
      const heard = (): void => {
        process.exitCode = 3;
        void (kept["recording"] as Recording).cpg.close();
      };
      kept["recording"] = await record({ listener: { messages: heard, configurationChanged: nothing, ringChanged: nothing, ended: nothing } });
      await (kept["recording"] as Recording).cpg.join("alive");
    });
    // From now on nothing but the handle holds the client's event loop.
    client.child.disconnect();
    await witness.run(async ({ record }) => {
      const { cpg } = await record();
      await cpg.join("alive");
      cpg.multicast(Buffer.from("news"));
    });
    expect(await client.exited()).toEqual({ code: 3, signal: null });
  });
});

describe("a worker thread", () => {
  const fixture = useDaemon();

  /** Text of a worker: joins, then does as told. */
  const source = `
    const { parentPort, workerData } = require("node:worker_threads");
    (async () => {
      const { Cpg, Cmap } = await import(workerData.packageUrl);
      let heard = 0;
      const cmap = await Cmap.open();
      const cpg = await Cpg.open({ listener: { messages: (batch) => { heard += batch.length; }, configurationChanged() {}, ringChanged() {}, ended() {} } });
      parentPort.on("message", async (ask) => {
        if (ask === "heard") return parentPort.postMessage(heard);
        if (ask === "name") return parentPort.postMessage((await cmap.get("totem.cluster_name")).value);
        if (ask === "throw") throw new Error("in the worker");
      });
      try {
        await cpg.join(workerData.group);
        parentPort.postMessage("joined");
      } catch (error) {
        await cpg.close();
        parentPort.postMessage(error.code);
      }
    })();
  `;

  test("has handles of its own beside the main thread's, and a second thread in the same group is refused with EXIST", async () => {
    const result = await fixture.client().run(async ({ record, workers, packageUrl, until }, source) => {
      const { cpg, texts } = await record();
      await cpg.join("main");
      const start = (group: string): import("node:worker_threads").Worker => new workers.Worker(source, { eval: true, workerData: { packageUrl, group } });
      const next = (worker: import("node:worker_threads").Worker): Promise<unknown> => new Promise((resolve) => worker.once("message", resolve));
      const [own, colliding] = [start("worker"), start("main")];
      const joined = await Promise.all([next(own), next(colliding)]);
      own.postMessage("name");
      const name = await next(own);
      cpg.multicast(Buffer.from("main only"));
      await until(() => texts().length === 1);
      own.postMessage("heard");
      const heard = await next(own);
      await Promise.all([own.terminate(), colliding.terminate()]);
      return { joined, name, heard };
    }, source);
    expect(result).toEqual({ joined: ["joined", "EXIST"], name: "native-test", heard: 0 });
  });

  test.each(["terminate()", "an uncaught exception"] as const)("ends by %s under load, again and again: its handles are closed and the process goes on", async (how) => {
    const result = await fixture.client().run(async ({ record, workers, packageUrl, until, fs }, { source, how }) => {
      const { cpg, texts } = await record();
      await cpg.join("main");
      const watcher = (await record()).cpg;
      for (let round = 0; round < 8; round += 1) {
        const worker = new workers.Worker(source, { eval: true, workerData: { packageUrl, group: "worker" } });
        worker.on("error", () => undefined);
        await new Promise((resolve) => worker.once("message", resolve));
        for (let i = 0; i < 20; i += 1) cpg.multicast(Buffer.alloc(10));
        if (how === "terminate()") await worker.terminate();
        else {
          worker.postMessage("throw");
          await new Promise((resolve) => worker.once("exit", resolve));
        }
        await until(async () => (await watcher.membership("worker")).length === 0);
      }
      await until(() => texts().length === 160);
      const shared = (): number => fs.readdirSync("/dev/shm").filter((name) => name.includes(`-${process.pid}-`)).length;
      return { texts: texts().length, groups: await watcher.groups(), shared: shared() };
    }, { source, how });
    expect(result.texts).toBe(160);
    expect(result.groups).toEqual(["main"]);
  });
});

describe("a worker thread that is terminated inside a call", () => {
  const fixture = useDaemon();

  /** Text of a worker: opens, joins, says so, and then does nothing but call. */
  const source = `
    const { parentPort, workerData } = require("node:worker_threads");
    (async () => {
      const { Cpg, Cmap } = await import(workerData.packageUrl);
      const cpg = await Cpg.open({ listener: { messages() {}, configurationChanged() {}, ringChanged() {}, ended() {} } });
      const cmap = await Cmap.open();
      await cpg.join("worker");
      const message = Buffer.alloc(100);
      const messages = Array.from({ length: 63 }, () => message);
      const calls = {
        multicast: () => cpg.multicast(message),
        "multicast of pieces": () => cpg.multicast(messages),
        multicastEach: () => cpg.multicastEach(messages),
        ref: () => cpg.ref(),
        opening: () => Cpg.open({ tryAgainMs: 0, listener: { messages() {}, configurationChanged() {}, ringChanged() {}, ended() {} } }).then((other) => other.close()),
        "a request": () => cpg.flowControlState(),
        "a request with a text": () => cmap.get("totem.cluster_name"),
      };
      const call = calls[workerData.call];
      parentPort.postMessage("calling");
      for (;;) {
        let last;
        // Each handle has threads.
        for (let i = 0; i < (workerData.call === "opening" ? 8 : 2000); i += 1) last = call();
        await last;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
  `;

  test.each(["multicast", "multicast of pieces", "multicastEach", "ref", "opening", "a request", "a request with a text"])("%s: the process goes on, and the worker's handles are closed", async (call) => {
    const result = await fixture.client().run(async ({ record, workers, packageUrl, until }, { source, call }) => {
      const watcher = (await record()).cpg;
      let ended = 0;
      for (; ended < 25; ended += 1) {
        const worker = new workers.Worker(source, { eval: true, workerData: { packageUrl, call } });
        await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
        // No two of them at the same place.
        await new Promise((resolve) => setTimeout(resolve, (ended * 7) % 5));
        await worker.terminate();
        await until(async () => (await watcher.membership("worker")).length === 0);
      }
      return ended;
    }, { source, call });
    expect(result).toBe(25);
  });
});

describe("a handle that nobody refers to", () => {
  const fixture = useDaemon();

  test("goes on delivering while it is open, as a socket would, and is collected once closed", async () => {
    const result = await fixture.client().run(async ({ corosync, gc, until }) => {
      const heard: string[] = [];
      const open = async (): Promise<WeakRef<import("../../lib/index.js").Cpg>> => {
        const cpg = await corosync.Cpg.open({
          listener: {
            messages: (batch) => heard.push(Buffer.from(batch.data(0)).toString()),
            configurationChanged: () => undefined,
            ringChanged: () => undefined,
            ended: () => undefined,
          },
        });
        await cpg.join("unreferenced");
        return new WeakRef(cpg);
      };
      const reference = await open();
      const collected = async (): Promise<boolean> => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        gc();
        return reference.deref() === undefined;
      };
      for (let i = 0; i < 10; i += 1) await collected();
      const survived = reference.deref() !== undefined;
      reference.deref()?.multicast(Buffer.from("still here"));
      await until(() => heard.length === 1);
      await reference.deref()?.close();
      await until(collected);
      return { survived, heard };
    });
    expect(result).toEqual({ survived: true, heard: ["still here"] });
  });

  test("and has no events is closed when it is collected", async () => {
    const result = await fixture.client().run(async ({ corosync, gc, until, fs }) => {
      const sockets = (): number => fs.readdirSync("/proc/self/fd").length;
      const threads = (): number => fs.readdirSync("/proc/self/task").length;
      // Before the first handle: close() does not wait for the handle's thread to be gone.
      const before = { sockets: 0, threads: threads() };
      await (await corosync.Cmap.open()).close();
      before.sockets = sockets();
      const open = async (): Promise<void> => {
        const handles = [await corosync.Cmap.open(), await corosync.Votequorum.open()];
        if (handles.length !== 2) throw new Error("not open");
      };
      for (let i = 0; i < 5; i += 1) await open();
      const during = sockets();
      await until(() => {
        gc();
        return sockets() === before.sockets && threads() === before.threads;
      });
      return { grew: during > before.sockets };
    });
    expect(result).toEqual({ grew: true });
  });
});
