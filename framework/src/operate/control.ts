/**
 * What operators and a running replica say to each other: one line of JSON each way, over the socket `control` in the replica's
 * directory. Who may write in that directory may ask.
 */
import { isLockstepError } from "../errors.js";
import type { BackupPlan, BackupResult, Inspection } from "../replica-api.js";

export const socketName = "control";
/** A request is a few names; a longer line is none. */
export const longestRequestBytes = 64 * 1024;

export type ControlRequest =
  | { readonly command: "status" }
  /** Absolute path. */
  | { readonly command: "planBackup"; readonly to: string }
  | { readonly command: "backup"; readonly to: string; readonly by: string };

export interface ControlAnswers {
  readonly status: Inspection;
  readonly planBackup: BackupPlan;
  readonly backup: BackupResult;
}

export type ControlAnswer = { readonly ok: unknown } | { readonly error: { readonly code: string; readonly message: string } };

/** undefined: it is not a request. */
export function parseRequest(line: string): ControlRequest | undefined {
  const value = parseObject(line);
  if (value === undefined) return undefined;
  const { command, to, by } = value;
  if (command === "status") return { command };
  if (command === "planBackup" && typeof to === "string") return { command, to };
  if (command === "backup" && typeof to === "string" && typeof by === "string") return { command, to, by };
  return undefined;
}

/** undefined: it is not an answer. */
export function parseAnswer(line: string): ControlAnswer | undefined {
  const value = parseObject(line);
  if (value === undefined) return undefined;
  if ("ok" in value) return { ok: value["ok"] };
  const error = value["error"];
  if (typeof error !== "object" || error === null) return undefined;
  const { code, message } = error as Record<string, unknown>;
  return { error: { code: String(code), message: String(message) } };
}

export function errorAnswer(error: unknown): ControlAnswer {
  return { error: { code: isLockstepError(error) ? error.code : "INTERNAL", message: error instanceof Error ? error.message : String(error) } };
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
