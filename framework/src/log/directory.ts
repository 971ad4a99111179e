/** Directories that will be there after a loss of power: a new name is not safe before the directory that has it is flushed. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes it, and those above it, if it is missing. (mkdir's own `recursive` never returns where a directory that is there takes
 * none, and says that it is not: /proc.)
 */
export function makeDirectory(path: string): void {
  if (existsSync(path) && statSync(path).isDirectory()) return;
  const parent = dirname(path);
  if (!existsSync(parent) && parent !== path) makeDirectory(parent);
  mkdirSync(path, { mode: 0o700 });
  flush(parent);
}

/** A file's content, or a directory's names. On Windows names cannot be flushed, and content only by who may write. */
export function flush(path: string): void {
  const isWindows = process.platform === "win32";
  if (isWindows && statSync(path).isDirectory()) return;
  const descriptor = openSync(path, isWindows ? "r+" : "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
