/** Replicas on a modelled group: who runs, who is frozen, who has crashed. Moves are made by a history or a script. */
import { compareBallots, zeroBallot } from "../../src/core/ballot.js";
import { majorityOf, type QuorumPolicy } from "../../src/core/quorum-policy.js";
import type { Message } from "../../src/core/messages.js";
import type { CoreConfig } from "../../src/core/state.js";
import type { MemberAddress } from "../../src/transport/group-transport.js";
import { GroupModel } from "../../src/testing/group-model.js";
import { SimDisk } from "./sim-disk.js";
import { SimReplica, type Observer, type SimLimits } from "./sim-replica.js";
import { SimVotequorum } from "./sim-votequorum.js";

export interface WorldOptions extends SimLimits {
  readonly slots: readonly number[];
  readonly policy: QuorumPolicy;
  readonly heldBytes: number;
  readonly logRetentionBytes: number;
  readonly unwrittenBytes: number;
  /** Every slot has a disk. Default: none. */
  readonly durable?: boolean;
  /** Of a quorum device. Default 0: there is none. */
  readonly deviceVotes?: number;
  readonly observer: Observer;
}

export const silenceTimeoutMs = 2_000;

export class World {
  readonly group: GroupModel<Message>;
  readonly options: WorldOptions;
  readonly votequorum: SimVotequorum<Message>;
  /** Running replicas by slot: frozen ones too, and those that have lost their daemon. */
  readonly replicas = new Map<number, SimReplica>();
  /** By slot. */
  readonly disks = new Map<number, SimDisk>();
  /** Other processes of nodes that have a replica. */
  readonly seconds = new Set<SimReplica>();
  #starts = 0;

  constructor(options: WorldOptions) {
    this.options = options;
    this.group = new GroupModel(options.slots);
    this.votequorum = new SimVotequorum(this.group, options.slots, options.deviceVotes ?? 0, (node, news) => {
      for (const replica of this.#processesOf(node)) if (this.#reaches(replica.address)) replica.news.push(news);
    });
    if (options.durable === true) for (const slot of options.slots) this.disks.set(slot, new SimDisk());
  }

  /** Starts a replica on a node whose daemon is up; `previous` is the process that has lost its daemon. */
  start(slot: number, pid: number, previous?: SimReplica, unlike: Partial<Pick<CoreConfig, "machine" | "version" | "slots">> = {}): SimReplica {
    const { slots, policy, heldBytes, logRetentionBytes, unwrittenBytes, observer } = this.options;
    this.#starts++;
    const config: CoreConfig = {
      slot, slots, policy, heldBytes, logRetentionBytes, unwrittenBytes, durability: this.options.durable === true ? "disk" : "memory", silenceTimeoutMs, transferTimeoutMs: silenceTimeoutMs, machine: "list", version: 1,
      incarnation: slot.toString(16).padStart(8, "0") + this.#starts.toString(16).padStart(8, "0"), ...unlike,
    };
    const address: MemberAddress = { nodeId: slot, pid };
    const replica: SimReplica = new SimReplica(address, config, this.options, observer, (message) => {
      // A process that has lost its daemon and has not noticed yet speaks to nobody.
      if ((this.replicas.get(slot) === replica || this.seconds.has(replica)) && this.#reaches(address)) this.group.multicast(address, message);
    }, previous, this.disks.get(slot));
    this.replicas.set(slot, replica);
    this.group.join(address, (heard) => { replica.inbox.push(heard); });
    replica.news.push(this.votequorum.newsOf(slot));
    return replica;
  }

  /** Starts another process on a node that has a replica. */
  startSecond(slot: number, pid: number): SimReplica {
    const first = this.replicas.get(slot);
    const second = this.start(slot, pid);
    if (first !== undefined) this.replicas.set(slot, first);
    this.seconds.add(second);
    return second;
  }

  killSecond(second: SimReplica, reason: "leave" | "procdown"): void {
    this.seconds.delete(second);
    if (this.#reaches(second.address)) this.group.depart(second.address, reason);
  }

  #processesOf(slot: number): SimReplica[] {
    return [...this.replicas.values(), ...this.seconds].filter((replica) => replica.slot === slot);
  }

  #reaches(address: MemberAddress): boolean {
    return this.group.node(address.nodeId).processes.some((process) => process.address.pid === address.pid);
  }

  /** The process dies, and what it held with it. */
  kill(slot: number, reason: "leave" | "procdown"): void {
    const replica = this.replicas.get(slot);
    if (replica === undefined) return;
    if (!replica.closed) replica.loseAwaited();
    this.replicas.delete(slot);
    if (this.#reaches(replica.address)) this.group.depart(replica.address, reason);
  }

  /** A replica runs on the node, and its daemon knows it. */
  isInGroup(slot: number): boolean {
    const replica = this.replicas.get(slot);
    return replica !== undefined && this.#reaches(replica.address);
  }

  /** Slots that are sure to hold all that they acknowledged. */
  remembering(): number[] {
    return Array.from(this.replicas.values()).filter((replica) => this.#isSure(replica)).map(({ slot }) => slot);
  }

  #isSure({ core, stopped, inbox, closed, address }: SimReplica): boolean {
    if (!core.lineage || stopped !== undefined) return false;
    const cutOff = closed || !this.#reaches(address);
    return !cutOff || (core.acknowledged <= core.verified && inbox.length <= 1);
  }

  /** May what this slot's process holds be lost? Not if a quorum, without the device, would not remember any more. */
  mayForget(slot: number): boolean {
    const sure = this.remembering();
    const needed = majorityOf(this.options.slots.length + (this.options.deviceVotes ?? 0));
    if (sure.includes(slot)) return sure.length > needed;
    const replica = this.replicas.get(slot);
    return sure.length >= needed || replica === undefined || !holdsLog(replica);
  }

  /** May a process find out too late what it acknowledged? Also if every other process has kept all that it had. */
  mayDoubt(slot: number): boolean {
    return this.mayForget(slot) || this.options.slots.every((other) => {
      const replica = this.replicas.get(other);
      return replica !== undefined && holdsLog(replica);
    });
  }
}

function holdsLog({ core, stopped }: SimReplica): boolean {
  return stopped === undefined && !core.replaceState && compareBallots(core.ballot, zeroBallot) > 0;
}
