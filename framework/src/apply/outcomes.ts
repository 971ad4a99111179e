/**
 * How commands end. Agreed by all replicas: the code and the details. The message is made where it is read, because what
 * an engine writes in its errors may differ between versions.
 */
import type { ErrorCode, LockstepError } from "../errors.js";
import { isLockstepError } from "../errors.js";
import { seal } from "../machine/seal.js";
import type { Rejection } from "../machine/reject.js";
import type { CommandOutcome } from "./types.js";

/** The part of an outcome that all replicas agree on. */
export type AgreedOutcome = { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly code: ErrorCode; readonly details?: unknown };

/** Of most commands: kept by the thousand. */
const succeededWithoutResult: CommandOutcome = Object.freeze({ ok: true, result: undefined });

export function succeeded(result: unknown): CommandOutcome {
  return result === undefined ? succeededWithoutResult : Object.freeze({ ok: true, result });
}

export function failed(code: ErrorCode, message: string, details?: unknown): CommandOutcome {
  return Object.freeze(details === undefined ? { ok: false, code, message } : { ok: false, code, message, details });
}

/** The outcome of a handler that threw: a rejection, or a fault of the machine. */
export function outcomeOfThrown(command: string, thrown: unknown): CommandOutcome {
  if (!isRejection(thrown)) return failed("MACHINE_FAULT", `The handler of ${command} failed: ${textOf(thrown)}`);
  try {
    return failed("REJECTED", thrown.message, seal(thrown.details));
  } catch (unsealable) {
    return failed("MACHINE_FAULT", `The handler of ${command} rejected with details that cannot be sent: ${textOf(unsealable)}`);
  }
}

/** What looks like one and cannot be looked at is none. */
function isRejection(thrown: unknown): thrown is LockstepError {
  try {
    return isLockstepError(thrown, "REJECTED");
  } catch {
    return false;
  }
}

export function agreedPart(outcome: CommandOutcome): AgreedOutcome {
  if (outcome.ok) return outcome;
  return Object.freeze(outcome.details === undefined ? { ok: false, code: outcome.code } : { ok: false, code: outcome.code, details: outcome.details });
}

/** An outcome as it was given the first time, apart from the message. */
export function withMessage(command: string, agreed: AgreedOutcome): CommandOutcome {
  if (agreed.ok) return agreed;
  const message = agreed.code === "REJECTED" ? `The command was rejected: ${codeOf(agreed.details)}` : `${command} ended with ${agreed.code} before; see the log of the replica that answered first.`;
  return failed(agreed.code, message, agreed.details);
}

/** Of a rejection that was not made with reject(), they may be anything. */
function codeOf(details: unknown): string {
  const code = (details as Partial<Rejection> | null | undefined)?.code;
  return typeof code === "string" ? code : "no code";
}

/** Not everything can be made a text: a symbol as name, no prototype, a proxy that throws. */
function textOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  } catch {
    return "it threw something that cannot be told in words";
  }
}
