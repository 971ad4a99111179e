/** A daemon that turns everybody away with TRY_AGAIN, because its ring is not formed. */
import { describe, expect, test, vi } from "vitest";
import { useDaemon } from "../support/use-daemon.js";

vi.setConfig({ testTimeout: 30_000 });

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
