/** What it means that the data of replicas cannot be used, and what to do. */
import { isLockstepError } from "@lockstep/framework";

/** A directory that cannot be used: why, and what to do. */
export class DataError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "DataError";
  }
}

export interface StoreFailure {
  /** Numbered from 1. */
  readonly replica: number;
  readonly error: unknown;
}

/** Of `replicas` in all, those that failed. Undefined if the failures are about something else. */
export function explainStores(directoryOf: (replica: number) => string, replicas: number, failures: readonly StoreFailure[]): DataError | undefined {
  const unavailable = failures.find(({ error }) => isLockstepError(error, "STORE_UNAVAILABLE"))?.error;
  if (unavailable instanceof Error) return new DataError(`${unavailable.message}\nTo keep nothing on disk, start it with --memory, or on Corosync without --data.`, unavailable);
  const unusable = failures.flatMap(({ replica, error }) => (isStoreError(error) ? [{ replica, error, directory: directoryOf(replica) }] : []));
  const [first] = unusable;
  if (first === undefined) return undefined;
  if (isLockstepError(first.error, "STORE_LOCKED")) {
    return new DataError(`${first.directory} is in use by another process, perhaps a lockstep-lock that runs already. Stop that one, or choose another directory with --data.`, first.error);
  }
  const diagnosis = unusable.map(({ directory, error }) => `${directory}: ${error.message}`).join("\n");
  if (unusable.some(({ error }) => isLockstepError(error, "STORE_FOREIGN"))) return new DataError(`${diagnosis}\nStart as it was made, or choose another directory with --data.`, first.error);
  const wayOut = replicas === 1
    ? "If the other nodes have theirs, a majority of all, begin here without it:"
    : unusable.length * 2 < replicas ? "The other replicas have everything. Begin without it here:" : "Too few replicas are left: bring the data back from a backup, or begin without it:";
  return new DataError([diagnosis, wayOut, ...unusable.map(({ directory }) => `  mv ${shellWord(directory)} ${shellWord(`${directory}.damaged`)}`)].join("\n"), first.error);
}

function isStoreError(error: unknown): error is Error {
  return isLockstepError(error, "STORE_DAMAGED") || isLockstepError(error, "STORE_FOREIGN") || isLockstepError(error, "STORE_LOCKED");
}

/** A path as a shell takes it; on Windows, PowerShell. */
export function shellWord(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", process.platform === "win32" ? "''" : String.raw`'\''`)}'`;
}
