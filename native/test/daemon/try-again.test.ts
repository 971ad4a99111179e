/** A daemon that turns everybody away with TRY_AGAIN, because its ring is not formed. */
import { describe, expect, test } from "vitest";
import { useDaemon } from "../support/use-daemon.js";

describe("a daemon without a ring", () => {
  const fixture = useDaemon({ deaf: true });

  test("is asked again and again until tryAgainMs is over, and once it has a ring it takes those who still wait", async () => {
    const [patient, hasty] = [fixture.client(), fixture.client()];
    const joining = patient.run(async ({ record }) => {
      const { cpg } = await record({ tryAgainMs: 25_000 });
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
    expect(told.ms).toBeLessThan(1000);
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
