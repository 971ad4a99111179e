/** What the chunks of a transfer hold: a head, the slices of a snapshot or none, log entries, an end. */
import type { Ballot } from "../core/ballot.js";
import type { LogPoint } from "../log/log.js";
import { array, ballot, bytes, hash, malformed, natural, point } from "../codec/checks.js";
import { decodeValue, encodeValue } from "../codec/values.js";

export type Chunk =
  /** What follows starts after `from`; a snapshot is of the state at `from`. */
  | { readonly kind: "head"; readonly mode: "incremental" | "snapshot"; readonly from: LogPoint }
  | { readonly kind: "slice"; readonly bytes: Uint8Array }
  /** Consecutive, each with the ballot that it was multicast in. */
  | { readonly kind: "entries"; readonly entries: readonly { readonly ballot: Ballot; readonly bytes: Uint8Array }[] }
  /** How many chunks came before, and the hash over theirs. */
  | { readonly kind: "end"; readonly count: number; readonly digest: string };

export function encodeChunk(chunk: Chunk): Uint8Array {
  switch (chunk.kind) {
    case "head": return encodeValue([chunk.kind, chunk.mode, chunk.from.position, chunk.from.hash]);
    case "slice": return encodeValue([chunk.kind, chunk.bytes]);
    case "entries":
      return encodeValue([chunk.kind, chunk.entries.map(({ ballot: b, bytes: content }) => [[b.era, b.ringSeq.toString(), b.ringNode, b.k, b.attempt], content])]);
    case "end": return encodeValue([chunk.kind, chunk.count, chunk.digest]);
    default: return chunk satisfies never;
  }
}

/** @throws LockstepError MALFORMED_MESSAGE. */
export function decodeChunk(encoded: Uint8Array): Chunk {
  const [kind, first, second, third] = array(decodeValue(encoded));
  switch (kind) {
    case "head": {
      if (first !== "incremental" && first !== "snapshot") return malformed("unknown mode of transfer");
      return { kind, mode: first, from: point([second, third]) };
    }
    case "slice": return { kind, bytes: bytes(first) };
    case "entries":
      return {
        kind,
        entries: array(first).map((item) => {
          const [ofEntry, content] = array(item);
          return { ballot: ballot(ofEntry), bytes: bytes(content) };
        }),
      };
    case "end": return { kind, count: natural(first), digest: hash(second) };
    default: return malformed("unknown chunk");
  }
}
