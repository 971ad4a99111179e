/** A transfer being taken in: built aside, checked as a whole, and only then handed over. */
import { LockstepError } from "../errors.js";
import type { Applier, RestoredState, SnapshotSink } from "../apply/types.js";
import { equalBallots, type Ballot } from "../core/ballot.js";
import type { ChunkMessage } from "../core/messages.js";
import { readRecord } from "../codec/entry-codec.js";
import { contentHash } from "../log/chain-hash.js";
import type { EntryRecord, LogPoint } from "../log/log.js";
import { decodeChunk, type Chunk } from "./chunk.js";
import { digestOf } from "./donation.js";

export interface Received {
  readonly mode: "incremental" | "snapshot";
  readonly from: LogPoint;
  readonly entries: readonly { readonly ballot: Ballot; readonly record: EntryRecord }[];
  /** Present for a snapshot. */
  readonly restored: RestoredState | undefined;
}

export type Progress = { readonly kind: "notMine" } | { readonly kind: "more" } | { readonly kind: "whole"; readonly received: Received };

export class Reception {
  readonly #ballot: Ballot;
  readonly #turn: number;
  readonly #applier: Pick<Applier<unknown>, "receive">;
  readonly #hashes: string[] = [];
  readonly #entries: { ballot: Ballot; record: EntryRecord }[] = [];
  #head: Extract<Chunk, { kind: "head" }> | undefined;
  #sink: SnapshotSink | undefined;

  constructor(ballot: Ballot, turn: number, applier: Pick<Applier<unknown>, "receive">) {
    this.#ballot = ballot;
    this.#turn = turn;
    this.#applier = applier;
  }

  /** @throws LockstepError MALFORMED_MESSAGE: throw this reception away and ask again. */
  accept(message: ChunkMessage): Progress {
    if (message.turn !== this.#turn || !equalBallots(message.ballot, this.#ballot)) return { kind: "notMine" };
    if (message.index !== this.#hashes.length) throw damaged(`chunk ${message.index} came where ${this.#hashes.length} was due`);
    const chunk = decodeChunk(message.payload);
    if (chunk.kind === "end") return { kind: "whole", received: this.#finish(chunk) };
    this.#hashes.push(contentHash(message.payload));
    this.#take(chunk);
    return { kind: "more" };
  }

  #take(chunk: Exclude<Chunk, { kind: "end" }>): void {
    if ((chunk.kind === "head") !== (this.#head === undefined)) throw damaged("a transfer has one head, and it comes first");
    switch (chunk.kind) {
      case "head":
        this.#head = chunk;
        if (chunk.mode === "snapshot") this.#sink = this.#applier.receive();
        return;
      case "slice":
        if (this.#sink === undefined || this.#entries.length > 0) throw damaged("a slice where none belongs");
        return this.#sink.write(chunk.bytes);
      case "entries":
        for (const { ballot, bytes } of chunk.entries) this.#entries.push({ ballot, record: readRecord(bytes) });
        return;
      default: return chunk satisfies never;
    }
  }

  #finish(end: Extract<Chunk, { kind: "end" }>): Received {
    if (end.count !== this.#hashes.length || end.digest !== digestOf(this.#hashes)) throw damaged("its end does not match its parts");
    if (this.#head === undefined) throw damaged("it has no head");
    const restored = this.#sink?.finish();
    if (restored !== undefined && restored.position !== this.#head.from.position) throw damaged("the snapshot is of another position than announced");
    return { mode: this.#head.mode, from: this.#head.from, entries: this.#entries, restored };
  }
}

function damaged(what: string): LockstepError {
  return new LockstepError("MALFORMED_MESSAGE", `The transfer is damaged: ${what}.`);
}
