/** Machines and users without Corosync: a typed error that says what to do, at first use and not before. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { Recording } from "../support/client.js";
import { useDaemon } from "../support/use-daemon.js";

const run = promisify(execFile);
const packageUrl = new URL("../../dist/index.js", import.meta.url).href;

/** Opens one of everything and prints the errors as JSON. */
const program = `
  const listener = new Proxy({}, { get: () => () => {} });
  const { Cpg, Quorum, Votequorum, Cmap, Cfg } = await import(${JSON.stringify(packageUrl)});
  const errors = [];
  for (const open of [() => Cpg.open({ listener }), () => Quorum.open({ listener }), () => Votequorum.open(), () => Cmap.open(), () => Cfg.open({ listener })]) {
    await open().then(() => errors.push({ code: "opened" }), ({ code, number, message }) => errors.push({ code, number, message }));
  }
  console.log(JSON.stringify(errors));
  process.exit();
`;

interface Told {
  readonly code: string;
  readonly number: number;
  readonly message: string;
}

async function openAll(prefix: readonly string[]): Promise<Told[]> {
  const [command, ...args] = [...prefix, process.execPath, "--input-type=module", "-e", program];
  const { stdout } = await run(command ?? "", args);
  return JSON.parse(stdout) as Told[];
}

describe("without a running daemon", () => {
  test("everything is refused with LIBRARY, and told to start it", async () => {
    const errors = await openAll(["unshare", "-n"]);
    expect(errors.map(({ code, number }) => `${code} ${number}`)).toEqual(Array.from({ length: 5 }, () => "LIBRARY 2"));
    for (const { message } of errors) expect(message).toContain("systemctl start corosync");
  });
});

describe("without the client libraries", () => {
  test("everything is refused with NOT_INSTALLED, and told what to install", async () => {
    const hide = `for name in cpg quorum votequorum cmap cfg; do for file in /lib/*/lib$name.so.* /usr/lib/*/lib$name.so.*; do [ -f "$file" ] && mount --bind /dev/null "$file"; done; done; exec "$@"`;
    const errors = await openAll(["unshare", "-m", "sh", "-c", hide, "sh"]);
    expect(errors.map(({ code, number }) => `${code} ${number}`)).toEqual(Array.from({ length: 5 }, () => "NOT_INSTALLED -2"));
    for (const { message } of errors) expect(message).toContain("apt-get install corosync");
  });
});

