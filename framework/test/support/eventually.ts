/** Waits for a condition, never for time. */
import { setTimeout as pause } from "node:timers/promises";

/** Long: only a failure waits for it, and on a busy machine everything else takes long as well. */
const patienceMs = 60_000;

export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const until = performance.now() + patienceMs;
  while (!condition()) {
    if (performance.now() > until) throw new Error(`not within ${patienceMs} ms: ${what}`);
    await pause(2);
  }
}
