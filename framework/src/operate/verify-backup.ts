/** Looks at all of a backup: every checksum, the digest, and that the state in it can be read. */
import { isLockstepError } from "../errors.js";
import { damaged, type BackupHeader } from "./backup-format.js";
import { BackupReader } from "./backup-reader.js";
import { readSnapshot, type SnapshotContent } from "./snapshot-content.js";

export interface VerifiedBackup {
  readonly header: BackupHeader;
  /** Of the file. */
  readonly bytes: number;
  readonly content: SnapshotContent;
}

/** @throws LockstepError BACKUP_DAMAGED, BACKUP_FOREIGN, BACKUP_FAILED. */
export async function verifyBackup(path: string): Promise<VerifiedBackup> {
  const reader = await BackupReader.open(path);
  try {
    const { header, bytes } = reader;
    const content = await readSnapshot(reader.slices());
    const { name, version } = content.machine;
    if (name !== header.machine.name || version !== header.machine.version) throw damaged(path, `the state in it is of ${name} version ${version}, and not what its header says`);
    if (content.position !== header.point.position) throw damaged(path, `the state in it is of position ${content.position}, and not what its header says`);
    return { header, bytes, content };
  } catch (error) {
    throw isLockstepError(error, "MALFORMED_MESSAGE") ? damaged(path, error.message, error) : error;
  } finally {
    await reader.close();
  }
}
