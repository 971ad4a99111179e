/**
 * The entry that tells the machine who the replicas of a view are. One replica is asked to send it; should that one be frozen,
 * the others step in, one after the other.
 */
import type { ReplicaIdentity } from "../log/entry.js";

interface Due {
  readonly members: readonly ReplicaIdentity[];
  /** It stands above this position. */
  readonly after: number;
  /** When this replica sends it in the place of who should have. */
  readonly atMs: number;
}

export class MembersNotice {
  readonly #patienceMs: number;
  #due: Due | undefined;
  #toSend: readonly ReplicaIdentity[] | undefined;

  /** @param patienceMs How long one replica is waited for. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** A view of these has been installed; its log ends at `after`. What had not been sent was of the view before. */
  viewInstalled(members: readonly ReplicaIdentity[], slot: number, after: number, nowMs: number): void {
    const rank = members.findIndex((member) => member.slot === slot);
    this.#due = { members, after, atMs: nowMs + (1 + rank) * this.#patienceMs };
    this.#toSend = undefined;
  }

  /** This replica is the one. */
  send(members: readonly ReplicaIdentity[]): void {
    this.#toSend = members;
  }

  /** One was applied. */
  applied(position: number): void {
    if (position > (this.#due?.after ?? 0)) this.#due = undefined;
  }

  tick(nowMs: number): void {
    if (this.#due === undefined || nowMs < this.#due.atMs) return;
    this.#toSend = this.#due.members;
    this.#due = undefined;
  }

  /** What is to be sent now, once. */
  take(): readonly ReplicaIdentity[] | undefined {
    const members = this.#toSend;
    this.#toSend = undefined;
    return members;
  }
}
