/** A backup of a running replica: its record through the group first, then the state as it is here when that is applied. */
import { resolve } from "node:path";
import { recordCall, type OperationInput } from "../apply/operations.js";
import type { SnapshotSource } from "../apply/types.js";
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

export async function takeBackup({ slot, sliceBytes, wallMs, submit, capture }: BackupParts, file: string, { by }: BackupOptions): Promise<BackupResult> {
  const path = resolve(file);
  checkTarget(path);
  await roomFor(path);
  const record: OperationInput = { what: "backup", who: by, details: `to ${path}, by the replica of slot ${slot}`, atMs: wallMs() };
  await submit(recordCall(record));
  const { header, source } = capture();
  const written = await writeBackup(path, { ...header, atMs: record.atMs, by }, source, sliceBytes);
  return { path, position: header.point.position, hash: header.point.hash, ...written };
}

/** What takeBackup() would do. Changes nothing. */
export async function planBackup({ capture }: Pick<BackupParts, "capture">, file: string): Promise<BackupPlan> {
  const path = resolve(file);
  checkTarget(path);
  const { header, source } = capture();
  return { path, position: header.point.position, aboutBytes: Math.ceil(source.aboutBytes()), freeBytes: await roomFor(path) };
}
