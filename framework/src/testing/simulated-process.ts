/**
 * One process of a simulation: a real replica, with its own clock, that hears the group and gets the processor only when the
 * simulation lets it.
 */
import { createApplier } from "../apply/applier.js";
import type { Applier } from "../apply/types.js";
import type { CoreState } from "../core/state.js";
import type { Limits } from "../limits.js";
import { openLogStore } from "../log/log-store.js";
import type { Logger } from "../logger.js";
import type { AnyCommand, AnyQuery, Machine } from "../machine/types.js";
import type { ProtocolObserver } from "../observer.js";
import { createReplica } from "../create-replica.js";
import type { Replica } from "../replica-api.js";
import type { QuorumOption } from "../replica-options.js";
import type { MemberAddress, RingId } from "../transport/group-transport.js";
import { withLocalNature } from "./local-nature.js";
import type { Random } from "./random.js";
import type { GroupModel, Heard } from "./group-model.js";
import type { SimulatedDisk } from "./simulated-disk.js";
import type { SimulatedClock } from "./simulated-clock.js";
import { SimulatedTransport, type TransportHost } from "./simulated-transport.js";

export type SomeMachine = Machine<unknown, Readonly<Record<string, AnyCommand<unknown>>>, Readonly<Record<string, AnyQuery<unknown>>>>;
export type SomeReplica = Replica<unknown, Readonly<Record<string, AnyCommand<unknown>>>, Readonly<Record<string, AnyQuery<unknown>>>>;

export interface ProcessOptions {
  /** What its handlers find where they should not look. */
  readonly random: Random;
  readonly address: MemberAddress;
  readonly machine: SomeMachine;
  readonly group: GroupModel<Uint8Array>;
  readonly clock: SimulatedClock;
  /** Of a durable replica. */
  readonly disk: SimulatedDisk | undefined;
  readonly slots: readonly number[];
  readonly quorum: QuorumOption;
  readonly limits: Partial<Limits>;
  readonly maxMessageBytes: number;
  /** Of the next membership: 16 hexadecimal digits. */
  readonly newIncarnation: () => string;
  readonly observer: (process: SimulatedProcess) => ProtocolObserver;
  readonly logger: Logger;
}

interface Item {
  readonly transport: SimulatedTransport;
  readonly heard: Heard<Uint8Array>;
}

export class SimulatedProcess {
  readonly slot: number;
  readonly address: MemberAddress;
  readonly clock: SimulatedClock;
  /** Stopped by a signal: hears nothing, does nothing, its timers wait. */
  frozen = false;
  /** Its daemon takes nothing at the moment. */
  busy = false;
  dead = false;
  replica: SomeReplica | undefined;
  /** Why the replica stopped by itself. */
  failure: Error | undefined;
  /** The core of its present membership, or of the last. */
  core: CoreState | undefined;
  /** Resolves when the process is killed: what it was asked will never be answered. */
  readonly death: Promise<void>;
  readonly #died: () => void;
  readonly #group: GroupModel<Uint8Array>;
  readonly #applier: Applier<unknown>;
  #inbox: Item[] = [];
  #news: { readonly ring: RingId; readonly nodes: readonly number[] }[] = [];
  #transport: SimulatedTransport;

  constructor(options: ProcessOptions) {
    const { address, clock, group } = options;
    this.address = address;
    this.slot = address.nodeId;
    this.clock = clock;
    this.#group = group;
    this.#applier = createApplier(withLocalNature(options.machine, clock, options.random));
    let died!: () => void;
    this.death = new Promise((resolve) => { died = resolve; });
    this.#died = died;
    this.#transport = new SimulatedTransport(this.#host(options));
    void this.#run(options);
  }

  get name(): string {
    return `${this.slot}:${this.core?.config.incarnation.slice(-3) ?? "new"}`;
  }

