/**
 * GroupTransport over a real Corosync: one cpg handle, one group, once. Native code (@lockstep/corosync) does the work; this file maps
 * names, errors and the life of a member. It knows nothing of replication.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { assertSafeVersion, Cpg, daemonVersion, isCorosyncError, type CorosyncError, type MessageBatch } from "@lockstep/corosync";
import { LockstepError } from "../../errors.js";
import type { Delivery, GroupListener, GroupTransport, MemberAddress, RingId } from "../group-transport.js";
import { lostGroup, toLockstepError } from "./errors.js";
import { configuredNodes, localNode } from "./nodelist.js";
import type { CompleteOptions } from "./options.js";
import { withinPatience } from "./patience.js";
import { QuorumWatch } from "./quorum-watch.js";
import { SendWindow } from "./send-window.js";
import { WritableTimer } from "./writable-timer.js";

/**
 * What commands, snapshots and batches are cut into. Corosync would take up to 1 047 552 bytes as one message, but then one such message
 * fills the client's whole request ring (1 MiB) and holds up everybody's small ones for 20 ms at 50 MB/s, the speed of the ring that was
 * measured. From 8 kB on throughput no longer grows with size, so nothing is lost by 256 KiB: four fit into the request ring, and one
 * takes the ring 5 ms. The in-process transport has the same limit.
 */
const maxMessageBytes = 256 * 1024;

/** CPG_MAX_NAME_LENGTH less the closing NUL. */
const groupNameBytes = 127;

type State = "not joined" | "joining" | "joined" | "leaving" | "closed";

export class CorosyncTransport implements GroupTransport {
  readonly maxMessageBytes = maxMessageBytes;
  readonly #options: CompleteOptions;
  readonly #writable = new WritableTimer();
  readonly #window: SendWindow;
  #state: State = "not joined";
  #listener: GroupListener | undefined;
  #cpg: Cpg | undefined;
  #quorum: QuorumWatch | undefined;
  /** A ring that was told of before this member had joined. */
  #earlyRing: { readonly ring: RingId; readonly nodes: readonly number[] } | undefined;
  /** The attempt to join, until it has come to its end. */
  #joining: Promise<MemberAddress> | undefined;
  #leaving: Promise<void> | undefined;
  /** Why the daemon ended the connection. */
  #lostBy: CorosyncError | undefined;
  /** Of joining: its connections are not waited for any more. */
  readonly #abandoned = new AbortController();

  constructor(options: CompleteOptions) {
    this.#options = options;
    this.#window = new SendWindow(options.queueBytes);
  }

