/** What must be true of the events of a lock service by themselves, whatever has been asked of it. */
import { Violation } from "@lockstep/framework/testing";
import type { LockEvent } from "../machine/events.js";
import type { Want } from "../machine/inputs.js";
import { goTogether } from "./together.js";

interface Grant {
  readonly wants: readonly Want[];
}

/**
 * Never two incompatible holders, tokens strictly increasing, nothing granted to a session that is over, every grant ended once.
 * @param wantsOf What a request wanted, by the log.
 * @throws Violation.
 */
export function checkEvents(events: Iterable<LockEvent>, wantsOf: (session: string, request: string) => readonly Want[]): void {
  const held = new Map<number, Grant>();
  const over = new Set<string>();
  let [token, revision] = [0, 0];
  for (const event of events) {
    if (event.revision !== revision + 1) fail("revisions", `${event.revision} comes after ${revision}`);
    ({ revision } = event);
    if (event.type === "session-ended") over.add(event.session);
    if (event.type === "released" && !held.delete(event.token)) fail("grants", `token ${event.token} is released, and is not held`);
    if (event.type !== "granted") continue;
    const { session, request } = event;
    if (event.token <= token) fail("tokens", `${event.token} comes after ${token}`);
    ({ token } = event);
    if (over.has(session)) fail("dead sessions", `${request} is granted to ${session}, which is over`);
    const wants = wantsOf(session, request);
    for (const want of wants) {
      const shares = [...held.values()].flatMap((other) => other.wants.filter(({ lock }) => lock === want.lock));
      if (!goTogether([...shares, want])) fail("exclusion", `${request} of ${session} is granted beside ${JSON.stringify(shares)} of ${want.lock}: ${JSON.stringify(want)}`);
    }
    held.set(token, { wants });
  }
}

function fail(rule: string, what: string): never {
  throw new Violation(rule, what);
}
