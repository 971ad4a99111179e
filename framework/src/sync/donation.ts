/**
 * A transfer being given: the chunks for one member, made one at a time, as the group has room for them.
 *
 * What is given is fixed at the start: the state is immutable and the entries are kept by reference, so applying,
 * committing and forgetting go on meanwhile. Older entries come from the disk, as they are needed.
 */
import { invariant } from "../errors.js";
import type { Applier, SnapshotSource } from "../apply/types.js";
import type { Ballot } from "../core/ballot.js";
import type { Effect } from "../core/events.js";
import type { ChunkMessage } from "../core/messages.js";
import type { Limits } from "../limits.js";
import { contentHash } from "../log/chain-hash.js";
import type { Log, LogEntry, LogPoint } from "../log/log.js";
import type { StoredEntries } from "../log/store.js";
import { encodeChunk, type Chunk } from "./chunk.js";

export type DonateEffect = Extract<Effect, { type: "donate" }>;

export interface DonorParts {
  readonly log: Log;
  readonly applier: Pick<Applier<unknown>, "capture">;
  /** Store.entriesBetween() of a durable replica. */
  readonly entriesBetween: (from: LogPoint, to: LogPoint) => StoredEntries | undefined;
  readonly limits: Pick<Limits, "snapshotSliceBytes" | "incrementalBytes">;
}

export class Donation {
  readonly #request: DonateEffect;
  readonly #chunks: Iterator<Chunk>;
  readonly #hashes: string[] = [];

  constructor(request: DonateEffect, parts: DonorParts) {
    this.#request = request;
    const snapshot = parts.applier.capture();
    const missing = findMissing(request, parts);
    this.#chunks = missing === undefined || !isWorthIt(missing, snapshot, parts.limits)
      ? fromSnapshot(snapshot, parts.log, request.through, parts.limits.snapshotSliceBytes)
      : fromPoint(missing, parts.limits.snapshotSliceBytes);
  }

  get to(): number {
    return this.#request.to;
  }

  /**
   * The next chunk, or undefined after the last one.
   * @throws LockstepError STORE_DAMAGED, STORE_FAILED: what was to be given is not on disk any more.
   */
  next(): ChunkMessage | undefined {
    const { value, done } = this.#chunks.next() as IteratorResult<Chunk, undefined>;
    if (done === true) return undefined;
    const index = this.#hashes.length;
    const payload = encodeChunk(value.kind === "end" ? { kind: "end", count: index, digest: digestOf(this.#hashes) } : value);
    this.#hashes.push(contentHash(payload));
    const { ballot, to, turn } = this.#request;
    return { type: "chunk", ballot, to, turn, index, payload };
  }
}

export function digestOf(hashes: readonly string[]): string {
  return contentHash(Buffer.from(hashes.join("")));
}

/** Entries after a point that the member has. */
interface Missing {
  readonly from: LogPoint;
  readonly entries: Iterable<LogEntry>;
  readonly aboutBytes: number;
}

/** After the first place that both have, in memory or on disk. */
function findMissing({ have, through }: DonateEffect, { log, entriesBetween }: DonorParts): Missing | undefined {
  for (const from of have) {
    if (from.position > through) continue;
    if (log.hashAt(from.position) === from.hash) return { from, ...held(log, from.position, through) };
    const hash = log.hashAt(log.base);
    const stored = from.position >= log.base || hash === undefined ? undefined : entriesBetween(from, { position: log.base, hash });
    if (stored === undefined) continue;
    const rest = held(log, log.base, through);
    // What is dropped from memory may go beyond what is asked for.
    return { from, entries: inTurn(stored.entries, rest.entries, through - from.position), aboutBytes: stored.aboutBytes + rest.aboutBytes };
  }
  return undefined;
}

/** The one, then the other, so many in all. */
function* inTurn(first: Iterable<LogEntry>, second: Iterable<LogEntry>, count: number): Generator<LogEntry> {
  let left = count;
  for (const part of [first, second]) {
    for (const entry of part) {
      if (left === 0) return;
      left--;
      yield entry;
    }
  }
}

/**
 * Where little is missing, entries: with a snapshot a member loses what its own commands came to. And where the state here is of a
 * position that the member has: it may know of more commits than this replica.
 */
function isWorthIt({ from, aboutBytes }: Missing, snapshot: SnapshotSource, limits: Pick<Limits, "incrementalBytes">): boolean {
  return aboutBytes <= limits.incrementalBytes || snapshot.position <= from.position || aboutBytes <= snapshot.aboutBytes();
}

function held(log: Log, after: number, through: number): { readonly entries: readonly LogEntry[]; readonly aboutBytes: number } {
  const entries: LogEntry[] = [];
  let aboutBytes = 0;
  for (let position = after + 1; position <= through; position++) {
    const entry = log.at(position);
    invariant(entry !== undefined, `a donor holds position ${position}`);
    entries.push(entry);
    aboutBytes += entry.record.bytes.byteLength;
  }
  return { entries, aboutBytes };
}

function fromSnapshot(snapshot: SnapshotSource, log: Log, through: number, sliceBytes: number): Iterator<Chunk> {
  const hash = log.hashAt(snapshot.position);
  invariant(hash !== undefined, "the log reaches back to what is applied");
  return snapshotChunks(snapshot, hash, held(log, snapshot.position, through).entries, sliceBytes);
}

function* snapshotChunks(snapshot: SnapshotSource, hash: string, entries: readonly LogEntry[], sliceBytes: number): Generator<Chunk> {
  yield { kind: "head", mode: "snapshot", from: { position: snapshot.position, hash } };
  const slices = snapshot.slices(sliceBytes);
  for (let slice = slices.next(); slice.done !== true; slice = slices.next()) yield { kind: "slice", bytes: slice.value };
  yield* entryChunks(entries, sliceBytes);
  yield end;
}

function* fromPoint({ from, entries }: Missing, sliceBytes: number): Generator<Chunk> {
  yield { kind: "head", mode: "incremental", from };
  yield* entryChunks(entries, sliceBytes);
  yield end;
}

/** Its count and digest are filled in when it is sent. */
const end: Chunk = { kind: "end", count: 0, digest: "" };

/** A chunk ends with the entry that makes it as large as a slice; larger entries travel alone. */
function* entryChunks(entries: Iterable<LogEntry>, sliceBytes: number): Generator<Chunk> {
  let part: { ballot: Ballot; bytes: Uint8Array }[] = [];
  let size = 0;
  for (const { ballot, record } of entries) {
    if (part.length > 0 && record.bytes.byteLength > sliceBytes) {
      yield { kind: "entries", entries: part };
      part = [];
      size = 0;
    }
    part.push({ ballot, bytes: record.bytes });
    size += record.bytes.byteLength;
    if (size < sliceBytes) continue;
    yield { kind: "entries", entries: part };
    part = [];
    size = 0;
  }
  if (part.length > 0) yield { kind: "entries", entries: part };
}
