/** Asking for a request until it is granted or refused: calls hang, answer 202 while it waits, and are made again, at another replica if need be. */
import type { Call, Endpoints } from "./endpoints.js";
import { SessionOverError } from "./errors.js";
import type { GrantedState } from "./grant.js";
import type { Session } from "./session.js";

/** One call hangs no longer, so that a replica that is gone is noticed. */
const pollMs = 20_000;

/** @throws LockServiceError of the refusal; what the signal was aborted with, when the request is given up. */
export async function settle(endpoints: Endpoints, session: Session, request: string, call: Call): Promise<GrantedState> {
  const giveUp = new AbortController();
  const onAbort = (event: Event): void => giveUp.abort((event.target as AbortSignal).reason);
  for (const signal of [call.signal, session.signal]) {
    if (signal?.aborted === true) throw signal.reason;
    signal?.addEventListener("abort", onAbort, { once: true });
  }
  try {
    for (;;) {
      const { status, body } = await endpoints.call({ ...call, body: { ...(call.body as object), pollMs }, hangMs: pollMs, signal: giveUp.signal });
      if (status === 200) return body as GrantedState;
    }
  } catch (error) {
    if (error instanceof SessionOverError) session.over(error);
    // It may stand in its queue still, or be granted meanwhile: nobody waits for it any more.
    else if (call.signal?.aborted === true) void cancel(endpoints, session, request);
    throw error;
  } finally {
    for (const signal of [call.signal, session.signal]) signal?.removeEventListener("abort", onAbort);
  }
}

async function cancel(endpoints: Endpoints, session: Session, request: string): Promise<void> {
  await endpoints.call({ method: "DELETE", path: `${session.path}/requests/${encodeURIComponent(request)}`, until: session.leaseEnd }).catch(() => {
    // It ends with its session.
  });
}
