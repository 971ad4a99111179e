/** Committed entries for tests of the apply side. */
import type { CommandCall, CommittedEntry, Entry, ReplicaIdentity } from "../../src/log/entry.js";

export const replica = (slot: number, start = 1): ReplicaIdentity => ({ slot, incarnation: `${slot}`.padStart(8, "0") + `${start}`.padStart(8, "0") });

/** Makes the entries of one history: positions count up, and each origin's n. */
export class History {
  position = 0;
  readonly #n = new Map<string, number>();

  entry(commands: readonly CommandCall[], options: Partial<Entry> = {}): CommittedEntry {
    const origin = options.origin ?? replica(1);
    const n = (this.#n.get(origin.incarnation) ?? 0) + 1;
    this.#n.set(origin.incarnation, n);
    return this.at({ origin, n, timeMs: 1000, commands, ...options });
  }

  at(entry: Entry): CommittedEntry {
    this.position++;
    return { position: this.position, hash: `hash${this.position}`, entry };
  }
}
