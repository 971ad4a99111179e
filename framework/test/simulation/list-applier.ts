/**
 * The smallest applier that the protocol can be checked with: it remembers which entries took effect, and skips second
 * copies. Its snapshots go through the real transfers.
 */
import { LockstepError, invariant } from "../../src/errors.js";
import type { RestoredState, SnapshotSink, SnapshotSource } from "../../src/apply/types.js";
import { decodeEntry } from "../../src/codec/entry-codec.js";
import type { Entry } from "../../src/log/entry.js";
import type { EntryRecord } from "../../src/log/log.js";

interface Kept {
  readonly position: number;
  /** Chain hash at the position. */
  readonly hash: string;
  /** Highest n by incarnation. */
  readonly applied: readonly (readonly [string, number])[];
  /** As the last entry about members says. */
  readonly members: string | undefined;
}

class Restored implements RestoredState {
  readonly kept: Kept;

  constructor(kept: Kept) {
    this.kept = kept;
  }

  get position(): number {
    return this.kept.position;
  }

  lastApplied(incarnation: string): number {
    return this.kept.applied.find(([of]) => of === incarnation)?.[1] ?? 0;
  }
}

export class ListApplier {
  position = 0;
  hash = "";
  #applied = new Map<string, number>();
  members: string | undefined;

  /** False for a second copy. */
  apply(position: number, hash: string, record: EntryRecord): boolean {
    invariant(position === this.position + 1, `position ${position} follows ${this.position}`);
    this.position = position;
    this.hash = hash;
    if (record.n <= (this.#applied.get(record.incarnation) ?? 0)) return false;
    this.#applied.set(record.incarnation, record.n);
    const { members } = decodeMembersOnly(record);
    if (members !== undefined) this.members = members.map(({ slot, incarnation }) => `${slot}/${incarnation}`).join();
    return true;
  }

  capture(): SnapshotSource {
    const kept: Kept = { position: this.position, hash: this.hash, applied: Array.from(this.#applied), members: this.members };
    const bytes = (): Buffer => Buffer.from(JSON.stringify(kept));
    return { position: kept.position, slices: (sliceBytes) => slice(bytes(), sliceBytes), aboutBytes: () => bytes().byteLength };
  }

  receive(): SnapshotSink {
    const parts: Uint8Array[] = [];
    return {
      write: (part) => { parts.push(part); },
      finish: () => {
        try {
          return new Restored(JSON.parse(Buffer.concat(parts).toString()) as Kept);
        } catch (error) {
          throw new LockstepError("MALFORMED_MESSAGE", "the snapshot is not whole", { cause: error });
        }
      },
    };
  }

  restore(restored: RestoredState): void {
    invariant(restored instanceof Restored, "what is restored was received here");
    invariant(restored.position >= this.position, `a snapshot of ${restored.position} would take the applied position ${this.position} back`);
    const { position, hash, applied, members } = restored.kept;
    this.position = position;
    this.hash = hash;
    this.#applied = new Map(applied);
    this.members = members;
  }
}

function* slice(bytes: Uint8Array, sliceBytes: number): IterableIterator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += sliceBytes) yield bytes.subarray(at, at + sliceBytes);
}

/** Commands of a simulation are not values; entries about members are as they always are (codec/entry-codec.ts). */
function decodeMembersOnly(record: EntryRecord): Pick<Entry, "members"> {
  return isMembersEntry(record) ? decodeEntry(record.bytes) : {};
}

export function isMembersEntry(record: EntryRecord): boolean {
  return record.bytes[28] === 1;
}
