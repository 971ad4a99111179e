/** What a group's members are told, and what they can say and ask. */
import { describe, expect, test } from "vitest";
import { useDaemon } from "../support/use-daemon.js";

describe("cpg", () => {
  const fixture = useDaemon();

  test("the listener hears the join, the initial ring and the own messages, in this order", async () => {
    const { events, local, group } = await fixture.client().run(async ({ record, until }) => {
      const { cpg, events, texts } = await record();
      await cpg.join("order");
      const { local, group } = cpg;
      for (const text of ["a", "", "c"]) cpg.multicast(Buffer.from(text));
      await until(() => texts().length === 3);
      await cpg.leave();
      return { events, local, group };
    });
    expect(group).toBe("order");
    expect(local.nodeId).toBe(7);
    expect(events.map((event) => event.kind)).toEqual(["change", "ring", "message", "message", "message", "change"]);
    expect(events[0]).toEqual({ kind: "change", members: [local], joined: [{ ...local, reason: "join" }], left: [] });
    expect(events[1]).toMatchObject({ ring: { nodeId: 7, seq: expect.any(BigInt) }, nodes: [7] });
    expect(events.slice(2, 5)).toEqual(["a", "", "c"].map((text) => ({ kind: "message", text, ...local })));
    expect(events[5]).toEqual({ kind: "change", members: [], joined: [], left: [{ ...local, reason: "leave" }] });
  });

  test("without initialRing no ring is told after the join", async () => {
    const kinds = await fixture.client().run(async ({ record, until }) => {
      const { cpg, events, texts } = await record({ initialRing: false });
      await cpg.join("no-ring");
      cpg.multicast(Buffer.from("after"));
      await until(() => texts().length === 1);
      return events.map((event) => event.kind);
    });
    expect(kinds).toEqual(["change", "message"]);
  });

  test("two processes hear the same messages in the same order, and each other's coming and going with the reason", async () => {
    const [one, two] = [fixture.client(), fixture.client()];
    const join = (client: typeof one): Promise<void> =>
      client.run(async ({ record, kept }) => {
        kept["recording"] = await record();
        await (kept["recording"] as Awaited<ReturnType<typeof record>>).cpg.join("pair");
      });
    const talk = (client: typeof one, name: string): Promise<string[]> =>
      client.run(async ({ kept, until }, name) => {
        const { cpg, texts } = kept["recording"] as import("../support/client.js").Recording;
        for (let i = 0; i < 500; i += 1) {
          while (cpg.multicast(Buffer.from(`${name}${i}`)) === "busy") await new Promise((resolve) => setTimeout(resolve, 1));
        }
        await until(() => texts().length === 1000);
        return texts();
      }, name);
    await join(one);
    await join(two);
    const [heard, alsoHeard] = await Promise.all([talk(one, "a"), talk(two, "b")]);
    expect(heard).toEqual(alsoHeard);
    expect(heard.filter((text) => text.startsWith("a"))).toEqual(Array.from({ length: 500 }, (_, i) => `a${i}`));
    await two.kill();
    const changes = await one.run(async ({ kept, until }) => {
      const { events } = kept["recording"] as import("../support/client.js").Recording;
      const changes = (): (typeof events)[number][] => events.filter((event) => event.kind === "change");
      await until(() => changes().length === 3);
      return changes();
    });
    expect(changes[1]).toMatchObject({ joined: [{ nodeId: 7, pid: two.pid, reason: "join" }] });
    expect(changes[2]).toMatchObject({ left: [{ nodeId: 7, pid: two.pid, reason: "procdown" }] });
  });

  test("messages of every size up to the largest arrive whole; a larger one is refused before anything is sent", async () => {
    const { largest, damaged, refusal } = await fixture.client().run(async ({ corosync, until }) => {
      const arrived: Uint8Array[] = [];
      const cpg = await corosync.Cpg.open({
        listener: {
          messages: (batch) => {
            for (let i = 0; i < batch.length; i += 1) arrived.push(batch.data(i));
          },
          configurationChanged: () => undefined,
          ringChanged: () => undefined,
          ended: () => undefined,
        },
      });
      await cpg.join("sizes");
      const largest = cpg.maxAtomicMessageBytes;
      const fill = (bytes: number): Buffer => Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => (i * 31 + (i >> 8)) & 0xff));
      const sizes = [0, 1, 7, 8, 9, 4095, 65_535, 65_536, 262_144, 1_000_000, largest];
      for (const bytes of sizes) while (cpg.multicast(fill(bytes)) === "busy") await new Promise((resolve) => setTimeout(resolve, 1));
      await until(() => arrived.length === sizes.length);
      let refusal = "";
      try {
        cpg.multicast(Buffer.alloc(largest + 1));
      } catch (error) {
        refusal = corosync.isCorosyncError(error, "TOO_BIG") ? "TOO_BIG" : String(error);
      }
      return { largest, refusal, damaged: sizes.filter((bytes, i) => !fill(bytes).equals(arrived[i] ?? Buffer.alloc(0))) };
    });
    expect(largest).toBe(1_047_552);
    expect(refusal).toBe("TOO_BIG");
    expect(damaged).toEqual([]);
  });

  test("the pieces of an array are one message; each element of multicastEach is its own", async () => {
    const { texts, sent } = await fixture.client().run(async ({ record, until }) => {
      const { cpg, texts } = await record();
      await cpg.join("pieces");
      cpg.multicast(Array.from({ length: 63 }, (_, i) => Buffer.from(String(i % 10))));
      const sent = cpg.multicastEach(["skipped", "x", "y", "z"].map((text) => Buffer.from(text)), 1);
      await until(() => texts().length === 4);
      return { texts: texts(), sent };
    });
    expect(sent).toBe(4);
    expect(texts).toEqual([Array.from({ length: 63 }, (_, i) => String(i % 10)).join(""), "x", "y", "z"]);
  });

  test.each([1, 3])("of every %d. batch kept, each stays as it was delivered, however many follow", async (keepEach) => {
    const damaged = await fixture.client().run(async ({ corosync, until, gc }, every) => {
      const kept: [number, Uint8Array][] = [];
      let [batches, delivered] = [0, 0];
      const cpg = await corosync.Cpg.open({
        listener: {
          messages: (batch) => {
            batches += 1;
            for (let i = 0; i < batch.length; i += 1, delivered += 1) if (batches % every === 0) kept.push([delivered % 256, batch.data(i)]);
          },
          configurationChanged: () => undefined,
          ringChanged: () => undefined,
          ended: () => undefined,
        },
      });
      await cpg.join("kept");
      for (let i = 0; i < 2000; i += 1) {
        while (cpg.multicast(Buffer.alloc(i % 7 === 0 ? 30_000 : 100, i % 256)) === "busy") await new Promise((resolve) => setTimeout(resolve, 1));
        if (i % 500 === 0) gc();
      }
      await until(() => delivered === 2000);
      await cpg.close();
      gc();
      return { kept: kept.length, damaged: kept.filter(([value, data]) => data.some((byte) => byte !== value)).length };
    }, keepEach);
    expect(damaged.damaged).toBe(0);
    expect(damaged.kept).toBeGreaterThan(0);
  });

  test("membership, groups and members tell who is where", async () => {
    const [one, two] = [fixture.client(), fixture.client()];
    await two.run(async ({ record }) => (await record()).cpg.join("second ✓"));
    const answers = await one.run(async ({ record }) => {
      const { cpg } = await record();
      await cpg.join("first");
      return {
        local: cpg.local,
        membership: await cpg.membership("second ✓"),
        nobody: await cpg.membership("nobody"),
        groups: await cpg.groups(),
        members: await cpg.members(),
        ofOne: await cpg.members("first"),
        flow: await cpg.flowControlState(),
      };
    });
    expect(answers.membership).toMatchObject([{ nodeId: 7, pid: two.pid }]);
    expect(answers.nobody).toEqual([]);
    expect([...answers.groups].sort()).toEqual(["first", "second ✓"]);
    expect([...answers.members].sort((a, b) => a.group.localeCompare(b.group))).toEqual([
      { group: "first", nodeId: 7, pid: one.pid },
      { group: "second ✓", nodeId: 7, pid: two.pid },
    ]);
    expect(answers.ofOne).toEqual([{ group: "first", nodeId: 7, pid: one.pid }]);
    expect(answers.flow).toBe("disabled");
  });

  test("a zero-copy buffer's message arrives, and its memory is gone after free() and after close()", async () => {
    const result = await fixture.client().run(async ({ record, until }) => {
      const { cpg, texts } = await record();
      await cpg.join("zero-copy");
      const [one, two] = [await cpg.allocateZeroCopy(100), await cpg.allocateZeroCopy(1_000_000)];
      one.bytes.set(Buffer.from("in place"));
      await one.multicast(8);
      await until(() => texts().length === 1);
      await one.free();
      const afterFree = [one.bytes.byteLength, two.bytes.byteLength];
      const again = await one.free().catch((error: Error & { code?: string }) => error.code);
      await cpg.close();
      return { texts: texts(), afterFree, again, afterClose: two.bytes.byteLength };
    });
    expect(result).toEqual({ texts: ["in place"], afterFree: [0, 1_000_000], again: "INVALID_PARAM", afterClose: 0 });
  });

  test("a zero-copy buffer's memory that was moved by transfer() is refused from then on, and stays when the handle closes", async () => {
    // Before Node 22 it is there only when asked for.
    const options = "transfer" in ArrayBuffer.prototype ? [] : ["--harmony-rab-gsab-transfer"];
    const told = await fixture.client(options).run(async ({ record }) => {
      const { cpg } = await record();
      await cpg.join("moved");
      const buffer = await cpg.allocateZeroCopy(100_000);
      buffer.bytes.fill(7);
      const moved = new Uint8Array((buffer.bytes.buffer as ArrayBuffer & { transfer: () => ArrayBuffer }).transfer());
      const code = (promise: Promise<void>): Promise<unknown> => promise.then(() => "taken", (error: { code?: string }) => error.code);
      const codes = [await code(buffer.multicast(10)), await code(buffer.free())];
      await cpg.close();
      return { codes, length: buffer.bytes.length, sevens: moved.filter((byte) => byte === 7).length };
    });
    expect(told).toEqual({ codes: ["INVALID_PARAM", "INVALID_PARAM"], length: 0, sevens: 100_000 });
  });

  test("zero-copy buffers that are on their way when the handle closes, or when their worker ends, are given back", async () => {
    const left = await fixture.client().run(async ({ record, fs, workers, packageUrl, until }) => {
      const mapped = (): number => fs.readFileSync("/proc/self/maps", "utf8").split("\n").filter((line) => line.includes("zerocopy")).length;
      const { cpg } = await record();
      const kept = await cpg.allocateZeroCopy(100);
      const during = mapped();
      const codes = Array.from({ length: 5 }, () => cpg.allocateZeroCopy(100).then((buffer) => buffer.bytes.byteLength, (error: { code?: string }) => error.code));
      await cpg.close();
      const answers = new Set(await Promise.all(codes));
      const worker = new workers.Worker(`
        const { parentPort, workerData } = require("node:worker_threads");
        import(workerData).then(async ({ Cpg }) => {
          const cpg = await Cpg.open({ listener: { messages() {}, configurationChanged() {}, ringChanged() {}, ended() {} } });
          parentPort.postMessage((await cpg.allocateZeroCopy(100)).bytes.byteLength);
        });
      `, { eval: true, workerData: packageUrl });
      const allocated = await new Promise((resolve) => worker.once("message", resolve));
      await worker.terminate();
      await until(() => mapped() === 0).catch(() => undefined);
      return { during: during > 0, kept: kept.bytes.byteLength, answers: [...answers], allocated, after: mapped() };
    });
    expect(left).toEqual({ during: true, kept: 0, answers: ["BAD_HANDLE"], allocated: 100, after: 0 });
  });
});
