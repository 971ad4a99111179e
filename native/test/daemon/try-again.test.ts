/** A daemon that turns everybody away with TRY_AGAIN, because its ring is not formed. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { useDaemon } from "../support/use-daemon.js";

describe("a daemon without a ring", () => {
  const fixture = useDaemon({ deaf: true });

  test("is asked again and again until tryAgainMs is over, and once it has a ring it takes those who still wait", async () => {
    const [patient, hasty] = [fixture.client(), fixture.client()];
    const joining = patient.run(async ({ record }) => {
      const { cpg } = await record({ tryAgainMs: 3_600_000 });
      await cpg.join("patience");
      return cpg.local.nodeId;
    });
    const refusals = await hasty.run(async ({ corosync }) => {
      const refusals = [];
      for (const tryAgainMs of [0, 300]) {
        const from = performance.now();
        const code = await corosync.Cmap.open({ tryAgainMs }).then(() => "opened", (error: { code?: string }) => error.code);
        refusals.push({ code, ms: performance.now() - from });
      }
      return refusals;
    });
    expect(refusals.map(({ code }) => code)).toEqual(["TRY_AGAIN", "TRY_AGAIN"]);
    expect(refusals[1]?.ms).toBeGreaterThanOrEqual(300);
    fixture.daemon.hear();
    expect(await joining).toBe(7);
  });
});

describe("an open() that waits for a ring", () => {
  const fixture = useDaemon({ deaf: true });

  test.each(["Cpg", "Quorum", "Votequorum", "Cmap", "Cfg"] as const)("of %s ends at once with ABORTED when its signal is aborted, and the process can end", async (name) => {
    const client = fixture.client();
    const told = await client.run(async ({ corosync, until, fs }, name) => {
      const nothing = (): void => undefined;
      const controller = new AbortController();
      const common = { tryAgainMs: 3_600_000, signal: controller.signal };
      const open = {
        Cpg: () => corosync.Cpg.open({ ...common, listener: { messages: nothing, configurationChanged: nothing, ringChanged: nothing, ended: nothing } }),
        Quorum: () => corosync.Quorum.open({ ...common, listener: { quorumChanged: nothing, ended: nothing } }),
        Votequorum: () => corosync.Votequorum.open(common),
        Cmap: () => corosync.Cmap.open(common),
        Cfg: () => corosync.Cfg.open({ ...common, listener: { shutdownRequested: nothing, ended: nothing } }),
      };
      const threads = (): number => fs.readdirSync("/proc/self/task").length;
      const before = threads();
      const opening = open[name]().then(() => ({ code: "opened" }), (error: Error & { code: string }) => error);
      await until(() => threads() > before);
      const undecided = await Promise.race([opening, new Promise((resolve) => setTimeout(resolve, 100, "waiting"))]);
      const from = performance.now();
      controller.abort(new Error("enough"));
      const { code, call, cause } = (await opening) as { code: string; call?: string; cause?: Error };
      const ms = performance.now() - from;
      const again = await open[name]().then(() => "opened", (error: { code?: string }) => error.code);
      return { undecided, code, call, cause: cause?.message, ms, again };
    }, name);
    const calls = { Cpg: "cpg_model_initialize", Quorum: "quorum_model_initialize", Votequorum: "votequorum_initialize", Cmap: "cmap_initialize_map", Cfg: "corosync_cfg_initialize" };
    expect(told).toMatchObject({ undecided: "waiting", code: "ABORTED", call: calls[name], cause: "enough", again: "ABORTED" });
    expect(told.ms).toBeLessThan(10_000);
    // Nothing holds the client's event loop any more.
    client.child.disconnect();
    expect(await client.exited()).toEqual({ code: 0, signal: null });
  });

  test("is open for good once it has opened: its signal then changes nothing", async () => {
    const [early, late] = [fixture.client(), fixture.client()];
    const open = (client: typeof early, abortAfter: boolean): Promise<unknown> => client.run(async ({ corosync }, abortAfter) => {
      const controller = new AbortController();
      const cmap = await corosync.Cmap.open({ signal: controller.signal });
      if (abortAfter) controller.abort();
      return [(await cmap.get("totem.cluster_name"))?.value, cmap.closed];
    }, abortAfter);
    const opening = [open(early, true), open(late, false)];
    fixture.daemon.hear();
    expect(await Promise.all(opening)).toEqual([["native-test", false], ["native-test", false]]);
  });
});

/** Found in the place of libcpg, and is it, but for the first answers to two questions. */
const hesitant = `
  #include <dlfcn.h>
  static int asked[2];
  static int ask(const char* name, int which, unsigned long handle, void* value) {
    if (asked[which]++ < 3) return 6; /* CS_ERR_TRY_AGAIN */
    return ((int (*)(unsigned long, void*))dlsym(dlopen("libcpg.so.0", RTLD_LAZY | RTLD_NOLOAD), name))(handle, value);
  }
  int cpg_local_get(unsigned long handle, void* value) { return ask("cpg_local_get", 0, handle, value); }
  int cpg_max_atomic_msgsize_get(unsigned long handle, void* value) { return ask("cpg_max_atomic_msgsize_get", 1, handle, value); }
`;

describe("a daemon whose ring changes just after it took a connection", () => {
  const fixture = useDaemon();

  test("is asked again over one connection: those before it are gone, and closing leaves nothing", async () => {
    const directory = mkdtempSync(join(tmpdir(), "lockstep-libcpg-"));
    try {
      const installed = await fixture.client().run(async ({ record, fs }) => {
        await (await record()).cpg.close();
        return /\S+\/libcpg\.so\S*/.exec(fs.readFileSync("/proc/self/maps", "utf8"))?.[0] ?? "";
      });
      writeFileSync(join(directory, "libcpg.so.0"), readFileSync(installed, "latin1").replaceAll("\0libcpg.so.4\0", "\0libcpg.so.0\0"), "latin1");
      writeFileSync(join(directory, "hesitant.c"), hesitant);
      const compiled = spawnSync(process.env["CXX"] ?? "g++", ["-x", "c", "hesitant.c", "-x", "none", "-shared", "-fPIC", "-Wl,--no-as-needed,-soname,libcpg.so.4", "-o", "libcpg.so.4", "libcpg.so.0", "-ldl"], { cwd: directory, encoding: "utf8" });
      expect(compiled.status, compiled.stderr).toBe(0);
      const told = await fixture.client([], { LD_LIBRARY_PATH: directory }).run(async ({ record, until, fs }) => {
        const count = (): { fds: number; threads: number; shared: number } => ({
          fds: fs.readdirSync("/proc/self/fd").length,
          threads: fs.readdirSync("/proc/self/task").length,
          shared: fs.readdirSync("/dev/shm").filter((name) => name.includes(`-${process.pid}-`)).length,
        });
        const before = count();
        const { code } = (await record({ tryAgainMs: 0 }).catch((error: unknown) => error)) as { code?: string };
        const { cpg, texts } = await record();
        await cpg.join("hesitant");
        cpg.multicast(Buffer.from("once"));
        await until(() => texts().length === 1);
        const { shared } = count();
        await cpg.close();
        await until(() => JSON.stringify(count()) === JSON.stringify(before)).catch(() => undefined);
        return { code, nodeId: cpg.local.nodeId, shared, before, after: count() };
      });
      expect(told).toMatchObject({ code: "TRY_AGAIN", nodeId: 7, shared: 1 });
      expect(told.after).toEqual(told.before);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
