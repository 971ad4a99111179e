/**
 * Compares state digests between replicas at agreed positions: the net under handlers that are not deterministic.
 *
 * The first entry past each multiple of the interval (cluster time) is such a position for everybody. The digest is
 * computed in steps over a captured state; a replica that differs from a majority of slots has to give its state up.
 */
import { LockstepError } from "../errors.js";
import type { Cancel, Scheduler } from "../scheduler.js";
import type { AppliedEntry, Applier, DigestRun } from "./types.js";

/** Positions whose digests are remembered: the slowest replica may still be computing an earlier one. */
const rememberedPositions = 4;
/** About a millisecond of work. */
const keysPerStep = 500;

export interface DigestCheckParts {
  readonly applier: Pick<Applier<unknown>, "digest">;
  readonly scheduler: Pick<Scheduler, "soon">;
  readonly intervalMs: number;
  readonly slots: readonly number[];
  readonly ownSlot: number;
  /** Slots whose digest is to be expected. */
  readonly active: () => readonly number[];
  readonly announce: (position: number, digest: string) => void;
  /** This replica's state is not the group's. */
  readonly differs: (position: number, own: string, others: string) => void;
  /** Digests differ, and no majority says which is right. */
  readonly undecided: (position: number) => void;
  /** The state cannot be written down: no digest of it, and no snapshot. */
  readonly failed: (error: LockstepError) => void;
}

export class DigestCheck {
  readonly #parts: DigestCheckParts;
  readonly #digests = new Map<number, Map<number, string>>();
  #lastNow: number | undefined;
  #run: DigestRun | undefined;
  #cancelStep: Cancel | undefined;

  constructor(parts: DigestCheckParts) {
    this.#parts = parts;
  }

  applied(entry: AppliedEntry): void {
    const { intervalMs, applier } = this.#parts;
    const last = this.#lastNow;
    this.#lastNow = entry.now;
    if (intervalMs === 0 || last === undefined || Math.floor(last / intervalMs) === Math.floor(entry.now / intervalMs)) return;
    if (this.#run !== undefined) return; // still busy with the last one: this position is compared by the others
    this.#run = applier.digest();
    this.#cancelStep = this.#parts.scheduler.soon(() => this.#advance());
  }

  #advance(): void {
    const run = this.#run;
    if (run === undefined) return;
    try {
      const digest = run.step(keysPerStep);
      if (digest === undefined) {
        this.#cancelStep = this.#parts.scheduler.soon(() => this.#advance());
        return;
      }
      this.#run = undefined;
      this.#parts.announce(run.position, digest);
    } catch (cause) {
      this.#run = undefined;
      this.#parts.failed(new LockstepError("INVARIANT_VIOLATED", `no digest of the state at position ${run.position} can be computed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause }));
    }
  }

  /** A digest was delivered, the own one included. */
  received(slot: number, position: number, digest: string): void {
    const digests = this.#digests.get(position) ?? new Map<number, string>();
    this.#digests.set(position, digests.set(slot, digest));
    for (const old of this.#digests.keys()) if (this.#digests.size > rememberedPositions) this.#digests.delete(old);
    const own = digests.get(this.#parts.ownSlot);
    if (own === undefined || new Set(digests.values()).size === 1) return;
    const count = new Map<string, number>();
    for (const value of digests.values()) count.set(value, (count.get(value) ?? 0) + 1);
    const [agreed] = Array.from(count).find(([, votes]) => votes > this.#parts.slots.length / 2) ?? [];
    if (agreed !== undefined && agreed !== own) this.#parts.differs(position, own, agreed);
    // As long as somebody's digest is to come, it may decide.
    if (agreed === undefined && this.#parts.active().every((member) => digests.has(member))) this.#parts.undecided(position);
  }

  /** The state is being replaced, or the replica stops: what was computed is of no use. */
  reset(): void {
    this.#run = undefined;
    this.#cancelStep?.();
    this.#digests.clear();
    this.#lastNow = undefined;
  }
}
