/** Reads a backup, frame by frame: what is in memory at once is one slice. Every checksum, and the digest at the end, is looked at. */
import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { LockstepError, isLockstepError } from "../errors.js";
import { backupFormat, checksumBytes, damaged, decodeEnd, decodeHeader, frameHeadBytes, headChecksum, kinds, magic, preambleBytes, SliceCount, type BackupHeader } from "./backup-format.js";

export class BackupReader {
  readonly header: BackupHeader;
  /** Of the file. */
  readonly bytes: number;
  readonly #frames: Frames;

  private constructor(header: BackupHeader, frames: Frames) {
    this.header = header;
    this.bytes = frames.size;
    this.#frames = frames;
  }

  /** @throws LockstepError BACKUP_FOREIGN, BACKUP_DAMAGED, BACKUP_FAILED. */
  static async open(path: string): Promise<BackupReader> {
    // Without it (Windows has none, nor needs it) the open of a named pipe waits until somebody writes to it.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => { throw unreadable(path, error); });
    try {
      const status = await file.stat();
      if (!status.isFile()) throw unreadable(path, new Error("it is not a file; what comes out of a pipe must be written to one first"));
      const frames = new Frames(path, file, status.size);
      await frames.checkPreamble();
      const { kind, payload } = await frames.next();
      if (kind !== kinds.header) throw damaged(path, "it does not begin with its header");
      return new BackupReader(decoded(path, () => decodeHeader(payload)), frames);
    } catch (error) {
      await file.close();
      throw isLockstepError(error) ? error : unreadable(path, error);
    }
  }

  /** Once. What it has given is known to be whole when it ends. @throws LockstepError BACKUP_DAMAGED, BACKUP_FAILED. */
  async *slices(): AsyncGenerator<Uint8Array, void, undefined> {
    const frames = this.#frames;
    const count = new SliceCount();
    for (let frame = await frames.next(); ; frame = await frames.next()) {
      const { kind, payload } = frame;
      if (kind === kinds.slice) {
        count.add(payload);
        yield payload;
        continue;
      }
      if (kind !== kinds.end) throw damaged(frames.path, "it has a part of an unknown kind");
      const [says, has] = [decoded(frames.path, () => decodeEnd(payload)), count.end()];
      if (says.slices !== has.slices || says.bytes !== has.bytes || says.digest !== has.digest) throw damaged(frames.path, "its end does not match its parts");
      return frames.checkEnd();
    }
  }

  close(): Promise<void> {
    return this.#frames.close();
  }
}

class Frames {
  readonly path: string;
  readonly size: number;
  readonly #file: FileHandle;
  #at = 0;
  #count = 0;

  constructor(path: string, file: FileHandle, size: number) {
    this.path = path;
    this.size = size;
    this.#file = file;
  }

  async checkPreamble(): Promise<void> {
    const start = await this.#read(Math.min(this.size, preambleBytes));
    const known = start.subarray(0, magic.byteLength);
    if (known.byteLength === 0 || !magic.subarray(0, known.byteLength).equals(known)) {
      throw new LockstepError("BACKUP_FOREIGN", `${this.path} is not a backup of Lockstep${this.size === 0 ? ": it is empty" : ""}. Name a file that "lockstep backup" has written.`);
    }
    if (start.byteLength < preambleBytes) throw this.#truncated();
    const format = start.readUInt32LE(magic.byteLength);
    if (format > backupFormat) throw new LockstepError("BACKUP_FOREIGN", `${this.path} has format ${format}; this version reads up to ${backupFormat}. Use the version that wrote it, or one after it.`);
    if (format === 0) throw damaged(this.path, "its format is 0");
  }

  async next(): Promise<{ readonly kind: number; readonly payload: Buffer }> {
    const start = this.#at;
    if (this.size - start < frameHeadBytes) throw this.#truncated();
    const head = await this.#read(frameHeadBytes);
    const checksum = headChecksum(head, this.#count);
    if (head.readUInt32LE(5) !== checksum) throw damaged(this.path, `a checksum at byte ${start} is wrong`);
    const length = head.readUInt32LE(1);
    if (this.size - this.#at < length + checksumBytes) throw this.#truncated();
    const payload = await this.#read(length);
    if ((await this.#read(checksumBytes)).readUInt32LE(0) !== crc32(payload, checksum)) throw damaged(this.path, `the checksum of the part at byte ${start} is wrong`);
    this.#count++;
    return { kind: head.readUInt8(0), payload };
  }

  checkEnd(): void {
    if (this.#at !== this.size) throw damaged(this.path, `${this.size - this.#at} bytes follow its end`);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #read(length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    for (let filled = 0; filled < length;) {
      const { bytesRead } = await this.#file.read(buffer, filled, length - filled, this.#at + filled).catch((error: unknown) => { throw unreadable(this.path, error); });
      if (bytesRead === 0) throw this.#truncated();
      filled += bytesRead;
    }
    this.#at += length;
    return buffer;
  }

  #truncated(): LockstepError {
    return new LockstepError("BACKUP_DAMAGED", `The backup ${this.path} is cut short: it ends after ${this.size} bytes, and its end is missing. Copy it again, or take an earlier backup: this one is not whole.`);
  }
}

function decoded<T>(path: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw damaged(path, error instanceof Error ? error.message : String(error), error);
  }
}

function unreadable(path: string, cause: unknown): LockstepError {
  return new LockstepError("BACKUP_FAILED", `The backup ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause });
}
