/** Waiting for a condition, never for a time. */
import { setTimeout as sleep } from "node:timers/promises";

/** Polls until the check gives something other than false or undefined; fails with what it waited for. */
export async function eventually<T>(what: string, check: () => T | Promise<T>, timeoutMs = 10_000): Promise<Exclude<T, false | undefined>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const result = await check();
    if (result !== false && result !== undefined) return result as Exclude<T, false | undefined>;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for: ${what}`);
    await sleep(5);
  }
}