describe("without permission", () => {
  const fixture = useDaemon();

  test("everything is refused with ACCESS, and told how to allow the user", async () => {
    const errors = await openAll([...fixture.daemon.enter, "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    expect(errors.map(({ code, number }) => `${code} ${number}`)).toEqual(Array.from({ length: 5 }, () => "ACCESS 11"));
    for (const { message } of errors) expect(message).toContain("uidgid");
  });
});


describe("without descriptors", () => {
  const fixture = useDaemon();

  test("handles are refused with NO_RESOURCES, or made, however few there are, and nobody's descriptor is closed", async () => {
    const client = fixture.client();
    await run("prlimit", ["--pid", String(client.pid), "--nofile=256"]);
    const codes = await client.run(async ({ corosync, fs }) => {
      const open = {
        Cpg: () => corosync.Cpg.open({ listener: { messages: () => undefined, configurationChanged: () => undefined, ringChanged: () => undefined, ended: () => undefined } }),
        Cmap: () => corosync.Cmap.open(),
      };
      // So that nothing but the handles needs descriptors from now on.
      for (const kind of Object.values(open)) await (await kind()).close();
      const codes: Record<string, string[]> = { Cpg: [], Cmap: [] };
      for (let left = 0; left <= 10; left += 1) {
        for (const [name, kind] of Object.entries(open)) {
          const taken: number[] = [];
          try {
            for (;;) taken.push(fs.openSync("/dev/null", "r"));
          } catch {
            for (const fd of taken.splice(0, left)) fs.closeSync(fd);
          }
          const code = await kind().then(async (handle) => ((await handle.close()), "opened"), (error: { code: string }) => error.code);
          codes[name]?.push(code);
          // Its own number 0 is among those that libqb would close.
          fs.fstatSync(0);
          for (const fd of taken) fs.closeSync(fd);
        }
      }
      return codes;
    });
    for (const [name, told] of Object.entries(codes)) {
      expect(new Set(told), `${name}: ${told.join(" ")}`).toEqual(new Set(["NO_RESOURCES", "opened"]));
      expect([told[0], told.at(-1)], name).toEqual(["NO_RESOURCES", "opened"]);
    }
  });
});

describe("with a full /dev/shm", () => {
  const fixture = useDaemon();

  test("handles and zero-copy buffers are refused with NO_SPACE, those that are open work on, and all works when there is room", async () => {
    const client = fixture.client();
    await client.run(async ({ record, kept }) => {
      const recording = await record();
      kept["recording"] = recording;
      await recording.cpg.join("full");
    });
    const inside = (script: string): Promise<unknown> => run(fixture.daemon.enter[0] ?? "", [...fixture.daemon.enter.slice(1), "sh", "-c", script]);
    await inside("mount -o remount,size=32M /dev/shm; dd if=/dev/zero of=/dev/shm/fill bs=64k 2>/dev/null || test $? = 1");
    const openAndAllocate = (): Promise<string[]> => client.run(async ({ corosync, kept, until }) => {
      const { cpg, texts } = kept["recording"] as Recording;
      const code = (promise: Promise<{ close?: () => Promise<void>; free?: () => Promise<void> }>): Promise<string> =>
        promise.then(async (made) => ((await (made.close ?? made.free)?.call(made)), "made"), (error: { code: string }) => error.code);
      const before = texts().length;
      const codes = [await code(corosync.Cmap.open()), await code(cpg.allocateZeroCopy(100_000))];
      cpg.multicast(Buffer.from("still here"));
      await until(() => texts().length > before);
      return codes;
    });
    expect(await openAndAllocate()).toEqual(["NO_SPACE", "NO_SPACE"]);
    await inside("rm /dev/shm/fill");
    expect(await openAndAllocate()).toEqual(["made", "made"]);
  });
});

describe("with a libcpg that no longer has zero copy", () => {
  const fixture = useDaemon();

  test("a zero-copy buffer is refused with NOT_SUPPORTED, and all the rest works", async () => {
    const directory = mkdtempSync(join(tmpdir(), "lockstep-libcpg-"));
    try {
      const installed = await fixture.client().run(async ({ record, fs }) => {
        await (await record()).cpg.close();
        return /\S+\/libcpg\.so\S*/.exec(fs.readFileSync("/proc/self/maps", "utf8"))?.[0] ?? "";
      });
      // The library that is installed, under whose names nobody finds these functions.
      const without = readFileSync(installed, "latin1").replaceAll("\0cpg_zcb_", "\0cpg_off_");
      writeFileSync(join(directory, "libcpg.so.4"), without, "latin1");
      const result = await fixture.client([], { LD_LIBRARY_PATH: directory }).run(async ({ record, until, fs }) => {
        const { cpg, texts } = await record();
        const loaded = /\S+\/libcpg\.so\S*/.exec(fs.readFileSync("/proc/self/maps", "utf8"))?.[0];
        await cpg.join("no-zero-copy");
        const { code, call, message } = (await cpg.allocateZeroCopy(100).catch((error: unknown) => error)) as Error & { code?: string; call?: string };
        cpg.multicast(Buffer.from("copied"));
        await until(() => texts().length === 1);
        return { loaded, code, call, message, texts: texts() };
      });
      expect(result).toMatchObject({ loaded: join(directory, "libcpg.so.4"), code: "NOT_SUPPORTED", call: "cpg_zcb_alloc", texts: ["copied"] });
      expect(result.message).toContain("Do without it");
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
