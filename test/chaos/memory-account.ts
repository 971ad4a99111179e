/**
 * Who remembers: the one rule the nemesis keeps.
 *
 * Lockstep holds its state in memory, and promises that a result survives as long as no majority of the slots loses its memory at the
 * same time. So a fault that may erase a memory is allowed only while the *other* slots that remember are a majority:
 *
 * - A killed replica is blank. It remembers again when its successor has been seen active.
 * - A replica whose daemon was killed may keep its memory, or may have to give it up (docs/protocol.md, "Losing and regaining the group").
 *   Here it counts as blank, until it has been seen active in another incarnation than before.
 * - Cuts, losses and pauses erase nothing. A frozen or cut-off replica remembers what it had, which is enough: every majority of
 *   slots that remember has a member that was among those who acknowledged a result and has not been erased since.
 *
 * Durable replicas have no such rule: what they remember is on their disks, which nothing here erases. Once active, a slot remembers.
 */
import type { Durability, Status } from "./server.js";

export class MemoryAccount {
  readonly #slots: readonly number[];
  /** The incarnation in which each slot that remembers was seen active. */
  readonly #remembering = new Map<number, string>();
  /** Incarnations of each slot whose memory counts as erased. */
  readonly #erased = new Map<number, Set<string>>();

  readonly #durability: Durability;

  constructor(slots: readonly number[], durability: Durability = "memory") {
    this.#slots = slots;
    this.#durability = durability;
  }

  get majority(): number {
    return Math.floor(this.#slots.length / 2) + 1;
  }

  remembers(slot: number): boolean {
    return this.#remembering.has(slot);
  }

  /** @param status as the replica said it, not older than the last erase() of its slot, unless that is of its incarnation. */
  saw(slot: number, { active, lineage, incarnation }: Pick<Status, "active" | "lineage" | "incarnation">): void {
    if (this.#durability === "disk") {
      if (active) this.#remembering.set(slot, incarnation);
      return;
    }
    if (this.#erased.get(slot)?.has(incarnation) === true) return;
    const known = this.#remembering.get(slot);
    if (active && lineage) this.#remembering.set(slot, incarnation);
    // It says itself that it has nothing to claim, or it is another one than the one that remembered.
    else if (!lineage || (known !== undefined && known !== incarnation)) this.#remembering.delete(slot);
  }

  /** Whether enough others remember. */
  mayErase(slot: number): boolean {
    return this.#durability === "disk" || this.#slots.filter((other) => other !== slot && this.remembers(other)).length >= this.majority;
  }

  /** @param incarnation the last one known, which is erased. */
  erase(slot: number, incarnation: string | undefined): void {
    if (this.#durability === "disk") return;
    this.#remembering.delete(slot);
    if (incarnation === undefined) return;
    const erased = this.#erased.get(slot) ?? new Set();
    this.#erased.set(slot, erased.add(incarnation));
  }
}
