/**
 * Committed entries on their way into the state. Mostly one at a time; a long log, after a restart or a transfer, in slices, with all else
 * that the process has to do in between.
 */
import { LockstepError, isLockstepError } from "../errors.js";
import { decodeEntry } from "../codec/entry-codec.js";
import type { Limits } from "../limits.js";
import type { Entry } from "../log/entry.js";
import type { EntryRecord, Log, LogEntry } from "../log/log.js";
import type { Logger } from "../logger.js";
import type { Cancel, Scheduler } from "../scheduler.js";
import type { AppliedEntry, Applier } from "./types.js";

export interface BacklogParts {
  readonly log: Log;
  readonly applier: Pick<Applier<unknown>, "position" | "apply">;
  readonly limits: Pick<Limits, "applySliceMs">;
  readonly logger: Logger;
  readonly scheduler: Pick<Scheduler, "soon">;
  readonly monotonicMs: () => number;
  readonly applied: (position: number, logged: LogEntry, entry: Entry, applied: AppliedEntry) => void;
  /** A slice is done. */
  readonly sliceApplied: (position: number) => void;
  /** An invariant does not hold: this replica cannot go on. */
  readonly failed: (error: unknown) => void;
}

export class Backlog {
  readonly #parts: BacklogParts;
  #through = 0;
  /** Since the last slice. */
  #arrived = 0;
  #held = false;
  #nextSlice: Cancel | undefined;

  constructor(parts: BacklogParts) {
    this.#parts = parts;
  }

  /** Entries up to here are committed. */
  commit(through: number): void {
    this.#through = Math.max(this.#through, through);
    if (!this.#held && this.#nextSlice === undefined) this.#applySlice();
  }

  /** Until release(), what is committed waits. A slice that was to come does not. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    if (this.#nextSlice === undefined && this.#parts.applier.position < this.#through) this.#applySlice();
  }

  /** A batch was delivered in the view: more of them are applied than arrive, however long it takes, or they would pile up. */
  arrived(): void {
    this.#arrived++;
  }

  /** What is left of an earlier membership's. */
  resume(committed: number): void {
    this.#through = committed;
    if (this.#parts.applier.position < committed) this.#continueSoon();
  }

  /** Nothing is applied any more, not even of a slice that is under way: a handler or a logger may have ended the membership. */
  close(): void {
    this.#through = 0;
    this.#nextSlice?.();
  }

  #continueSoon(): void {
    this.#nextSlice = this.#parts.scheduler.soon(() => {
      this.#nextSlice = undefined;
      try {
        this.#applySlice();
      } catch (error) {
        this.#parts.failed(error);
      }
    });
  }

  #applySlice(): void {
    const { applier, limits, monotonicMs, sliceApplied } = this.#parts;
    const begunMs = monotonicMs();
    let left = 2 * this.#arrived;
    this.#arrived = 0;
    while (applier.position < this.#through) {
      this.#applyNext(applier.position + 1);
      left--;
      if (left > 0 || applier.position >= this.#through || monotonicMs() - begunMs < limits.applySliceMs) continue;
      this.#continueSoon();
      break;
    }
    sliceApplied(applier.position);
  }

  #applyNext(position: number): void {
    const { log, applier, applied } = this.#parts;
    const logged = log.at(position);
    if (logged === undefined) throw new LockstepError("INVARIANT_VIOLATED", `position ${position} is committed and not in the log`);
    const entry = this.#decode(logged.record);
    applied(position, logged, entry, applier.apply({ position, hash: logged.hash, entry }));
  }

  /** Bytes that no replica can read are an entry without commands for every replica. */
  #decode({ bytes, n, incarnation }: EntryRecord): Entry {
    try {
      return decodeEntry(bytes);
    } catch (error) {
      if (!isLockstepError(error, "MALFORMED_MESSAGE")) throw error;
      this.#parts.logger.error({ incarnation, n, error: error.message }, "an entry of the log cannot be read; it has no effect");
      return { origin: { slot: 0, incarnation }, n, timeMs: 0, commands: [] };
    }
  }
}
