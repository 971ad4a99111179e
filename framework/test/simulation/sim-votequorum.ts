/**
 * votequorum on a modelled group: a vote for each node, and a quorum device that gives its votes to one ring at a time, or to none. What is told of
 * a ring waits for each replica beside what it hears of the group, and can be ahead of that.
 */
import { majorityOf } from "../../src/core/quorum-policy.js";
import type { QuorumReport } from "../../src/core/messages.js";
import type { RingId } from "../../src/transport/group-transport.js";
import type { GroupModel } from "../../src/testing/group-model.js";

export interface QuorumNews {
  readonly type: "quorum";
  readonly ring: RingId;
  readonly report: QuorumReport;
}

export class SimVotequorum<M> {
  readonly #group: GroupModel<M>;
  readonly #slots: readonly number[];
  readonly #deviceVotes: number;
  readonly #tell: (node: number, news: QuorumNews) => void;
  #deviceAt: RingId | undefined;

  constructor(group: GroupModel<M>, slots: readonly number[], deviceVotes: number, tell: (node: number, news: QuorumNews) => void) {
    this.#group = group;
    this.#slots = slots;
    this.#deviceVotes = deviceVotes;
    this.#tell = tell;
  }

  /** Of the ring that the node is in. */
  newsOf(node: number): QuorumNews {
    const { id, nodes } = this.#group.node(node).ring;
    const deviceVotes = id === this.#deviceAt ? this.#deviceVotes : 0;
    const quorum = majorityOf(this.#slots.length + this.#deviceVotes);
    return { type: "quorum", ring: id, report: { quorate: nodes.length + deviceVotes >= quorum, votes: nodes.map((one) => [one, 1] as const), deviceVotes, quorum, twoNode: false, shrinks: false } };
  }

  /** Rings have formed, and the device is with the ring of this node, or with none. */
  ringsFormed(deviceWith: number | undefined): void {
    this.#deviceAt = deviceWith === undefined ? undefined : this.#group.node(deviceWith).ring.id;
    for (const slot of this.#slots) if (this.#group.node(slot).up) this.#tell(slot, this.newsOf(slot));
  }

  /** Rings stay, and the device changes its mind. Who loses its votes is told first. */
  deviceMoves(to: number | undefined): void {
    const before = this.#deviceAt;
    const after = to === undefined ? undefined : this.#group.node(to).ring.id;
    if (before === after) return;
    this.#deviceAt = after;
    for (const ring of [before, after]) {
      for (const slot of this.#slots) if (this.#group.node(slot).up && this.#group.node(slot).ring.id === ring) this.#tell(slot, this.newsOf(slot));
    }
  }
}
