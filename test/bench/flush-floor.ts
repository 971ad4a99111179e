/** The floor of every durable write: how often a second a page can be written and flushed in a file that is there already. */
import { closeSync, fdatasyncSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

const pageBytes = 4096;
const pages = 1024;

export function flushesPerSecond(directory: string, seconds: number): number {
  const path = join(directory, "flush-floor");
  const file = openSync(path, "w+");
  try {
    const page = Buffer.alloc(pageBytes, "v");
    for (let index = 0; index < pages; index++) writeSync(file, page, 0, pageBytes, index * pageBytes);
    fsyncSync(file);
    const start = performance.now();
    let count = 0;
    for (; performance.now() - start < seconds * 1000; count++) {
      writeSync(file, page, 0, pageBytes, (count % pages) * pageBytes);
      fdatasyncSync(file);
    }
    return count / ((performance.now() - start) / 1000);
  } finally {
    closeSync(file);
    rmSync(path);
  }
}
