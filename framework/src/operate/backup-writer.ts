/**
 * Writes a backup: beside its name first, and under it when all of it is on disk. Between two slices everything else has its turn,
 * so that a replica goes on while its state is written.
 */
import { existsSync } from "node:fs";
import { open, rename, rm, statfs, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { SnapshotSource } from "../apply/types.js";
import { LockstepError } from "../errors.js";
import { flush } from "../log/directory.js";
import { checksumBytes, encodeEnd, encodeHeader, frameHeadBytes, kinds, preamble, seal, SliceCount, type BackupHeader } from "./backup-format.js";

export interface WrittenBackup {
  /** Of the file. */
  readonly bytes: number;
  readonly slices: number;
}

/** @throws LockstepError OPERATION_REFUSED if there is something under this name. */
export function checkTarget(path: string): void {
  if (existsSync(path)) throw new LockstepError("OPERATION_REFUSED", `${path} is there already: a backup never takes another file's place. Choose another name.`);
  if (existsSync(`${path}.partial`)) throw new LockstepError("OPERATION_REFUSED", `${path}.partial is there already: another backup to this name is under way, or was broken off. In the latter case remove it, or choose another name.`);
}

/** Free bytes where it would go. @throws LockstepError BACKUP_FAILED. */
export async function roomFor(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(dirname(path));
    return bavail * bsize;
  } catch (error) {
    throw failed(path, error);
  }
}

/** @throws LockstepError OPERATION_REFUSED, BACKUP_FAILED: nothing is left then. */
export async function writeBackup(path: string, header: BackupHeader, source: SnapshotSource, sliceBytes: number): Promise<WrittenBackup> {
  checkTarget(path);
  const partial = `${path}.partial`;
  const file = await open(partial, "wx", 0o600).catch((error: unknown) => { throw failed(path, error); });
  let name = partial;
  try {
    const written = await closing(file, () => writeAll(file, header, source, sliceBytes));
    if (existsSync(path)) checkTarget(path);
    await rename(partial, path);
    name = path;
    flush(dirname(path));
    return written;
  } catch (error) {
    await rm(name, { force: true });
    throw error instanceof LockstepError ? error : failed(path, error);
  }
}

async function closing<T>(file: FileHandle, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, header: BackupHeader, source: SnapshotSource, sliceBytes: number): Promise<WrittenBackup> {
  let frames = 0;
  let bytes = 0;
  const write = async (parts: readonly Uint8Array[]): Promise<void> => {
    for (const part of parts) {
      await file.appendFile(part);
      bytes += part.byteLength;
    }
  };
  const frame = (kind: number, payload: Uint8Array): Promise<void> => {
    const { head, checksum } = seal(kind, frames++, payload);
    return write(payload.byteLength > smallBytes ? [head, payload, checksum] : [Buffer.concat([head, payload, checksum], frameHeadBytes + payload.byteLength + checksumBytes)]);
  };
  await write([preamble()]);
  await frame(kinds.header, encodeHeader(header));
  const count = new SliceCount();
  const slices = source.slices(sliceBytes);
  for (let slice = slices.next(); slice.done !== true; slice = slices.next()) {
    count.add(slice.value);
    await frame(kinds.slice, slice.value);
  }
  const end = count.end();
  await frame(kinds.end, encodeEnd(end));
  await file.sync();
  return { bytes, slices: end.slices };
}

/** Copied, to be written at once. */
const smallBytes = 256 * 1024;

function failed(path: string, cause: unknown): LockstepError {
  return new LockstepError("BACKUP_FAILED", `The backup ${path} was not written: ${cause instanceof Error ? cause.message : String(cause)}. Nothing is left of it. Make room, or choose another place.`, { cause });
}
