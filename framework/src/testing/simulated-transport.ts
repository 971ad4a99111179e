/** The transport of one simulated process: GroupTransport over the modelled group, heard at the process' own pace. */
import { LockstepError } from "../errors.js";
import { majorityOf } from "../core/quorum-policy.js";
import type { GroupListener, GroupTransport, MemberAddress, RingId } from "../transport/group-transport.js";
import type { GroupModel, Heard } from "./group-model.js";

/** What the transport is to its process. */
export interface TransportHost {
  readonly address: MemberAddress;
  readonly group: GroupModel<Uint8Array>;
  readonly maxMessageBytes: number;
  readonly slots: readonly number[];
  /** The daemon takes nothing at the moment. */
  readonly isBusy: () => boolean;
  /** The process is no more. */
  readonly isDead: () => boolean;
  readonly hears: (transport: SimulatedTransport, heard: Heard<Uint8Array>) => void;
  /** This one, not an earlier one, is listened to now. */
  readonly renewed: (transport: SimulatedTransport) => void;
}

interface Joining {
  readonly resolve: (address: MemberAddress) => void;
  readonly reject: (error: Error) => void;
}

export class SimulatedTransport implements GroupTransport {
  readonly #host: TransportHost;
  #listener: GroupListener | undefined;
  #joining: Joining | undefined;
  #state: "new" | "joining" | "joined" | "closed" = "new";

  constructor(host: TransportHost) {
    this.#host = host;
  }

  get maxMessageBytes(): number {
    return this.#host.maxMessageBytes;
  }

  configuredNodes(): Promise<readonly number[]> {
    return Promise.resolve(this.#host.slots);
  }

  localNode(): Promise<number> {
    return Promise.resolve(this.#host.address.nodeId);
  }

  join(_group: string, listener: GroupListener): Promise<MemberAddress> {
    const { group, address, hears, isDead } = this.#host;
    // Killed before it came to this.
    if (isDead()) return new Promise(() => undefined);
    if (!group.node(address.nodeId).up) return Promise.reject(new LockstepError("COROSYNC_UNAVAILABLE", `the daemon of node ${address.nodeId} does not run`));
    this.#state = "joining";
    this.#listener = listener;
    group.join(address, (heard) => hears(this, heard));
    return new Promise((resolve, reject) => { this.#joining = { resolve, reject }; });
  }

  multicast(message: Uint8Array): "queued" | "busy" {
    const { group, address, isBusy, isDead, maxMessageBytes } = this.#host;
    if (this.#state !== "joined") throw new LockstepError("TRANSPORT_CLOSED", "this transport is not joined");
    if (message.byteLength > maxMessageBytes) throw new LockstepError("MESSAGE_TOO_LARGE", `${message.byteLength} bytes exceed ${maxMessageBytes}`);
    if (isBusy()) return "busy";
    // A process that has lost its daemon and has not noticed yet speaks to nobody.
    if (!isDead() && this.reachesDaemon) group.multicast(address, Uint8Array.from(message));
    return "queued";
  }

  get isJoined(): boolean {
    return this.#state === "joined";
  }

  /** The daemon knows this process. */
  get reachesDaemon(): boolean {
    const { group, address } = this.#host;
    return group.node(address.nodeId).processes.some((process) => process.address.pid === address.pid);
  }

  renew(): GroupTransport {
    const fresh = new SimulatedTransport(this.#host);
    this.#host.renewed(fresh);
    return fresh;
  }

  leave(): Promise<void> {
    if (this.#state === "joined" || this.#state === "joining") {
      this.#state = "closed";
      if (this.reachesDaemon) this.#host.group.depart(this.#host.address, "leave");
    }
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.leave();
  }

  // What the process hears, when it gets round to it.

  deliver(messages: readonly { readonly sender: MemberAddress; readonly data: Uint8Array }[]): void {
    if (messages.length > 0 && this.#state === "joined") this.#listener?.deliver(messages);
  }

  tell(heard: Exclude<Heard<Uint8Array>, { kind: "message" }>): void {
    if (this.#state === "closed") return;
    switch (heard.kind) {
      case "configuration": {
        const first = this.#state === "joining";
        this.#state = "joined";
        this.#listener?.configurationChanged(heard.change);
        if (first) this.#joining?.resolve(this.#host.address);
        return;
      }
      case "ring": return this.#listener?.ringChanged(heard.ring, heard.nodes);
      case "closed": {
        const error = new LockstepError("TRANSPORT_CLOSED", "the daemon is gone");
        const before = this.#state;
        this.#state = "closed";
        if (before === "joining") this.#joining?.reject(error);
        else this.#listener?.closed(error);
        return;
      }
      default: return heard satisfies never;
    }
  }

  /** votequorum speaks: a vote for each node, and the majority of all slots. */
  tellQuorum(ring: RingId, nodes: readonly number[]): void {
    if (this.#state !== "joined") return;
    const quorum = majorityOf(this.#host.slots.length);
    this.#listener?.quorumChanged(nodes.length >= quorum, ring, { votes: new Map(nodes.map((node) => [node, 1])), deviceVotes: 0, quorum, twoNode: false });
  }

  writable(): void {
    if (this.#state === "joined") this.#listener?.writable();
  }
}
