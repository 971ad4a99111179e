/** What it means that a replica's data cannot be used, and what to do. */
import { isLockstepError } from "@lockstep/framework";
import { DataError, replicaDirectory } from "./data-directory.js";

export interface StoreFailure {
  /** Numbered from 1. */
  readonly replica: number;
  readonly error: unknown;
}

/** Of one replica on Corosync. Undefined if the error is about something else. */
export function explainStore(directory: string, error: unknown): DataError | undefined {
  if (isLockstepError(error, "STORE_LOCKED")) return inUse(directory, error);
  if (isLockstepError(error, "STORE_FOREIGN")) return new DataError(`${directory}: ${error.message}`, error);
  if (!isLockstepError(error, "STORE_DAMAGED")) return undefined;
  return new DataError(`${directory}: ${error.message}\nThe others must be there with theirs, a majority of all. Here:\n  ${moveAway(directory)}`, error);
}

/** Of replicas in one process. Undefined if the failures are about something else. */
export function explainGroupStores(directory: string, replicas: number, failures: readonly StoreFailure[]): DataError | undefined {
  const locked = failures.find(({ error }) => isLockstepError(error, "STORE_LOCKED"));
  if (locked !== undefined) return inUse(directory, locked.error);
  const unavailable = failures.find(({ error }) => isLockstepError(error, "STORE_UNAVAILABLE"))?.error;
  if (unavailable instanceof Error) return new DataError(`${unavailable.message}\nTo keep nothing on disk: lockstep-kv --memory, or npm start -- --memory`, unavailable);
  const unusable = failures.flatMap(({ replica, error }) => (isStoreError(error) ? [{ directory: replicaDirectory(directory, replica), replica, error }] : []));
  if (unusable.length === 0) return undefined;
  const diagnosis = unusable.map((each) => `Replica ${each.replica} of ${replicas}, in ${each.directory}: ${each.error.message}`).join("\n");
  const wayOut = unusable.length * 2 < replicas
    ? `The other replicas have everything. Here:\n${unusable.map((each) => `  ${moveAway(each.directory)}`).join("\n")}`
    : `Too few replicas are left for that: bring the data back from a backup, or begin without it.\n  ${moveAway(directory)}`;
  return new DataError(`${diagnosis}\n${wayOut}`, unusable[0]?.error);
}

function inUse(directory: string, cause: unknown): DataError {
  return new DataError(`${directory} is in use by another process, perhaps a lockstep-kv that runs already. Stop that one, or choose another directory with --data.`, cause);
}

function isStoreError(error: unknown): error is Error {
  return isLockstepError(error, "STORE_DAMAGED") || isLockstepError(error, "STORE_FOREIGN");
}

function moveAway(directory: string): string {
  return `mv ${shellWord(directory)} ${shellWord(`${directory}.damaged`)}`;
}

/** A path as a shell takes it; on Windows, PowerShell. */
export function shellWord(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", process.platform === "win32" ? "''" : String.raw`'\''`)}'`;
}
