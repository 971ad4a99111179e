/**
 * The replicated log as the core sees it, and its form in memory.
 *
 * Positions count from 1. The log starts after `base`, whose hash it keeps; what lies at or below it has been applied
 * and dropped. What of it is on disk is another matter: core/disk.ts.
 */
import { invariant } from "../errors.js";
import type { Ballot } from "../core/ballot.js";
import { chainHash, genesisHash } from "./chain-hash.js";

/** A place in the log, and the chain hash there. */
export interface LogPoint {
  readonly position: number;
  /** 32 hexadecimal digits. */
  readonly hash: string;
}

/** An entry as it travels: its bytes, and of its contents only what the protocol asks for. */
export interface EntryRecord {
  readonly incarnation: string;
  /** Counts the incarnation's entries from 1. */
  readonly n: number;
  /** codec/entry-codec.ts; what the chain hash covers. */
  readonly bytes: Uint8Array;
}

export interface LogEntry {
  readonly ballot: Ballot;
  readonly record: EntryRecord;
  /** Chain hash at this entry's position. */
  readonly hash: string;
}

export interface Log {
  /** The position before the first entry held. */
  readonly base: number;
  /** The highest position held; base if there is none. */
  readonly end: number;
  /** What the held entries take of the memory, about. */
  readonly bytes: number;
  /** Appends at end + 1 and returns the new chain hash. */
  append(ballot: Ballot, record: EntryRecord): string;
  /** base to end, else undefined. */
  hashAt(position: number): string | undefined;
  /** base + 1 to end, else undefined. */
  at(position: number): LogEntry | undefined;
  /** Cuts everything above a position that is held. */
  truncateAfter(position: number): void;
  /** Forgets entries up to and including a position that is held. */
  dropThrough(position: number): void;
  /** Forgets everything, and starts after a point. */
  reset(point: LogPoint): void;
}

/** What an entry takes besides its bytes: buffers, objects and hashes (Node 20: 890 bytes resident for each of 300 000 with 59). */
export const entryCostBytes = 800;

/** What an entry takes of the memory, about. */
export function memoryOf({ bytes }: EntryRecord): number {
  return bytes.byteLength + entryCostBytes;
}

export function endOf(log: Log): LogPoint {
  const hash = log.hashAt(log.end);
  invariant(hash !== undefined, "a log knows the hash at its end");
  return { position: log.end, hash };
}

/** How many dropped entries may stay in front of the array before it is compacted: keeps dropping O(1) per entry. */
const compactAfter = 1024;

export class MemoryLog implements Log {
  #base = 0;
  #baseHash = genesisHash;
  /** Entry of position p is at #entries[p - #base - 1 + #skip]. */
  #entries: (LogEntry | undefined)[] = [];
  #skip = 0;
  #bytes = 0;

  get base(): number {
    return this.#base;
  }

  get end(): number {
    return this.#base + this.#entries.length - this.#skip;
  }

  get bytes(): number {
    return this.#bytes;
  }

  append(ballot: Ballot, record: EntryRecord): string {
    const hash = chainHash(this.hashAt(this.end) ?? this.#baseHash, ballot, record.bytes);
    this.#entries.push({ ballot, record, hash });
    this.#bytes += memoryOf(record);
    return hash;
  }

  hashAt(position: number): string | undefined {
    return position === this.#base ? this.#baseHash : this.at(position)?.hash;
  }

  at(position: number): LogEntry | undefined {
    return position <= this.#base ? undefined : this.#entries[position - this.#base - 1 + this.#skip];
  }

  truncateAfter(position: number): void {
    invariant(position >= this.#base && position <= this.end, `cannot cut the log after ${position}: it holds ${this.#base} to ${this.end}`);
    for (let at = position + 1; at <= this.end; at++) {
      const entry = this.at(at);
      if (entry !== undefined) this.#bytes -= memoryOf(entry.record);
    }
    this.#entries.length = position - this.#base + this.#skip;
  }

  dropThrough(position: number): void {
    invariant(position >= this.#base && position <= this.end, `cannot drop the log through ${position}: it holds ${this.#base} to ${this.end}`);
    for (let at = this.#base + 1; at <= position; at++) {
      const entry = this.#entries[this.#skip];
      invariant(entry !== undefined, "a held position has an entry");
      this.#bytes -= memoryOf(entry.record);
      this.#baseHash = entry.hash;
      this.#entries[this.#skip] = undefined;
      this.#skip++;
      this.#base++;
    }
    if (this.#skip > compactAfter && this.#skip * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#skip);
      this.#skip = 0;
    }
  }

  reset(point: LogPoint): void {
    this.#base = point.position;
    this.#baseHash = point.hash;
    this.#entries = [];
    this.#skip = 0;
    this.#bytes = 0;
  }
}
