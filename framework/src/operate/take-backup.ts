/** A backup of a running replica: its record through the group first, then the state as it is here when that is applied. */
import { resolve } from "node:path";
import { canBeRecorded, longest, recordCall, type OperationInput } from "../apply/operations.js";
import type { SnapshotSource } from "../apply/types.js";
import { described, checkCallOptions } from "../call-options.js";
import { LockstepError } from "../errors.js";
import type { CommandCall } from "../log/entry.js";
import type { BackupOptions, BackupPlan, BackupResult } from "../replica-api.js";
import type { BackupHeader } from "./backup-format.js";
import { checkTarget, roomFor, writeBackup } from "./backup-writer.js";

/** The state at this moment, and what it is to be known by: a reference, which costs nothing. */
export interface Captured {
  readonly header: Omit<BackupHeader, "atMs" | "by">;
  readonly source: SnapshotSource;
}

export interface BackupParts {
  readonly slot: number;
  readonly sliceBytes: number;
  readonly wallMs: () => number;
  /** Resolves in the turn in which it is applied here. */
  readonly submit: (call: CommandCall) => Promise<unknown>;
  readonly capture: () => Captured;
}

export async function takeBackup({ slot, sliceBytes, wallMs, submit, capture }: BackupParts, file: string, options: BackupOptions): Promise<BackupResult> {
  checkCallOptions(options, { by: true }, "backup()");
  const { by } = options;
  if (!canBeRecorded(by)) throw new LockstepError("INVALID_INPUT", `backup(path, { by }) is told who asks for it, for the group's record: one line of at most ${longest.who} characters, user@host, say, not ${typeof by === "string" ? `${JSON.stringify(by.slice(0, 50))} (${by.length})` : described(by)}`);
  const path = pathOf(file);
  checkTarget(path);
  await roomFor(path);
  const record: OperationInput = { what: "backup", who: by, details: `to ${path}, by the replica of slot ${slot}`, atMs: wallMs() };
  await submit(recordCall(record));
  const { header, source } = capture();
  const written = await writeBackup(path, { ...header, atMs: record.atMs, by }, source, sliceBytes);
  return { path, position: header.point.position, hash: header.point.hash, ...written };
}

function pathOf(file: unknown): string {
  if (typeof file !== "string" || file === "" || file.includes("\0")) throw new LockstepError("INVALID_INPUT", `a backup is written to a new file, whose path is a text, not ${typeof file === "string" ? JSON.stringify(file) : described(file)}`);
  return resolve(file);
}

/** What takeBackup() would do. Changes nothing. */
export async function planBackup({ capture }: Pick<BackupParts, "capture">, file: string): Promise<BackupPlan> {
  const path = pathOf(file);
  checkTarget(path);
  const { header, source } = capture();
  return { path, position: header.point.position, aboutBytes: Math.ceil(source.aboutBytes()), freeBytes: await roomFor(path) };
}
