/** Which events a caller gets, and what of them: of one session, or of locks by prefix. */
import type { LockEvent } from "../machine/events.js";
import type { Principal } from "./access.js";

export interface EventFilter {
  /** Only what concerns this session. */
  readonly session?: string | undefined;
  /** Only what concerns locks whose names begin so. */
  readonly prefix?: string | undefined;
}

/** The event as the caller gets it; undefined if it does not. */
export type EventView = (event: LockEvent) => LockEvent | undefined;

/** The caller may read the prefix, or use the session. */
export function viewOf({ session, prefix = "" }: EventFilter, principal: Principal): EventView {
  const ofSession: EventView = session === undefined ? (event) => event : (event) => (concerns(event, session) ? event : undefined);
  if (prefix === "") return ofSession;
  const whole = session !== undefined || principal.may("read", "");
  return (event) => {
    const found = ofSession(event);
    return found === undefined || !locksOf(found).some((lock) => lock.startsWith(prefix)) ? undefined : whole ? found : narrowed(found, prefix);
  };
}

function concerns(event: LockEvent, session: string): boolean {
  return event.type === "force-released" ? event.sessions.includes(session) : event.session === session;
}

function locksOf(event: LockEvent): readonly string[] {
  if ("locks" in event) return event.locks;
  return "lock" in event ? [event.lock] : [];
}

/** A request may have been for locks that the caller may not read, and refused because of them. */
function narrowed(event: LockEvent, prefix: string): LockEvent {
  if (!("locks" in event)) return event;
  const locks = event.locks.filter((lock) => lock.startsWith(prefix));
  if (event.type !== "refused" || locks.length === event.locks.length) return { ...event, locks };
  const { refusal } = event;
  if (refusal.code === "DEADLOCK") return { ...event, locks, refusal: { ...refusal, cycle: refusal.cycle.filter(({ lock }) => lock.startsWith(prefix)) } };
  if ("lock" in refusal && !refusal.lock.startsWith(prefix)) return { ...event, locks, refusal: { code: "CANCELLED" } };
  return { ...event, locks };
}
