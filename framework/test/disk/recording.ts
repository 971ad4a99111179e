/** What a process did to its files, by recorder.cc, in order; and what of it a loss of power leaves. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Random } from "../../src/testing/random.js";

export type Step =
  | { readonly type: "create" | "remove" | "flush" | "directory"; readonly path: string }
  | { readonly type: "write"; readonly path: string; readonly at: number; readonly bytes: Buffer; readonly sync: boolean }
  | { readonly type: "truncate"; readonly path: string; readonly size: number }
  | { readonly type: "rename"; readonly path: string; readonly to: string };

const sectorBytes = 512;

/** The library to be loaded into a process, made in a directory. */
export function makeRecorder(scratch: string): string {
  const library = join(scratch, "recorder.so");
  const made = spawnSync("g++", ["-shared", "-fPIC", "-O1", "-o", library, fileURLToPath(new URL("recorder.cc", import.meta.url)), "-ldl"], { encoding: "utf8" });
  if (made.status !== 0) throw new Error(`g++ failed: ${made.stderr}`);
  return library;
}

export function readRecording(file: string): Step[] {
  const all = readFileSync(file);
  const steps: Step[] = [];
  for (let at = 0; at < all.byteLength;) {
    const end = all.indexOf("\n", at);
    const [type = "", path = "", ...more] = all.toString("latin1", at, end).split(" ");
    at = end + 1;
    if (type === "write") {
      const bytes = all.subarray(at, at + Number(more[1]));
      steps.push({ type, path, at: Number(more[0]), bytes, sync: more[2] === "1" });
      at += bytes.byteLength;
    } else if (type === "truncate") steps.push({ type, path, size: Number(more[0]) });
    else if (type === "rename") steps.push({ type, path, to: more[0] ?? "" });
    else if (type === "create" || type === "remove" || type === "flush" || type === "directory") steps.push({ type, path });
    else throw new Error(`${JSON.stringify(type)} is no step`);
  }
  return steps;
}

/** What is written to a file and not flushed: in this order, each whole or in part or not at all. */
type Unflushed = { readonly at: number; readonly bytes: Buffer } | { readonly size: number };

class FileContent {
  flushed: Buffer = Buffer.alloc(0);
  unflushed: Unflushed[] = [];

  left(writes: () => boolean): Buffer {
    return changed(this.flushed, this.unflushed, writes);
  }

  flush(): void {
    this.flushed = changed(this.flushed, this.unflushed, () => true);
    this.unflushed = [];
  }
}

/** @param writes Asked for each sector. */
function changed(content: Buffer, changes: readonly Unflushed[], writes: () => boolean): Buffer {
  const left = Buffer.alloc(Math.max(content.byteLength, ...changes.map((change) => ("size" in change ? change.size : change.at + change.bytes.byteLength))));
  let size = content.copy(left);
  for (const change of changes) {
    if ("size" in change) {
      if (writes()) {
        size = change.size;
        left.fill(0, size);
      }
      continue;
    }
    for (let from = 0; from < change.bytes.byteLength;) {
      const to = Math.min(change.bytes.byteLength, from + sectorBytes - (change.at + from) % sectorBytes);
      if (writes()) {
        change.bytes.copy(left, change.at + from, from, to);
        size = Math.max(size, change.at + to);
      }
      from = to;
    }
  }
  return left.subarray(0, size);
}

/** A name: of a file, or of a directory. */
type Named = FileContent | "directory";

/** A disk that keeps what was flushed, and of the rest what it likes: of names too. */
export class RecordedDisk {
  readonly #names = new Map<string, Named>();
  /** As they were when their directories were flushed last. */
  readonly #flushedNames = new Map<string, Named>();

  do(step: Step): void {
    const named = this.#names.get(step.path);
    switch (step.type) {
      case "create": this.#names.set(step.path, new FileContent()); return;
      case "directory": this.#names.set(step.path, "directory"); return;
      case "remove": this.#names.delete(step.path); return;
      case "rename":
        if (named !== undefined) this.#names.set(step.to, named);
        this.#names.delete(step.path);
        return;
      case "flush": return named instanceof FileContent ? named.flush() : this.#flushNames(step.path);
      case "truncate": if (named instanceof FileContent) named.unflushed.push({ size: step.size }); return;
      default: if (named instanceof FileContent) this.#write(named, step);
    }
  }

  #write(file: FileContent, { at, bytes, sync }: Extract<Step, { type: "write" }>): void {
    if (!sync) file.unflushed.push({ at, bytes });
    // Of other writes it says nothing; nobody writes to one place with it and without.
    else if (at + bytes.byteLength <= file.flushed.byteLength) bytes.copy(file.flushed, at);
    else file.flushed = changed(file.flushed, [{ at, bytes }], () => true);
  }

  #flushNames(directory: string): void {
    for (const path of this.#flushedNames.keys()) if (dirname(path) === directory && !this.#names.has(path)) this.#flushedNames.delete(path);
    for (const [path, named] of this.#names) if (dirname(path) === directory) this.#flushedNames.set(path, named);
  }

  /** Writes down below `to` what is left below `from`. @param random What of the rest is left; undefined: nothing. */
  leave(from: string, to: string, random?: Random): void {
    rmSync(to, { recursive: true, force: true });
    const writes = (): boolean => random?.chance(0.5) ?? false;
    const names = this.#leftNames(writes);
    for (const [path, named] of Array.from(names).sort(([a], [b]) => a.length - b.length)) this.#leaveOne(path, named, from, to, names, writes);
  }

  #leftNames(writes: () => boolean): ReadonlyMap<string, Named> {
    const left = new Map<string, Named>();
    for (const path of new Set([...this.#flushedNames.keys(), ...this.#names.keys()])) {
      const named = (writes() ? this.#names : this.#flushedNames).get(path);
      if (named !== undefined) left.set(path, named);
    }
    return left;
  }

  #leaveOne(path: string, named: Named, from: string, to: string, names: ReadonlyMap<string, Named>, writes: () => boolean): void {
    if (path !== from && !path.startsWith(`${from}/`)) return;
    const target = `${to}${path.slice(from.length)}`;
    // What is in a directory that is not there is lost with it.
    if (path !== from && names.get(dirname(path)) !== "directory") return;
    if (named === "directory") mkdirSync(target, { recursive: true });
    else writeFileSync(target, named.left(writes));
  }

  /** As the process sees it, for a comparison with what is really there. */
  seen(path: string): Buffer | undefined {
    const named = this.#names.get(path);
    return named instanceof FileContent ? named.left(() => true) : undefined;
  }
}
