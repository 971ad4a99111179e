/**
 * Makes the store of one replica from a backup: the state, and one entry after it that tells of the restore. The other replicas
 * start with empty directories and take the state from this one.
 *
 * The state is written beside nothing first; one write then makes it the beginning of a log. Until then the store says that it is
 * unfinished, and nobody starts from it: it can only be restored into again.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { newStart, type Ballot } from "../core/ballot.js";
import { LockstepError, isLockstepError } from "../errors.js";
import { isLockFile } from "../log/directory-lock.js";
import { isStoreFile, openBackend } from "../log/journaled-backend.js";
import { databaseFile } from "../log/lmdb-backend.js";
import { isUnfinished, makeStore } from "../log/log-store.js";
import { past } from "../log/store-keys.js";
import type { Backend, Store, StoreIdentity } from "../log/store.js";
import type { BackupHeader } from "./backup-format.js";
import { BackupReader } from "./backup-reader.js";
import { recordEntry } from "./record-entry.js";
import { verifyBackup, type VerifiedBackup } from "./verify-backup.js";

export interface RestoreTarget {
  readonly directory: string;
  readonly group: string;
  readonly slot: number;
  /** Ascending, `slot` among them. */
  readonly slots: readonly number[];
  readonly policy: string;
}

export interface RestorePlan {
  readonly backup: VerifiedBackup;
  readonly target: RestoreTarget;
  readonly ballot: Ballot;
}

/** Looks at all of the backup, and at the directory. Changes nothing. @throws LockstepError. */
export async function planRestore(file: string, given: RestoreTarget): Promise<RestorePlan> {
  const target = { ...given, directory: resolve(given.directory) };
  refuseForeignFiles(target.directory);
  if (existsSync(join(target.directory, databaseFile))) await (await openUnused(target.directory)).close();
  const backup = await verifyBackup(file);
  const { ballot, point } = backup.header;
  return { backup, target, ballot: newStart(ballot, target.slot, point.hash) };
}

export async function restore(file: string, { backup, target, ballot }: RestorePlan, by: string, atMs: number): Promise<void> {
  const { directory, group, slot, slots, policy } = target;
  const { header } = backup;
  refuseForeignFiles(directory);
  const identity: StoreIdentity = { group, slot, machine: header.machine.name, version: header.machine.version, slots, policy };
  const backend = await openUnused(directory);
  try {
    const store = await makeStore(backend, identity);
    await writeState(store, file, header);
    const operation = { what: "restore", who: by, atMs, details: `of the state of group ${header.group} at position ${header.point.position}, from ${resolve(file)} (taken ${new Date(header.atMs).toISOString()} by ${header.by}), into slot ${slot}` };
    const entry = recordEntry(header.point, ballot, slot, operation);
    await store.write({ base: header.point, entries: [entry], head: { ballot, promised: ballot, lineage: true, replaceState: false, known: [slot] } });
  } finally {
    await backend.close();
  }
}

async function writeState(store: Store, file: string, { point }: BackupHeader): Promise<void> {
  const reader = await BackupReader.open(file);
  try {
    // Another file would have taken this one's place since it was looked at.
    if (reader.header.point.hash !== point.hash) throw new LockstepError("BACKUP_DAMAGED", `The backup ${file} was exchanged while it was read. Nothing can be started from what was written: restore again.`);
    const writer = store.beginSnapshot(point);
    for await (const slice of reader.slices()) await writer.write(slice);
    await writer.finish();
  } finally {
    await reader.close();
  }
}

function refuseForeignFiles(directory: string): void {
  if (!existsSync(directory)) return;
  if (!statSync(directory).isDirectory()) throw new LockstepError("OPERATION_REFUSED", `${directory} is a file. Name a directory that is empty or missing.`);
  if (readdirSync(directory).some((name) => !isStoreFile(name) && !isLockFile(name))) throw used(directory);
}

/** Looks when it has the directory for itself: nobody makes a store between the look and the first write. */
async function openUnused(directory: string): Promise<Backend> {
  const backend = await openBackend(directory).catch((error: unknown) => {
    throw isLockstepError(error, "STORE_DAMAGED") || isLockstepError(error, "STORE_FOREIGN") ? used(directory) : error;
  });
  let unused = false;
  try {
    unused = isUnfinished(backend) || backend.keys("", past, 1).length === 0;
  } finally {
    if (!unused) await backend.close();
  }
  return unused ? backend : Promise.reject(used(directory));
}

function used(directory: string): LockstepError {
  return new LockstepError("OPERATION_REFUSED", `${directory} is not empty: a restore never takes the place of other data. Name a directory that is empty or missing, or in which a restore was not finished.`);
}
