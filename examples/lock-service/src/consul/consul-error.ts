/** Errors in Consul's manner: a status and a line of text, in its words where it has some, as clients look for them. */
import { serviceErrorOf, type ServiceErrorCode } from "../server/errors.js";

export class ConsulError extends Error {
  readonly status: number;
  /** Methods that the path has, where it has not the one that was asked for. */
  readonly allow: readonly string[] | undefined;

  constructor(status: number, message: string, allow?: readonly string[]) {
    super(message);
    this.name = "ConsulError";
    this.status = status;
    this.allow = allow;
  }
}

export const permissionDenied = (): ConsulError => new ConsulError(403, "Permission denied");

/** Certainly not done: clients try again. Consul says the same of a server that knows no leader. */
export const noLeader = (): ConsulError => new ConsulError(500, "No cluster leader");

const inConsulsWords: Readonly<Partial<Record<ServiceErrorCode, () => ConsulError>>> = {
  FORBIDDEN: permissionDenied,
  UNAUTHENTICATED: permissionDenied,
  NO_QUORUM: noLeader,
  NOT_READY: noLeader,
  STOPPING: noLeader,
  NOT_SENT: noLeader,
  NOT_CONFIRMED: noLeader,
  // What Consul says when a server has lost its place before it could tell what has become of a change.
  OUTCOME_UNKNOWN: () => new ConsulError(500, "leadership lost while committing log"),
};

export function consulErrorOf(error: unknown): ConsulError {
  if (error instanceof ConsulError) return error;
  const { code, status, message } = serviceErrorOf(error);
  return inConsulsWords[code]?.() ?? new ConsulError(status === 413 ? 413 : 500, message);
}
