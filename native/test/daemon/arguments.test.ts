/** Wrong arguments of calls on open handles: refused at once with a typed error that says what is expected, and nothing is done. */
import { describe, expect, test } from "vitest";
import { useDaemon } from "../support/use-daemon.js";

describe("wrong arguments", () => {
  const fixture = useDaemon();

  test("of Cpg are refused, nothing is sent, and the handle goes on", async () => {
    const { refusals, largest, texts } = await fixture.client().run(async ({ record, until }) => {
      const { cpg, texts } = await record();
      const given = new Uint8Array(4);
      structuredClone(given, { transfer: [given.buffer] });
      const refusals: [call: string, code: string, message: string][] = [];
      const refused = async (name: string, call: () => unknown): Promise<void> => {
        try {
          await call();
          refusals.push([name, "taken", ""]);
        } catch (error) {
          const { code, message } = error as Error & { code: string };
          refusals.push([name, code, message]);
        }
      };
      const any = (value: unknown): never => value as never;
      const groups = [undefined, null, 5, "", "a\0b", { length: 3 }, "a\ud800"];
      for (const group of groups) {
        await refused("a group", () => cpg.join(any(group)));
        await refused("a group", () => cpg.membership(any(group)));
        if (group !== undefined) await refused("a group", () => cpg.members(any(group)));
      }
      await refused("a long group", () => cpg.join("é".repeat(64)));
      await cpg.join("é".repeat(63));
      const message = Buffer.from("never");
      for (const value of [undefined, null, "text", 5, new ArrayBuffer(4), new Uint16Array(2), { length: 1, 0: message }]) await refused("a message", () => cpg.multicast(any(value)));
      // The message is what it is for instanceof as well, and has no bytes.
      await refused("a message", () => cpg.multicast(Object.create(Uint8Array.prototype) as Uint8Array));
      for (const pieces of [[message, "text"], [undefined], [[message]], Array.from({ length: 1 }), [Object.create(Uint8Array.prototype)]]) await refused("a piece", () => cpg.multicast(any(pieces)));
      for (const gone of [given, [message, given]]) await refused("memory", () => cpg.multicast(gone));
      await refused("memory", () => cpg.multicastEach([given]));
      await refused("63 pieces", () => cpg.multicast(Array.from({ length: 64 }, () => message)));
      for (const guarantee of [null, "Agreed", "toString", "constructor", 2, Symbol("agreed")]) {
        await refused("a guarantee", () => cpg.multicast(message, any(guarantee)));
        await refused("a guarantee", () => cpg.multicastEach([message], 0, any(guarantee)));
      }
      for (const messages of [undefined, null, message, "text", { length: 1, 0: message }]) await refused("an array", () => cpg.multicastEach(any(messages)));
      for (const messages of [[message, "text"], [message, undefined], [message, [message]]]) await refused("each a message", () => cpg.multicastEach(any(messages)));
      for (const from of [-1, 2, 0.5, "0", null, Number.NaN]) await refused("from", () => cpg.multicastEach([message], any(from)));
      for (const bytes of [undefined, 0, -1, 0.5, "5", cpg.maxAtomicMessageBytes + 1]) await refused("bytes", () => cpg.allocateZeroCopy(any(bytes)));
      const buffer = await cpg.allocateZeroCopy(10);
      for (const length of [-1, 11, 0.5, "5", null]) await refused("length", () => buffer.multicast(any(length)));
      cpg.multicast(Buffer.from("sent"));
      await until(() => texts().length > 0);
      return { refusals, largest: cpg.maxAtomicMessageBytes, texts: texts() };
    });
    const says: Record<string, string> = {
      "a group": "a group's name ",
      "a message": "a message is a Uint8Array, or an array of them",
      "a piece": "every piece of one, is a Uint8Array",
      memory: "the memory of this Uint8Array was given away",
      "63 pieces": "at most 63 pieces, not 64",
      "a guarantee": 'the guarantee must be "unordered" or "fifo" or "agreed" or "safe", not ',
      "an array": "messages must be an array, each a Uint8Array",
      "each a message": "every message, and every piece of one, is a Uint8Array",
      from: "from must be a whole number from 0 to 1, not ",
      bytes: `bytes must be a whole number from 1 to ${largest}, not `,
      length: "length must be a whole number from 0 to 10, not ",
    };
    for (const [name, code, message] of refusals) {
      if (name === "a long group") expect(code).toBe("NAME_TOO_LONG");
      else expect([code, message], name).toEqual(["INVALID_PARAM", expect.stringContaining(says[name] ?? "")]);
    }
    expect(refusals).toHaveLength(20 + 1 + 8 + 5 + 3 + 1 + 12 + 5 + 3 + 6 + 6 + 5);
    expect(texts).toEqual(["sent"]);
  });

  test("what is checked is what is sent: arrays that are proxies or have getters, and bytes of other contexts, are taken as they are at the call", async () => {
    const texts = await fixture.client().run(async ({ record, until, runInNewContext }) => {
      const { cpg, texts } = await record();
      await cpg.join("odd");
      const piece = (text: string): Uint8Array => Buffer.from(text);
      const proxy = new Proxy([piece("pro"), piece("xy")], {});
      cpg.multicast(proxy);
      cpg.multicastEach(proxy);
      // The second time it is read, it is something else.
      const getter = Object.defineProperty([piece("get"), piece("")], 1, { get: () => (Object.defineProperty(getter, 1, { value: "no bytes" }), piece("ter")), configurable: true });
      cpg.multicast(getter);
      cpg.multicast(runInNewContext("new Uint8Array([118, 109])") as Uint8Array);
      await until(() => texts().includes("vm"));
      return texts();
    });
    expect(texts).toEqual(["proxy", "pro", "xy", "getter", "vm"]);
  });

  test("of Votequorum and Cmap are refused", async () => {
    const codes = await fixture.client().run(async ({ corosync }) => {
      const [votequorum, cmap] = [await corosync.Votequorum.open(), await corosync.Cmap.open()];
      const code = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => "taken", ({ code, call }: { code?: string; call?: string }) => `${call} ${code}`);
      const any = (value: unknown): never => value as never;
      return {
        info: await Promise.all([null, -1, 0.5, "7", 2 ** 32].map((nodeId) => code(votequorum.info(any(nodeId))))),
        get: await Promise.all([undefined, null, 5, {}, "a\0b", "\udc00a"].map((key) => code(cmap.get(any(key))))),
        entries: await Promise.all([undefined, null, 5, {}, "a\0b", "\udc00a"].map((prefix) => code(cmap.entries(any(prefix))))),
        longKey: await code(cmap.get("k".repeat(256))),
      };
    });
    expect(new Set(codes.info)).toEqual(new Set(["votequorum_getinfo INVALID_PARAM"]));
    expect(new Set(codes.get)).toEqual(new Set(["cmap_get INVALID_PARAM"]));
    expect(new Set(codes.entries)).toEqual(new Set(["cmap_iter_init INVALID_PARAM"]));
    expect(codes.longKey).toBe("cmap_get NAME_TOO_LONG");
  });

  test("of Cfg are refused: no kind of shutdown is asked for, and no answer counts, but those there are", async () => {
    const [service, admin] = [fixture.client(), fixture.client()];
    await service.run(async ({ corosync, kept }) => {
      const code = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => "taken", (error: Error) => error.message);
      const heard: unknown[] = [];
      kept["heard"] = heard;
      const cfg = await corosync.Cfg.open({
        listener: {
          shutdownRequested: (kind) => {
            heard.push(kind);
            const wrong = [undefined, null, "maybe", "Yes", true, 1].map((answer) => code(cfg.replyToShutdown(answer as never)));
            void Promise.all(wrong).then((refusals) => heard.push(...refusals)).then(() => cfg.replyToShutdown("no"));
          },
          ended: (error) => heard.push(error.code),
        },
      });
      await cfg.trackStart();
    });
    const codes = await admin.run(async ({ corosync }) => {
      const cfg = await corosync.Cfg.open({ listener: { shutdownRequested: () => undefined, ended: () => undefined } });
      const code = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => "taken", (error: Error) => error.message);
      const codes = [];
      for (const kind of [undefined, null, "x", "Request", 0, -1, "toString"]) codes.push(await code(cfg.tryShutdown(kind as never)));
      return { codes, request: await cfg.tryShutdown("request").then(() => "stopped", (error: { code?: string }) => error.code) };
    });
    for (const message of codes.codes) expect(message).toMatch(/corosync_cfg_try_shutdown: .*the kind must be "request" or "regardless" or "immediate", not .*INVALID_PARAM/);
    expect(codes.request).toBe("BUSY");
    const heard = await service.run(({ kept }) => kept["heard"] as string[]);
    expect(heard).toEqual(["request", ...Array.from({ length: 6 }, () => expect.stringMatching(/corosync_cfg_replyto_shutdown: .*the answer must be "no" or "yes", not .*INVALID_PARAM/))]);
  });
});
