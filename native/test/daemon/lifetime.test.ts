/** Wrong use, and the ends of handles: closing, leaving, exits, garbage. */
import { describe, expect, test } from "vitest";
import { useDaemon } from "../support/use-daemon.js";

describe("a handle", () => {
  const fixture = useDaemon();

  test("refuses wrong arguments with INVALID_PARAM or NAME_TOO_LONG, and goes on working", async () => {
    const codes = await fixture.client().run(async ({ record, corosync, until }) => {
      const { cpg, texts } = await record();
      const code = async (act: () => unknown): Promise<string> => {
        try {
          await act();
          return "taken";
        } catch (error) {
          return corosync.isCorosyncError(error) ? error.code : String(error);
        }
      };
      const wrong = (value: unknown): never => value as never;
      const codes: Record<string, string> = {
        "no name": await code(() => cpg.join("")),
        "a name with NUL": await code(() => cpg.join("a\0b")),
        "a number as name": await code(() => cpg.join(wrong(5))),
        "a name of 128 bytes": await code(() => cpg.join("é".repeat(64))),
      };
      await cpg.join("é".repeat(63));
      Object.assign(codes, {
        "a string as message": await code(() => cpg.multicast(wrong("text"))),
        "a wider array as message": await code(() => cpg.multicast(wrong(new Uint16Array(4)))),
        "undefined as message": await code(() => cpg.multicast(wrong(undefined))),
        "a piece that is no bytes": await code(() => cpg.multicast([Buffer.from("a"), wrong(null)])),
        "64 pieces": await code(() => cpg.multicast(Array.from({ length: 64 }, () => Buffer.from("a")))),
        "a start beyond the end": await code(() => cpg.multicastEach([], 1)),
        "too small a limit": await code(() => record({ heldLimitBytes: 1 })),
        "a fraction of a millisecond": await code(() => record({ stallMs: 0.5 })),
        "an unknown guarantee": await code(() => cpg.multicast(Buffer.from("a"), wrong("sometimes"))),
      });
      cpg.multicast(Buffer.from("still here"));
      await until(() => texts().length === 1);
      return codes;
    });
    const { "a name of 128 bytes": long, ...others } = codes;
    expect(long).toBe("NAME_TOO_LONG");
    expect(new Set(Object.values(others)), JSON.stringify(codes)).toEqual(new Set(["INVALID_PARAM"]));
  });

  test("takes messages only between join and leave, where Corosync would drop them without a word", async () => {
    const codes = await fixture.client().run(async ({ record, corosync }) => {
      const { cpg } = await record();
      const multicast = (): string => {
        try {
          return cpg.multicast(Buffer.from("x"));
        } catch (error) {
          return corosync.isCorosyncError(error) ? error.code : String(error);
        }
      };
      const codes = [multicast()];
      const joining = cpg.join("between");
      codes.push(multicast());
      await joining;
      codes.push(multicast());
      const leaving = cpg.leave();
      codes.push(multicast());
      await leaving;
      codes.push(multicast());
      return codes;
    });
    expect(codes).toEqual(["NOT_EXIST", "NOT_EXIST", "queued", "NOT_EXIST", "BAD_HANDLE"]);
  });

  test("joins once: a second join is EXIST, and after leaving it is closed", async () => {
    const codes = await fixture.client().run(async ({ record }) => {
      const { cpg } = await record();
      const other = (await record()).cpg;
      const code = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => "resolved", (error: { code?: string }) => error.code);
      await cpg.join("once");
      const codes = [await code(cpg.join("once")), await code(cpg.join("other")), await code(other.join("once"))];
      // The refused handle is none the worse for it.
      codes.push(await code(other.join("elsewhere")));
      await cpg.leave();
      return [...codes, await code(cpg.join("once")), await code(cpg.leave()), cpg.closed];
    });
    expect(codes).toEqual(["EXIST", "EXIST", "EXIST", "resolved", "BAD_HANDLE", "BAD_HANDLE", true]);
  });

  test("closes any number of times, and answers BAD_HANDLE afterwards", async () => {
    const codes = await fixture.client().run(async ({ record, corosync }) => {
      const { cpg } = await record();
      const cmap = await corosync.Cmap.open();
      const code = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => "resolved", (error: { code?: string }) => error.code);
      await cpg.join("closing");
      const unfinished = code(cmap.get("totem.cluster_name"));
      await Promise.all([cpg.close(), cpg.close(), cmap.close(), cmap.close()]);
      await cpg.close();
      return [await code(cpg.membership("closing")), await code(cpg.groups()), await code(cmap.get("totem.cluster_name")), ["resolved", "BAD_HANDLE"].includes(String(await unfinished))];
    });
    expect(codes).toEqual(["BAD_HANDLE", "BAD_HANDLE", "BAD_HANDLE", true]);
  });

  test("a join that is under way when the handle closes is refused", async () => {
    const code = await fixture.client().run(async ({ record }) => {
      const { cpg } = await record();
      const joining = cpg.join("never").then(() => "resolved", (error: { code?: string }) => error.code);
      await cpg.close();
      return joining;
    });
    expect(code).toBe("BAD_HANDLE");
  });

  test("may be closed inside its listener, which is not called again", async () => {
    const calls = await fixture.client().run(async ({ corosync, until }) => {
      const calls: string[] = [];
      for (const closeIn of ["configurationChanged", "ringChanged", "messages"]) {
        const told = (what: string): void => {
          calls.push(`${closeIn}: ${what}`);
          if (what === closeIn) void cpg.close();
        };
        const cpg: Awaited<ReturnType<typeof corosync.Cpg.open>> = await corosync.Cpg.open({
          listener: {
            messages: () => told("messages"),
            configurationChanged: () => told("configurationChanged"),
            ringChanged: () => told("ringChanged"),
            ended: () => told("ended"),
          },
        });
        await cpg.join(`inside ${closeIn}`).catch(() => undefined);
        if (closeIn === "messages") {
          await until(() => calls.at(-1) === "messages: ringChanged");
          // One batch or several: only the first is heard.
          for (let i = 0; i < 20; i += 1) cpg.multicast(Buffer.alloc(200_000));
        }
        await until(() => cpg.closed);
        await cpg.close();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return calls;
    });
    expect(calls).toEqual([
      "configurationChanged: configurationChanged",
      "ringChanged: configurationChanged",
      "ringChanged: ringChanged",
      "messages: configurationChanged",
      "messages: ringChanged",
      "messages: messages",
    ]);
  });

  test("what a listener throws is an uncaught exception, and the next event is delivered all the same", async () => {
    const result = await fixture.client().run(async ({ corosync, until }) => {
      const caught: string[] = [];
      process.on("uncaughtException", (error) => caught.push(error.message));
      const heard: string[] = [];
      const cpg = await corosync.Cpg.open({
        listener: {
          messages: (batch) => {
            heard.push(Buffer.from(batch.data(0)).toString());
            throw new Error(`from messages ${heard.length}`);
          },
          configurationChanged: () => {
            throw new Error("from configurationChanged");
          },
          ringChanged: () => undefined,
          ended: () => undefined,
        },
      });
      await cpg.join("throwing");
      for (const text of ["a", "b"]) {
        cpg.multicast(Buffer.from(text));
        await until(() => heard.at(-1) === text);
      }
      return { caught, heard };
    });
    expect(result).toEqual({ caught: ["from configurationChanged", "from messages 1", "from messages 2"], heard: ["a", "b"] });
  });

  test("leaves nothing behind when it closes: descriptors, threads, shared memory", async () => {
    const { before, after } = await fixture.client().run(async ({ record, corosync, gc, until, fs: { readdirSync } }) => {
      const count = (): { fds: number; threads: number; maps: number } => ({
        fds: readdirSync("/proc/self/fd").length,
        threads: readdirSync("/proc/self/task").length,
        maps: readdirSync("/dev/shm").filter((name) => name.includes(`-${process.pid}-`)).length,
      });
      const cycle = async (): Promise<void> => {
        const { cpg } = await record();
        await cpg.join("cycle");
        cpg.multicast(Buffer.alloc(100));
        const others = await Promise.all([corosync.Cmap.open(), corosync.Votequorum.open()]);
        await Promise.all([cpg.leave(), ...others.map((other) => other.close())]);
      };
      // close() does not wait for the handle's threads to be gone.
      const { threads } = count();
      await cycle();
      await until(() => count().maps === 0 && count().threads === threads);
      const before = count();
      for (let i = 0; i < 20; i += 1) await cycle();
      gc();
      await until(() => JSON.stringify(count()) === JSON.stringify(before)).catch(() => undefined);
      return { before, after: count() };
    });
    expect(after).toEqual(before);
  });

  test("leaves nothing behind when the daemon takes the connection and then refuses it", async () => {
    const { statuses, before, after } = await fixture.client().run(async ({ corosync, until, fs: { readdirSync } }) => {
      const count = (): { fds: number; shared: number } => ({
        fds: readdirSync("/proc/self/fd").length,
        shared: readdirSync("/dev/shm").filter((name) => name.includes(`-${process.pid}-`)).length,
      });
      interface Native {
        constructor: new (map: number) => Native;
        open: () => Promise<[status: number]>;
        close: () => Promise<unknown>;
      }
      const cmap = await corosync.Cmap.open();
      const { native } = cmap as unknown as { native: Native };
      await cmap.close();
      await until(() => count().shared === 0);
      const before = count();
      const statuses = new Set<number>();
      for (let i = 0; i < 10; i += 1) {
        // cmap_initialize_map connects, and then asks for the map: there is no such map.
        const refused = new native.constructor(77);
        // As while the daemon answers TRY_AGAIN: one handle, opened again and again.
        for (let attempt = 0; attempt < 3; attempt += 1) statuses.add((await refused.open())[0]);
        await refused.close();
      }
      await until(() => JSON.stringify(count()) === JSON.stringify(before)).catch(() => undefined);
      return { statuses: [...statuses], before, after: count() };
    });
    // CS_ERR_NOT_EXIST
    expect(statuses).toEqual([12]);
    expect(after).toEqual(before);
  });

  test("can be made and closed from many threads at once, which Corosync's own handle tables are not safe for", async () => {
    const failures = await fixture.client().run(async ({ corosync }) => {
      const failures: string[] = [];
      const cycle = async (): Promise<void> => {
        const cmap = await corosync.Cmap.open();
        if ((await cmap.get("totem.cluster_name"))?.value !== "native-test") failures.push("another's answer");
        await cmap.close();
      };
      for (let round = 0; round < 40; round += 1) {
        await Promise.all(Array.from({ length: 32 }, () => cycle().catch((error: Error) => failures.push(error.message))));
      }
      return failures;
    });
    expect(failures).toEqual([]);
  });

  test("is not inherited by child processes, which would keep the daemon from noticing an end", async () => {
    const inherited = await fixture.client().run(async ({ record, childProcess }) => {
      const { cpg } = await record();
      await cpg.join("children");
      return childProcess.execFileSync("ls", ["-l", "/proc/self/fd"], { encoding: "utf8" }).split("\n").filter((line) => line.includes("socket:") && !/ [012] ->/.test(line));
    });
    // The client's own channel to the test is a socket too, and Node keeps that one from children as well; 0 to 2 are ls' own.
    expect(inherited).toEqual([]);
  });
});
