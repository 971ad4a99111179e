/** What a durable replica without bytes has on disk: whole writes, and the newest snapshot. */
import type { Recovered, StoredEntries, StoreWrite } from "../../src/log/store.js";
import type { LogPoint } from "../../src/log/log.js";
import { genesis } from "../../src/core/state.js";

export interface SimSnapshot {
  readonly point: LogPoint;
  readonly slices: readonly Uint8Array[];
}

export class SimDisk {
  /** What it does not take at the moment. */
  stuck: "all" | "snapshots" | undefined;
  #entries: StoreWrite["entries"][number][] = [];
  #head: StoreWrite["head"] | undefined;
  #base: LogPoint = genesis;
  #inUse: SimSnapshot | undefined;
  #finished: SimSnapshot | undefined;

  /** undefined: blank. */
  recover(): Recovered | undefined {
    if (this.#head === undefined) return undefined;
    return { head: this.#head, base: this.#base, snapshot: this.#inUse?.slices, entries: this.#entries };
  }

  entriesBetween(from: LogPoint, to: LogPoint): StoredEntries | undefined {
    const holds = (point: LogPoint): boolean => [this.#base, ...this.#entries].some(({ position, hash }) => position === point.position && hash === point.hash);
    if (!holds(from) || !holds(to)) return undefined;
    const entries = this.#entries.filter(({ position }) => position > from.position && position <= to.position);
    return { aboutBytes: entries.reduce((bytes, { record }) => bytes + record.bytes.byteLength, 0), entries };
  }

  finish(snapshot: SimSnapshot): void {
    this.#finished = snapshot;
  }

  write({ cutAfter = Number.POSITIVE_INFINITY, base, entries, head }: StoreWrite): void {
    const from = base?.position ?? 0;
    if (base !== undefined) {
      this.#base = base;
      this.#inUse = this.#finished;
    }
    this.#entries = [...this.#entries.filter(({ position }) => position <= cutAfter && position > from), ...entries];
    this.#head = head;
  }
}
