/** What a group of replicas owes after all that is done to it: waited for, and compared with what the clients were told. */
import { expect } from "vitest";
import { eventually, patienceMs } from "./eventually.js";
import type { ReplicaProcess } from "./replica-process.js";
import type { LoadResult } from "./serve-replica.js";

/** What every replica knows goes into the failure's message. */
export async function allReady(waited: readonly ReplicaProcess[]): Promise<void> {
  const results = await Promise.allSettled(waited.map((replica) => replica.call("ready", patienceMs)));
  const failed = results.find((result) => result.status === "rejected");
  if (failed === undefined) return;
  const inspections = await Promise.all(waited.map((replica) => replica.call("inspect")));
  throw new Error(`${String(failed.reason)}\n${inspections.map((inspection) => JSON.stringify(inspection)).join("\n")}`);
}

export async function acknowledgedBy(replica: ReplicaProcess, more: number): Promise<void> {
  const before = await replica.call("acknowledged");
  await eventually(async () => (await replica.call("acknowledged")) >= before + more, { what: `${more} more acknowledgements on node ${replica.nodeId}`, details: async () => JSON.stringify(await replica.call("inspect")) });
}

/** @param why What its reason says in the end: before that, for a moment, that votequorum has not spoken yet. */
export async function untilMinority(replica: ReplicaProcess, why = /./): Promise<void> {
  await eventually(async () => {
    const { role, reason } = await replica.call("inspect");
    return role === "minority" && why.test(reason ?? "");
  }, { what: `replica ${replica.nodeId} to be in a minority, and to say ${String(why)}`, details: async () => JSON.stringify(await replica.call("inspect")) });
}

/** All replicas hold, at one position, the same whole state; and in each of them every command of the loads is where it belongs. */
export async function expectAgreement(all: readonly ReplicaProcess[], loads: readonly LoadResult[]): Promise<void> {
  await allReady(all);
  const holdings = await eventually(async () => {
    const now = await Promise.all(all.map((replica) => replica.call("holding")));
    return now.every(({ applied }) => applied === now[0]?.applied) ? now : undefined;
  }, { what: "all replicas to have applied as much", details: async () => JSON.stringify(await Promise.all(all.map((replica) => replica.call("inspect")))) });
  expect(holdings, "the states, which are of one position").toEqual(all.map(() => holdings[0]));
  for (const replica of all) for (const load of loads) await expectEffects(replica, load);
}

async function expectEffects(replica: ReplicaProcess, { acknowledged, unknown, refused }: LoadResult): Promise<void> {
  const wrong = async (ids: readonly string[], isRight: (times: number) => boolean): Promise<string[]> =>
    (await replica.call("effectsOf", ids)).flatMap((times, index) => (isRight(times) ? [] : [`${String(ids[index])}: ${times}`]));
  const on = `on node ${replica.nodeId}`;
  expect(await wrong(acknowledged, (times) => times === 1), `acknowledged commands that did not take effect exactly once ${on}`).toEqual([]);
  expect(await wrong(unknown, (times) => times <= 1), `commands of unknown outcome that took effect twice ${on}`).toEqual([]);
  expect(await wrong(refused, (times) => times === 0), `refused commands that took effect ${on}`).toEqual([]);
}
