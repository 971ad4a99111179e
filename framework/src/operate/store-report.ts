/** What is in a replica's directory while nobody runs on it. Looks at every checksum and every chain hash; changes nothing. */
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { isRecord, operationOf } from "../apply/operations.js";
import type { Operation } from "../apply/types.js";
import { decodeEntry } from "../codec/entry-codec.js";
import { LockstepError, isLockstepError } from "../errors.js";
import { journalFile } from "../log/journal.js";
import { openBackend } from "../log/journaled-backend.js";
import { databaseFile } from "../log/lmdb-backend.js";
import type { LogPoint } from "../log/log.js";
import { identityIn, openLogStore } from "../log/log-store.js";
import { decodeIdentity } from "../log/store-codec.js";
import { keys } from "../log/store-keys.js";
import type { Backend, Recovered, StoredEntry, StoreHead, StoreIdentity } from "../log/store.js";
import { readSnapshot, type SnapshotContent } from "./snapshot-content.js";

export interface StoreReport {
  readonly directory: string;
  readonly identity: StoreIdentity;
  /** Of the records. */
  readonly format: number;
  /** undefined: there is no log yet. */
  readonly log: LogReport | undefined;
  readonly fileBytes: number;
}

export interface LogReport {
  readonly head: StoreHead;
  /** Where the log begins: a snapshot of the state there, unless it is the very beginning. */
  readonly base: LogPoint;
  readonly end: LogPoint;
  readonly snapshot: SnapshotContent | undefined;
  /** After the base. */
  readonly entries: number;
  readonly bytes: number;
  /** The newest in the snapshot and in the log, oldest first. */
  readonly operations: readonly Operation[];
}

/** Has the directory for itself meanwhile. @throws LockstepError OPERATION_REFUSED if there is no store; STORE_LOCKED, STORE_DAMAGED, … */
export async function withStore<T>(directory: string, use: (backend: Backend, report: StoreReport) => Promise<T> | T): Promise<T> {
  const path = resolve(directory);
  if (!existsSync(join(path, databaseFile))) throw new LockstepError("OPERATION_REFUSED", `${path} holds no store: there is no ${databaseFile} in it. Name the directory that the replica is started with.`);
  const backend = await openBackend(path).catch((error: unknown) => { throw explainLock(path, error); });
  try {
    return await use(backend, await report(path, backend));
  } finally {
    await backend.close();
  }
}

export function inspectStore(directory: string): Promise<StoreReport> {
  return withStore(directory, (_backend, found) => found);
}

async function report(directory: string, backend: Backend): Promise<StoreReport> {
  const record = identityIn(backend);
  // As a replica leaves it that was never part of the group: one that is started again begins blank.
  if (record === undefined) throw new LockstepError("OPERATION_REFUSED", `${directory} holds no store yet: nothing was ever written to its ${databaseFile}. There is nothing to look at, nor to start from; a replica that is started with it begins blank.`);
  const identity = decodeIdentity(keys.identity, record);
  const recovered = openLogStore(backend, identity).recover();
  const log = recovered === undefined ? undefined : await readLog(recovered);
  return { directory, identity, format: record[0] ?? 0, log, fileBytes: filesBytes(directory) };
}

function filesBytes(directory: string): number {
  return [databaseFile, journalFile].map((name) => join(directory, name)).filter((path) => existsSync(path)).reduce((sum, path) => sum + statSync(path).size, 0);
}

async function readLog({ head, base, snapshot, entries }: Recovered): Promise<LogReport> {
  const content = snapshot === undefined ? undefined : await readSnapshot(snapshot).catch((error: unknown) => {
    throw isLockstepError(error, "MALFORMED_MESSAGE") ? unreadable(base.position, error) : error;
  });
  const operations = Array.from(content?.operations ?? []);
  let [end, count, bytes] = [base, 0, 0];
  for (const entry of entries) {
    end = { position: entry.position, hash: entry.hash };
    count++;
    bytes += entry.record.bytes.byteLength;
    operations.push(...operationsIn(entry));
  }
  return { head, base, end, snapshot: content, entries: count, bytes, operations };
}

/** As the replicas will apply them, if they do: what cannot be decoded is an entry without commands. */
function operationsIn({ position, record }: StoredEntry): Operation[] {
  try {
    const { commands, timeMs } = decodeEntry(record.bytes);
    return commands.filter(isRecord).flatMap(({ input }) => operationOf(input, position, timeMs) ?? []);
  } catch (error) {
    if (isLockstepError(error, "MALFORMED_MESSAGE")) return [];
    throw error;
  }
}

function unreadable(position: number, cause: Error): LockstepError {
  return new LockstepError("STORE_DAMAGED", `The store is damaged, or of another version: the state of position ${position} in it cannot be read: ${cause.message} Nothing was changed.`, { cause });
}

function explainLock(directory: string, error: unknown): unknown {
  if (!isLockstepError(error, "STORE_LOCKED")) return error;
  return new LockstepError("STORE_LOCKED", `${error.message} To ask the replica that runs on it: lockstep status --data ${directory}`, { cause: error });
}
