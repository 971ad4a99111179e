/**
 * Run as a process of its own on a node: follows the service's events from the first one on, and tells each to the controller.
 *
 *     node watcher.js ENDPOINT…
 */
import { setTimeout as sleep } from "node:timers/promises";
import { EventsTrimmedError, LockClient } from "@lockstep/lock-service/client";
import { monotonicMs } from "./records.js";
import type { SeenEvent } from "./records.js";

const client = new LockClient({ endpoints: process.argv.slice(2), name: "watcher", attemptMs: 1_500 });
process.on("disconnect", () => { process.exit(0); });
let last = 0;
for (;;) {
  try {
    for await (const event of client.events({ after: last })) {
      last = event.revision;
      process.send?.({ seen: { event, seenAt: monotonicMs() } satisfies SeenEvent });
    }
  } catch (error) {
    // Then the checks would not be of everything.
    if (error instanceof EventsTrimmedError) throw error;
    await sleep(100);
  }
}
