/** Waiting for a condition, never for a time. */
import { setTimeout as sleep } from "node:timers/promises";

/** Only a failure waits for it: a machine that is busy with something else takes its time. */
const patienceMs = 60_000;

/** Polls until the check gives something other than false or undefined; fails with what it waited for. */
export async function eventually<T>(what: string, check: () => T | Promise<T>): Promise<Exclude<T, false | undefined>> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const result = await check();
    if (result !== false && result !== undefined) return result as Exclude<T, false | undefined>;
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs} ms for: ${what}`);
    await sleep(5);
  }
}
