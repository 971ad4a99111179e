/** Invariant 9: after a crash at any moment a disk has all that its replica acknowledged. */
import { compareBallots, formatBallot, type Ballot } from "../../core/ballot.js";
import type { Effect } from "../../core/events.js";
import type { CoreState } from "../../core/state.js";
import { violated } from "./violation.js";

interface Promised {
  readonly ballot: Ballot;
  readonly position: number;
  /** The highest ballot promised. */
  readonly promised: Ballot;
}

export class DurabilityChecker {
  /** By slot: what its replica said that it would keep. */
  readonly #said = new Map<number, Promised>();
  readonly #seen = new WeakSet<object>();

  /** @param process Anything that stands for it. */
  stepped(process: object, who: string, core: CoreState, effects: readonly Effect[]): void {
    if (core.disk === undefined) return;
    const { slot } = core.config;
    if (!this.#seen.has(process)) {
      this.#seen.add(process);
      this.#checkRecovered(who, core, this.#said.get(slot));
    }
    for (const effect of effects) if (effect.type === "multicast") this.#note(slot, effect.message);
  }

  /** The disk was lost, on purpose. */
  lost(slot: number): void {
    this.#said.delete(slot);
  }

  #note(slot: number, message: Extract<Effect, { type: "multicast" }>["message"]): void {
    const before = this.#said.get(slot);
    if (message.type === "promise" && (before === undefined || compareBallots(message.ballot, before.promised) > 0)) {
      this.#said.set(slot, { ballot: before?.ballot ?? { ...message.ballot, era: 0, ringSeq: 0n, ringNode: 0, k: 0, attempt: 0 }, position: before?.position ?? 0, promised: message.ballot });
    }
    if (message.type !== "ack" && message.type !== "batch") return;
    const order = before === undefined ? 1 : compareBallots(message.ballot, before.ballot);
    if (order < 0 || (order === 0 && message.ack <= (before?.position ?? 0))) return;
    this.#said.set(slot, { ballot: message.ballot, position: message.ack, promised: before?.promised ?? message.ballot });
  }

  #checkRecovered(who: string, core: CoreState, said: Promised | undefined): void {
    const { disk } = core;
    if (said === undefined || disk === undefined) return;
    const { head, end } = disk.flushed;
    const order = compareBallots(head.ballot, said.ballot);
    if (order < 0 || (order === 0 && end < said.position)) {
      violated("invariant 9", `${who} acknowledged position ${said.position} in ballot ${formatBallot(said.ballot)}, and has ${end} in ${formatBallot(head.ballot)} after a restart`);
    }
    if (compareBallots(head.promised, said.promised) < 0) violated("invariant 9", `${who} promised ballot ${formatBallot(said.promised)}, and remembers ${formatBallot(head.promised)} after a restart`);
  }
}
