/** A member of an in-process group, as the core sees it: the checks and states of GroupTransport over the fabric. */
import { LockstepError } from "../../errors.js";
import type { GroupListener, GroupTransport, MemberAddress } from "../group-transport.js";
import type { Fabric } from "./fabric.js";
import { messageWeight } from "./limits.js";
import { Mailbox } from "./mailbox.js";
import { Member } from "./member.js";

/** CPG_MAX_NAME_LENGTH less the closing NUL: a group that works embedded also works clustered. */
const groupNameBytes = 127;

type State = "not joined" | "joining" | "joined" | "leaving" | "closed";

interface Joining {
  resolve(address: MemberAddress): void;
  reject(error: Error): void;
}

export class MemoryTransport implements GroupTransport {
  readonly maxMessageBytes: number;
  readonly #fabric: Fabric;
  readonly #nodeId: number;
  #state: State = "not joined";
  #member: Member | undefined;
  readonly #departed: Promise<void>;
  #depart: () => void = () => undefined;

  constructor(fabric: Fabric, nodeId: number) {
    this.#fabric = fabric;
    this.#nodeId = nodeId;
    this.maxMessageBytes = fabric.limits.messageBytes;
    this.#departed = new Promise((resolve) => { this.#depart = resolve; });
  }

  async configuredNodes(): Promise<readonly number[]> {
    return this.#fabric.nodes;
  }

  async localNode(): Promise<number> {
    return this.#nodeId;
  }

  async join(group: string, listener: GroupListener): Promise<MemberAddress> {
    checkGroupName(group);
    if (this.#state !== "not joined") {
      throw new LockstepError("TRANSPORT_CLOSED", `This transport was used before (it is ${this.#state}), and joins one group once. Make a new one with memory().`);
    }
    if (this.#fabric.isDown(this.#nodeId)) {
      throw new LockstepError("TRANSPORT_CLOSED", `Node ${String(this.#nodeId)} of the memory network is down. Bring it up with network.start(${String(this.#nodeId)}).`);
    }
    this.#state = "joining";
    return new Promise((resolve, reject) => {
      const mailbox = new Mailbox(this.#watch(listener, { resolve, reject }), this.#fabric.isFrozen(this.#nodeId));
      this.#member = new Member(this.#fabric.newAddress(this.#nodeId), group, mailbox);
      this.#fabric.enter(this.#member);
    });
  }

  multicast(message: Uint8Array): "queued" | "busy" {
    const member = this.#member;
    if (member === undefined || this.#state !== "joined" || member.dead) throw this.#notJoined();
    if (!(message instanceof Uint8Array)) throw new LockstepError("INVALID_INPUT", `multicast() takes a Uint8Array, not ${typeof message}.`);
    if (message.byteLength > this.maxMessageBytes) {
      throw new LockstepError("MESSAGE_TOO_LARGE", `A message of ${String(message.byteLength)} bytes exceeds this transport's maxMessageBytes (${String(this.maxMessageBytes)}). Send it in parts.`);
    }
    const weight = messageWeight(message);
    // One that is alone always goes: a message heavier than the queue would be busy for ever.
    if (member.queuedBytes > 0 && member.queuedBytes + weight > this.#fabric.limits.queueBytes) {
      member.wantsWritable = true;
      return "busy";
    }
    member.queuedBytes += weight;
    this.#fabric.submit({ kind: "message", member, data: this.#fabric.slab.copy(message) });
    return "queued";
  }

  async leave(): Promise<void> {
    const member = this.#member;
    if (member === undefined || this.#state === "closed") return;
    if (member.mailbox.paused || this.#state === "joining") {
      // Its process is frozen, or it is no member yet: it cannot leave in order, and ends as a killed one does.
      member.mailbox.paused = false;
      this.#fabric.kill(member, "it left before it had joined, or while it was paused");
    } else if (this.#state === "joined" && !member.dead) {
      this.#fabric.submit({ kind: "depart", member, reason: "leave" });
    }
    this.#state = "leaving";
    await this.#departed;
  }

  async close(): Promise<void> {
    await this.leave();
    this.#state = "closed";
  }

  /** The listener, with the transport's own state kept in step with what the listener has been told. */
  #watch(listener: GroupListener, joining: Joining): GroupListener {
    let joined = false;
    return {
      deliver: (messages) => { listener.deliver(messages); },
      configurationChanged: (change) => {
        if (joined) return listener.configurationChanged(change);
        joined = true;
        if (this.#state === "joining") this.#state = "joined";
        try {
          listener.configurationChanged(change);
        } finally {
          joining.resolve((this.#member as Member).address);
        }
      },
      ringChanged: (ring, nodes) => { listener.ringChanged(ring, nodes); },
      quorumChanged: (quorate, ring, votes) => { listener.quorumChanged(quorate, ring, votes); },
      writable: () => { listener.writable(); },
      closed: (error) => {
        this.#state = "closed";
        this.#fabric.forget(this.#member as Member);
        this.#depart();
        if (!joined) joining.reject(error ?? this.#notJoined());
        else if (error === undefined) listener.closed();
        else listener.closed(error);
      },
    };
  }

  #notJoined(): LockstepError {
    const advice = this.#state === "not joined" || this.#state === "joining" ? "Wait for join() first." : "Make a new one and join again.";
    return new LockstepError("TRANSPORT_CLOSED", `This transport is ${this.#state === "joined" ? "cut off from its group" : this.#state}. ${advice}`);
  }
}

function checkGroupName(group: string): void {
  const bytes = typeof group === "string" ? Buffer.byteLength(group) : 0;
  if (bytes >= 1 && bytes <= groupNameBytes && !group.includes("\0")) return;
  throw new LockstepError("CONFIGURATION_INVALID", `A group name has 1 to ${String(groupNameBytes)} bytes in UTF-8 and no NUL; got ${JSON.stringify(group) ?? typeof group}.`);
}
