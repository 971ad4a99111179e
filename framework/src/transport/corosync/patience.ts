/**
 * A bound for what is asked of the daemon. While its ring breaks, a daemon takes a join at once and carries it out when it has a ring
 * again, which may be never; and one that stands still answers nothing at all.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { LockstepError } from "../../errors.js";

/** What a daemon that has its ring may take, however short the patience is. */
const leastPatienceMs = 1000;

/**
 * @param ask Its signal is aborted when nobody waits for it any more.
 * @throws LockstepError COROSYNC_UNAVAILABLE after `patienceMs`
 */
export async function withinPatience<T>(patienceMs: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const asked = new AbortController();
  const answered = new AbortController();
  const tooLong = sleep(Math.max(patienceMs, leastPatienceMs), undefined, { signal: answered.signal }).then(() => {
    throw new LockstepError("COROSYNC_UNAVAILABLE", `The daemon has not done what it was asked to within patienceMs (${String(patienceMs)} ms): its ring does not form, or it stands still. Look at corosync-cfgtool -s, at the daemon's log, and at what the nodes' firewalls let through.`);
  });
  const answer = ask(asked.signal);
  try {
    return await Promise.race([answer, tooLong]);
  } finally {
    answered.abort();
    asked.abort();
    for (const late of [answer, tooLong]) late.catch(() => undefined);
  }
}
