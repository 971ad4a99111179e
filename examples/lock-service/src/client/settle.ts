/** Asking for a request until it is granted or refused: calls hang, answer 202 while it waits, and are made again, at another replica if need be. */
import type { Call, Endpoints } from "./endpoints.js";
import { DeadlockError, LockServiceError, SessionOverError } from "./errors.js";
import type { GrantedState } from "./grant.js";
import type { Session } from "./session.js";

/** One call hangs no longer, so that a replica that is gone is noticed. */
const pollMs = 20_000;

/** @throws LockServiceError of the refusal; what the signal was aborted with. Then `giveUp` is called for, unless it is `decided`. */
export async function settle(endpoints: Endpoints, session: Session, call: Call): Promise<GrantedState> {
  const stop = new AbortController();
  const onAbort = (event: Event): void => stop.abort((event.target as AbortSignal).reason);
  for (const signal of [call.signal, session.signal]) {
    if (signal?.aborted === true) throw signal.reason;
    signal?.addEventListener("abort", onAbort, { once: true });
  }
  try {
    for (;;) {
      const { status, body } = await endpoints.call({ ...call, body: { ...(call.body as object), pollMs }, hangMs: pollMs, signal: stop.signal });
      if (status === 200) return body as GrantedState;
    }
  } catch (error) {
    if (error instanceof SessionOverError) session.over(error);
    throw error;
  } finally {
    for (const signal of [call.signal, session.signal]) signal?.removeEventListener("abort", onAbort);
  }
}

/** The service has said what became of the request. After any other failure it may stand in its queue still, or be granted meanwhile. */
export function decided(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted === true || !(error instanceof LockServiceError) || error.status === undefined) return false;
  return error.status < 500 || error instanceof DeadlockError;
}

/** Takes a request out of its queue, or gives back what it was granted meanwhile. Resolves to whether it was granted, or to undefined if that cannot be known. */
export async function giveUp(session: Session, request: string): Promise<boolean | undefined> {
  try {
    const { body } = await session.insist({ method: "DELETE", path: session.pathOf(request) });
    return (body as { readonly status: string }).status === "released";
  } catch {
    // It ends with its session.
    return undefined;
  }
}
