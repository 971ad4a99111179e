/**
 * What all connections together hold for their peers. Each has limits of its own, which for thousands are far too much: beyond a
 * limit for all, those that hold most are closed, as Redis does with maxmemory-clients.
 */
export interface Holder {
  /** Bytes of requests that are not whole, or not answered, and of replies that the peer has not taken. */
  readonly heldBytes: number;
  destroy(): void;
}

export class ClientMemory {
  readonly #limitBytes: number;
  /** Bytes, when last looked at. */
  readonly #held = new Map<Holder, number>();
  #heldBytes = 0;
  #evicted = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Of all. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Connections that were closed for it. */
  get evicted(): number {
    return this.#evicted;
  }

  /** A connection may hold more, or less, than before. */
  changed(holder: Holder): void {
    this.#look(holder);
    if (this.#heldBytes > this.#limitBytes) this.#makeRoom();
  }

  forget(holder: Holder): void {
    this.#heldBytes -= this.#held.get(holder) ?? 0;
    this.#held.delete(holder);
  }

  #look(holder: Holder): void {
    const { heldBytes } = holder;
    this.#heldBytes += heldBytes - (this.#held.get(holder) ?? 0);
    this.#held.set(holder, heldBytes);
  }

  #makeRoom(): void {
    // Peers have taken replies since.
    for (const holder of this.#held.keys()) this.#look(holder);
    const largestFirst = [...this.#held].sort(([, a], [, b]) => b - a);
    for (const [holder] of largestFirst) {
      if (this.#heldBytes <= this.#limitBytes) return;
      this.#evicted += 1;
      this.forget(holder);
      holder.destroy();
    }
  }
}
