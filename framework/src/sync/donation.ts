/**
 * A transfer being given: the chunks for one member, made one at a time, as the group has room for them.
 *
 * What is given is fixed at the start: the state is immutable and the entries are kept by reference, so applying,
 * committing and forgetting go on meanwhile.
 */
import { invariant } from "../errors.js";
import type { Applier, SnapshotSource } from "../apply/types.js";
import type { Ballot } from "../core/ballot.js";
import type { Effect } from "../core/events.js";
import type { ChunkMessage } from "../core/messages.js";
import { contentHash } from "../log/chain-hash.js";
import type { Log, LogEntry, LogPoint } from "../log/log.js";
import { encodeChunk, type Chunk } from "./chunk.js";

export type DonateEffect = Extract<Effect, { type: "donate" }>;

export class Donation {
  readonly #request: DonateEffect;
  readonly #chunks: Iterator<Chunk>;
  readonly #hashes: string[] = [];

  constructor(request: DonateEffect, log: Log, applier: Pick<Applier<unknown>, "capture">, sliceBytes: number) {
    this.#request = request;
    const common = request.have.find((point) => point.position <= request.through && log.hashAt(point.position) === point.hash);
    this.#chunks = common === undefined
      ? fromSnapshot(applier.capture(), log, request.through, sliceBytes)
      : fromPoint(common, entriesBetween(log, common.position, request.through), sliceBytes);
  }

  get to(): number {
    return this.#request.to;
  }

  /** The next chunk, or undefined after the last one. */
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

function entriesBetween(log: Log, after: number, through: number): LogEntry[] {
  const entries: LogEntry[] = [];
  for (let position = after + 1; position <= through; position++) {
    const entry = log.at(position);
    invariant(entry !== undefined, `a donor holds position ${position}`);
    entries.push(entry);
  }
  return entries;
}

function fromSnapshot(snapshot: SnapshotSource, log: Log, through: number, sliceBytes: number): Iterator<Chunk> {
  const hash = log.hashAt(snapshot.position);
  invariant(hash !== undefined, "the log reaches back to what is applied");
  return snapshotChunks(snapshot, hash, entriesBetween(log, snapshot.position, through), sliceBytes);
}

function* snapshotChunks(snapshot: SnapshotSource, hash: string, entries: readonly LogEntry[], sliceBytes: number): Generator<Chunk> {
  yield { kind: "head", mode: "snapshot", from: { position: snapshot.position, hash } };
  const slices = snapshot.slices(sliceBytes);
  for (let slice = slices.next(); slice.done !== true; slice = slices.next()) yield { kind: "slice", bytes: slice.value };
  yield* entryChunks(entries, sliceBytes);
  yield end;
}

function* fromPoint(from: LogPoint, entries: readonly LogEntry[], sliceBytes: number): Generator<Chunk> {
  yield { kind: "head", mode: "incremental", from };
  yield* entryChunks(entries, sliceBytes);
  yield end;
}

/** Its count and digest are filled in when it is sent. */
const end: Chunk = { kind: "end", count: 0, digest: "" };

function* entryChunks(entries: readonly LogEntry[], sliceBytes: number): Generator<Chunk> {
  let part: { ballot: Ballot; bytes: Uint8Array }[] = [];
  let size = 0;
  for (const { ballot, record } of entries) {
    part.push({ ballot, bytes: record.bytes });
    size += record.bytes.byteLength;
    if (size < sliceBytes) continue;
    yield { kind: "entries", entries: part };
    part = [];
    size = 0;
  }
  if (part.length > 0) yield { kind: "entries", entries: part };
}