  configuredNodes(): Promise<readonly number[]> {
    return configuredNodes(this.#options);
  }

  localNode(): Promise<number> {
    return localNode(this.#options);
  }

  async join(group: string, listener: GroupListener): Promise<MemberAddress> {
    checkGroupName(group);
    if (this.#state !== "not joined") {
      throw new LockstepError("TRANSPORT_CLOSED", `This transport was used before (it is ${this.#state}), and joins one group once. Make a new one with corosync().`);
    }
    this.#state = "joining";
    this.#joining = this.#join(group, listener);
    return this.#joining;
  }

  multicast(message: Uint8Array): "queued" | "busy" {
    const cpg = this.#cpg;
    if (cpg === undefined || this.#state !== "joined") throw this.#notJoined();
    if (!(message instanceof Uint8Array)) throw new LockstepError("INVALID_INPUT", `multicast() takes a Uint8Array, not ${typeof message}.`);
    if (message.byteLength > maxMessageBytes) {
      throw new LockstepError("MESSAGE_TOO_LARGE", `A message of ${String(message.byteLength)} bytes exceeds this transport's maxMessageBytes (${String(maxMessageBytes)}). Send it in parts.`);
    }
    if (!this.#window.admits(message.byteLength)) {
      this.#writable.scheduleLate(() => this.#window.reset());
      return "busy";
    }
    try {
      const answer = cpg.multicast(message);
      if (answer === "busy") {
        this.#writable.scheduleSoon();
      } else {
        this.#writable.succeeded();
        this.#window.sent(message.byteLength);
      }
      return answer;
    } catch (error) {
      // The daemon has gone and its end has not been told yet.
      throw isCorosyncError(error) ? lostGroup(error) : error;
    }
  }

  renew(): GroupTransport {
    return new CorosyncTransport(this.#options);
  }

  leave(): Promise<void> {
    if (this.#state === "not joined") return Promise.resolve();
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  async close(): Promise<void> {
    await this.leave();
    this.#state = "closed";
  }

  async #join(group: string, listener: GroupListener): Promise<MemberAddress> {
    try {
      return await withinPatience(this.#options.patienceMs, () => this.#enter(group, listener));
    } catch (error) {
      this.#abandoned.abort();
      // leave() or close() came in between: it does the rest.
      if (this.#leaving !== undefined) throw this.#notJoined();
      // Whatever step it was found in: the handles were closed because of it.
      const failure = toLockstepError(this.#lostBy ?? error);
      this.#end(failure instanceof LockstepError ? failure : lostGroup(error as Error));
      await this.#release();
      throw failure;
    }
  }

  async #enter(group: string, listener: GroupListener): Promise<MemberAddress> {
    const cpg = await this.#open(listener);
    await cpg.join(group);
    await this.#quorum?.start();
    return cpg.local;
  }

  async #open(listener: GroupListener): Promise<Cpg> {
    const { heldBytes, patienceMs, farewellMs } = this.#options;
    const cpg = await Cpg.open({
      heldLimitBytes: heldBytes,
      tryAgainMs: patienceMs,
      closeMs: farewellMs,
      signal: this.#abandoned.signal,
      listener: {
        messages: (batch) => this.#deliver(batch),
        configurationChanged: (change) => {
          this.#joinedBy(listener);
          this.#listener?.configurationChanged(change);
          this.#tellEarlyRing();
        },
        ringChanged: (ring, nodes) => this.#ringChanged(ring, nodes),
        ended: (error) => this.#lose(error),
      },
    });
    this.#cpg = cpg;
    await this.#assertJoining();
    const version = await daemonVersion(cpg.daemonPid);
    if (version !== undefined) assertSafeVersion(version);
    this.#quorum = await QuorumWatch.open(this.#options, this.#abandoned.signal, {
      changed: (quorate, ring, votes) => {
        if (votes === undefined) this.#listener?.quorumChanged(quorate, ring);
        else this.#listener?.quorumChanged(quorate, ring, votes);
      },
      // libcpg tells of the same end; whichever comes first.
      ended: (error) => this.#lose(error),
    });
    await this.#assertJoining();
    return cpg;
  }

  /** After a step of joining: goes on only if nobody has closed the transport meanwhile. */
  async #assertJoining(): Promise<void> {
    if (this.#state === "joining") return;
    await this.#release();
    throw this.#notJoined();
  }

  /** The first configuration change is the own join: from here on this member exists for its listener. */
  #joinedBy(listener: GroupListener): void {
    if (this.#state !== "joining") return;
    this.#listener = listener;
    this.#state = "joined";
    this.#writable.start(() => this.#listener?.writable());
  }

  /**
   * The first totem_confchg may come before the own join: the daemon sends it to whoever has not had one, on any process's join, so also
   * to a member whose own join is still under way (reproduced with three nodes joining at once). It is told after that join, in its order.
   */
  #ringChanged(ring: RingId, nodes: readonly number[]): void {
    if (this.#listener === undefined) this.#earlyRing = { ring, nodes };
    else this.#listener.ringChanged(ring, nodes);
  }

  #tellEarlyRing(): void {
    const early = this.#earlyRing;
    this.#earlyRing = undefined;
    if (early !== undefined) this.#listener?.ringChanged(early.ring, early.nodes);
  }

  #deliver(batch: MessageBatch): void {
    const own = this.#cpg?.local;
    for (let i = 0; i < batch.length; i += 1) {
      if (batch.senderNodeId(i) === own?.nodeId && batch.senderPid(i) === own.pid) this.#window.delivered(batch.size(i));
    }
    try {
      this.#listener?.deliver(toDeliveries(batch));
    } finally {
      if (this.#window.reopened()) this.#writable.now();
    }
  }

  async #leave(): Promise<void> {
    const before = this.#state;
    if (before === "closed") return;
    this.#state = "leaving";
    this.#writable.stop();
    // The daemon may be gone, frozen or silent: this member is out all the same.
    if (before === "joined") await this.#cpg?.leave().catch(() => undefined);
    else await this.#abandonJoin();
    this.#end(undefined);
    await this.#release();
  }

  /** Whatever stage join() is in, it fails as soon as it is told to, or its handle is closed; a daemon that does not answer holds up only join() itself. */
  async #abandonJoin(): Promise<void> {
    this.#abandoned.abort();
    await this.#cpg?.close();
    const patience = new AbortController();
    const enough = sleep(this.#options.farewellMs, undefined, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([this.#joining?.catch(() => undefined), enough]);
    patience.abort();
  }

  #lose(error: CorosyncError): void {
    this.#lostBy ??= error;
    this.#end(lostGroup(error));
  }

  /** Tells the listener, once, that this is over. */
  #end(error: LockstepError | undefined): void {
    const listener = this.#listener;
    this.#listener = undefined;
    this.#state = "closed";
    this.#writable.stop();
    try {
      if (listener !== undefined) {
        if (error === undefined) listener.closed();
        else listener.closed(error);
      }
    } finally {
      // Whatever the listener makes of it: if only libquorum's connection is gone, the group still counts this member.
      void this.#release();
    }
  }

  async #release(): Promise<void> {
    await Promise.all([this.#cpg?.close(), this.#quorum?.close()]);
  }

  #notJoined(): LockstepError {
    const advice = this.#state === "not joined" || this.#state === "joining" ? "Wait for join() first." : "Make a new one and join again.";
    return new LockstepError("TRANSPORT_CLOSED", `This transport is ${this.#state}. ${advice}`);
  }
}

function toDeliveries(batch: MessageBatch): Delivery[] {
  const deliveries: Delivery[] = [];
  // Senders repeat: one address object for each run of them.
  let sender: MemberAddress = { nodeId: 0, pid: 0 };
  for (let i = 0; i < batch.length; i += 1) {
    const nodeId = batch.senderNodeId(i);
    const pid = batch.senderPid(i);
    if (sender.nodeId !== nodeId || sender.pid !== pid) sender = { nodeId, pid };
    deliveries.push({ sender, data: batch.data(i) });
  }
  return deliveries;
}

function checkGroupName(group: string): void {
  const bytes = typeof group === "string" ? Buffer.byteLength(group) : 0;
  if (bytes >= 1 && bytes <= groupNameBytes && !group.includes("\0")) return;
  throw new LockstepError("CONFIGURATION_INVALID", `A group name has 1 to ${String(groupNameBytes)} bytes in UTF-8 and no NUL; got ${JSON.stringify(group) ?? typeof group}.`);
}