  /** A member, as far as it and its daemon know. One that is coming back is not yet: what it acknowledged before may be in doubt. */
  get inGroup(): boolean {
    return !this.dead && this.#transport.isJoined && this.#transport.reachesDaemon;
  }

  /** What it has not heard yet. */
  get unheard(): number {
    return this.#inbox.length;
  }

  /** Applied. */
  get position(): number {
    return this.#applier.position;
  }

  get nextTimerAt(): number | undefined {
    return this.#applier.nextTimerAt;
  }

  /** Of all replicated state, as it is applied now. */
  digest(): string {
    return this.#applier.digest().step(Number.POSITIVE_INFINITY) ?? "";
  }

  get stopped(): boolean {
    return this.replica?.role === "stopped" || this.failure !== undefined;
  }

  #host(options: ProcessOptions): TransportHost {
    return {
      address: options.address, group: options.group, maxMessageBytes: options.maxMessageBytes, slots: options.slots,
      isBusy: () => this.busy,
      isDead: () => this.dead,
      hears: (transport, heard) => { if (!this.dead) this.#inbox.push({ transport, heard }); },
      renewed: (transport) => { this.#transport = transport; },
    };
  }

  async #run({ machine, slots, quorum, limits, clock, disk, newIncarnation, observer, logger }: ProcessOptions): Promise<void> {
    const watch = observer(this);
    try {
      const replica = await createReplica(machine, {
        group: "simulated", transport: this.#transport, slots, quorum, limits, logger,
        provide: {
          applier: () => this.#applier,
          openStore: () => disk === undefined ? undefined : (identity) => Promise.resolve(openLogStore(disk.open(), identity)),
          clock: () => clock, scheduler: () => clock, newIncarnation: () => newIncarnation,
          observer: () => ({
            stepped: (core, event, effects) => {
              this.core = core;
              watch.stepped(core, event, effects);
            },
            applied: (core, position, entry, applied) => watch.applied(core, position, entry, applied),
          }),
        },
      });
      this.replica = replica;
      this.failure = await replica.stopped;
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error));
    }
  }

  /** Takes in the next things heard, as one dispatch of the transport. */
  hear(count: number): void {
    const messages: { sender: MemberAddress; data: Uint8Array }[] = [];
    const transport = this.#transport;
    for (let taken = 0; taken < count; taken++) {
      const item = this.#inbox.shift();
      if (item === undefined) break;
      if (item.transport !== this.#transport) continue;
      if (item.heard.kind === "message") {
        messages.push({ sender: item.heard.sender, data: item.heard.message });
        continue;
      }
      transport.deliver(messages.splice(0));
      if (item.heard.kind === "ring") this.#news.push(item.heard);
      this.#transport.tell(item.heard);
    }
    transport.deliver(messages);
  }

  /** votequorum speaks, if it has something to say: its news trail the rings. */
  hearNews(): void {
    const next = this.#news.shift();
    if (next !== undefined) this.#transport.tellQuorum(next.ring, next.nodes);
  }

  writable(): void {
    this.busy = false;
    this.#transport.writable();
  }

  /** The last things that it would hear are lost on the way, and it is put out of the group. */
  evict(keep: number, reason: "leave" | "procdown"): void {
    this.loseUnheard(keep);
    this.#inbox.push({ transport: this.#transport, heard: { kind: "closed" } });
    this.#group.depart(this.address, reason);
  }

  loseUnheard(keep: number): void {
    this.#inbox.length = Math.min(keep, this.#inbox.length);
  }

  /** kill -9. Unnoticed: the daemon goes on listing it, as Corosync was seen to do. */
  kill(reason: "leave" | "procdown" | "unnoticed"): void {
    if (this.dead) return;
    const known = this.#transport.reachesDaemon;
    this.dead = true;
    this.clock.stop();
    this.#inbox = [];
    if (known && reason !== "unnoticed") this.#group.depart(this.address, reason);
    this.#died();
  }
}
