/** The signals that an application gives to end a wait. */
import { LockstepError } from "./errors.js";

/**
 * What is none would fail where it is listened to or let go of, which may be while an entry is applied: it is looked at when it is given.
 * @throws LockstepError INVALID_INPUT unless it is undefined or an AbortSignal, of whatever make.
 */
export function checkSignal(signal: unknown): void {
  if (signal === undefined || isSignal(signal)) return;
  throw new LockstepError("INVALID_INPUT", `signal must be an AbortSignal (new AbortController().signal, AbortSignal.timeout(ms)), not ${signal === null ? "null" : `a ${typeof signal}`}`);
}

function isSignal(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  return typeof aborted === "boolean" && typeof addEventListener === "function" && typeof removeEventListener === "function";
}
