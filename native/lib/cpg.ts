/**
 * Closed process groups: libcpg's model V1 (man 3 cpg_model_initialize), one handle a group.
 *
 * Order is Corosync's: messages, configuration changes and ring changes reach the listener in one sequence, messages in batches.
 * "queued" is not "delivered": see multicast().
 */
import { isUint8Array } from "node:util/types";
import { checkBoolean, checkListener, hasHalfCharacters, isDetached, limit, numberOf, wrong } from "./arguments.js";
import { toAddresses, toChange, type CpgAddress, type CpgChangedAddress, type CpgConfigurationChange } from "./configuration-change.js";
import { CorosyncError } from "./errors.js";
import { Handle, statusOk, statusTryAgain, type HandleOptions } from "./handle.js";
import { MessageBatch } from "./message-batch.js";
import { loadNative, type NativeCpg, type NativeCpgListener } from "./native.js";
import { Waiter } from "./waiter.js";
import { ZeroCopyBuffer } from "./zero-copy.js";

export interface CpgRingId {
  readonly nodeId: number;
  readonly seq: bigint;
}

/**
 * Called from the event loop, in the order of the group. What a listener throws is an uncaught exception, as in any callback; the batch that it was
 * called with is not handed over again.
 */
export interface CpgListener {
  messages(batch: MessageBatch): void;
  configurationChanged(change: CpgConfigurationChange): void;
  ringChanged(ring: CpgRingId, nodes: readonly number[]): void;
  /** The daemon has gone, this process was evicted, or the group has outgrown libcpg (TOO_MANY_MEMBERS). The last call; the handle closes itself. */
  ended(error: CorosyncError): void;
}

/** Corosync delivers all of them as "agreed", what is sent as "unordered" or "safe" too (cpg_mcast_joined(3)). */
export type CpgGuarantee = "unordered" | "fifo" | "agreed" | "safe";
/** cpg_guarantee_t */
export const guarantees: readonly CpgGuarantee[] = ["unordered", "fifo", "agreed", "safe"];

/** cpg_iteration_type_t */
export const iterations = { groups: 1, membersOfOne: 2, membersOfAll: 3 } as const;

/** cpg_flow_control_state_t */
export const flowControlStates = ["disabled", "enabled"] as const;

/** CPG_MAX_NAME_LENGTH less the closing NUL. */
export const groupNameBytes = 127;

export interface CpgOptions extends HandleOptions {
  readonly listener: CpgListener;
  /** A ringChanged right after the join, with the ring as it is (CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF). Default true. */
  readonly initialRing?: boolean;
  /**
   * The most that may wait in this process while JavaScript is busy, in bytes. Default 64 MiB: more than a second of the fastest
   * ring that was measured (50 MB/s), so beyond it this process is not late but stuck. Then it is evicted.
   */
  readonly heldLimitBytes?: number;
  /**
   * How long the event loop may leave messages waiting before a thread of this handle takes them off the daemon's hands, in
   * milliseconds. Default 20: longer than a garbage collection, short enough that the daemon holds a few MB at most.
   */
  readonly stallMs?: number;
}

export class Cpg extends Handle {
  protected readonly native: NativeCpg;
  #listener: CpgListener;
  #local: CpgAddress = { nodeId: 0, pid: process.pid };
  #maxAtomicMessageBytes = 0;
  #daemonPid = 0;
  #group: string | undefined;
  #standing: "outside" | "joining" | "member" | "leaving" = "outside";
  #joined = new Waiter();
  #left = new Waiter();

  /** @throws CorosyncError NOT_BUILT, NOT_INSTALLED, LIBRARY (not running), ACCESS, INVALID_PARAM, … */
  static async open(options: CpgOptions): Promise<Cpg> {
    const cpg = new Cpg(options);
    const [nodeId, maxAtomic, daemonPid] = await cpg.openWith(() => cpg.native.open(cpg.#nativeListener()));
    cpg.#local = { nodeId: nodeId ?? 0, pid: process.pid };
    cpg.#maxAtomicMessageBytes = maxAtomic ?? 0;
    cpg.#daemonPid = daemonPid ?? 0;
    return cpg;
  }

  private constructor(options: CpgOptions) {
    const call = "cpg_model_initialize";
    super(call, options, ["listener", "initialRing", "heldLimitBytes", "stallMs"]);
    checkListener(call, options.listener, ["messages", "configurationChanged", "ringChanged", "ended"]);
    this.#listener = options.listener;
    const initialRing = checkBoolean(call, "initialRing", options.initialRing ?? true);
    const heldLimitBytes = limit(call, "heldLimitBytes", options.heldLimitBytes ?? 64 * 1024 * 1024, 4 * 1024 * 1024, 2 ** 40);
    const stallMs = limit(call, "stallMs", options.stallMs ?? 20, 1, 10_000);
    this.native = new (loadNative("cpg").Cpg)(initialRing, heldLimitBytes, stallMs);
  }

  /** This process in its group. */
  get local(): CpgAddress {
    return this.#local;
  }

  /** The largest message multicast() takes, in bytes: what Corosync sends without splitting. */
  get maxAtomicMessageBytes(): number {
    return this.#maxAtomicMessageBytes;
  }

  /** The daemon's process id, 0 if the system does not tell (another pid namespace). */
  get daemonPid(): number {
    return this.#daemonPid;
  }

  /** The group this handle joined. */
  get group(): string | undefined {
    return this.#group;
  }

  /**
   * Joins; resolves when the own configuration change has been delivered to the listener.
   * @throws CorosyncError NAME_TOO_LONG, EXIST (this process is a member already), TOO_MANY_MEMBERS (128 have joined), INVALID_PARAM, …
   */
  async join(group: string): Promise<void> {
    this.assertOpen("cpg_join");
    checkGroupName(group, "cpg_join");
    if (this.#standing !== "outside") throw new CorosyncError("EXIST", "cpg_join", "a handle joins one group, once");
    this.#standing = "joining";
    this.#group = group;
    try {
      await this.request("cpg_join", () => this.native.join(group));
    } catch (error) {
      this.#standing = "outside";
      this.#group = undefined;
      throw error;
    }
    await this.#joined.promise;
  }

  /**
   * Leaves, waits for the own configuration change and closes the handle, which could not be used again: after cpg_leave it neither
   * joins nor stops receiving. If the daemon does not say good-bye within `closeMs`, closes all the same.
   */
  async leave(): Promise<void> {
    this.assertOpen("cpg_leave");
    const group = this.#group;
    if (group === undefined || this.#standing !== "member") throw new CorosyncError("NOT_EXIST", "cpg_leave", "this handle is not in a group");
    this.#standing = "leaving";
    const enough = setTimeout(() => void this.close(), this.closeMs);
    try {
      await this.request("cpg_leave", () => this.native.leave(group));
      await this.#left.promise;
    } catch (error) {
      if (!this.closed) throw error;
    } finally {
      clearTimeout(enough);
      await this.close();
    }
  }

  /**
   * Sends one message to the group, synchronously, without ever blocking. The pieces of an array are one message (at most 63).
   * "queued": the daemon has it. It is delivered here too, unless this process leaves or its ring changes before it goes out;
   * Corosync drops it without a word if this handle has not joined, so that is refused here. "busy": not taken; repeat it, in order, after
   * a pause of a millisecond or more. Do not wait for "busy" to stop sending: the daemon takes as much as the ring does, and own messages
   * come back to this process as well, so give up the event loop now and then (see heldLimitBytes).
   * @throws CorosyncError TOO_BIG, NOT_EXIST (not joined), INVALID_PARAM, BAD_HANDLE, LIBRARY (the daemon has gone)
   */
  multicast(message: Uint8Array | readonly Uint8Array[], guarantee: CpgGuarantee = "agreed"): "queued" | "busy" {
    this.#assertJoined();
    const whole = isUint8Array(message);
    if (!whole && !Array.isArray(message)) throw wrong("cpg_mcast_joined", "a message is a Uint8Array, or an array of them");
    // What is checked is what is sent: an array may answer otherwise the second time.
    const pieces = whole ? [message] : Array.from(message as readonly Uint8Array[]);
    this.#checkMessage(pieces);
    const number = guaranteeNumber(guarantee);
    const status = whole ? this.native.mcast(number, message) : this.native.mcastGathered(number, pieces);
    if (status === statusOk) return "queued";
    if (status === statusTryAgain) return "busy";
    throw CorosyncError.fromStatus(status, "cpg_mcast_joined");
  }

  /**
   * Sends several messages in one crossing, each its own. Returns how many were queued, counting from `from`'s start: the next to send.
   * @throws as multicast(); then none of the remaining ones was sent.
   */
  multicastEach(messages: readonly Uint8Array[], from = 0, guarantee: CpgGuarantee = "agreed"): number {
    this.#assertJoined();
    if (!Array.isArray(messages)) throw wrong("cpg_mcast_joined", "messages must be an array, each a Uint8Array");
    limit("cpg_mcast_joined", "from", from, 0, messages.length);
    const remaining: Uint8Array[] = [];
    for (let i = from; i < messages.length; i += 1) remaining.push(messages[i] as Uint8Array);
    for (const message of remaining) this.#checkMessage([message]);
    const [status, sent] = this.native.mcastEach(guaranteeNumber(guarantee), remaining);
    if (status !== statusOk) throw CorosyncError.fromStatus(status, "cpg_mcast_joined");
    return from + sent;
  }

  /**
   * Who is in a group now, as the daemon knows it. Not in the order of deliveries: a listener's view may be older.
   * @throws CorosyncError TOO_MANY_MEMBERS (more than 128: members() tells them), INVALID_PARAM, …
   */
  async membership(group: string): Promise<readonly CpgChangedAddress[]> {
    checkGroupName(group, "cpg_membership_get");
    const words = await this.request("cpg_membership_get", () => this.native.membership(group));
    return toAddresses(words, 0, words.length / 3);
  }

  /** Names of all groups that have members. */
  async groups(): Promise<readonly string[]> {
    const rows = await this.request("cpg_iteration_next", () => this.native.iterate(iterations.groups));
    return rows.map(([group]) => group);
  }

  /** Members of one group, or of all. */
  async members(group?: string): Promise<readonly (CpgAddress & { readonly group: string })[]> {
    if (group !== undefined) checkGroupName(group, "cpg_iteration_initialize");
    const rows = await this.request("cpg_iteration_next", () => (group === undefined ? this.native.iterate(iterations.membersOfAll) : this.native.iterate(iterations.membersOfOne, group)));
    return rows.map(([name, nodeId, pid]) => ({ group: name, nodeId, pid }));
  }

  /** Always "disabled" in current releases: "busy" from multicast() is the only back-pressure. */
  async flowControlState(): Promise<"disabled" | "enabled"> {
    return flowControlStates[await this.request("cpg_flow_control_state_get", () => this.native.flowControl())] ?? "enabled";
  }

  /**
   * Memory shared with the daemon, to write a message into. Deprecated by Corosync: releases after 3.1 only imitate it.
   * @throws CorosyncError NOT_SUPPORTED where the library has none, NO_SPACE where /dev/shm is full, …
   */
  async allocateZeroCopy(bytes: number): Promise<ZeroCopyBuffer> {
    limit("cpg_zcb_alloc", "bytes", bytes, 1, this.#maxAtomicMessageBytes);
    const memory = await this.request("cpg_zcb_alloc", () => this.native.zcbAlloc(bytes));
    if (memory === undefined) throw new CorosyncError("BAD_HANDLE", "cpg_zcb_alloc");
    return new ZeroCopyBuffer(memory, {
      multicast: (length) => {
        this.#assertJoined();
        return this.request("cpg_zcb_mcast_joined", () => this.native.zcbMcast(memory, guaranteeNumber("agreed"), length));
      },
      free: () => this.request("cpg_zcb_free", () => this.native.zcbFree(memory)),
    });
  }

  override close(): Promise<void> {
    this.#joined.settle(new CorosyncError("BAD_HANDLE", "cpg_join", "closed before the group had taken note"));
    this.#left.settle(undefined);
    return super.close();
  }

  #assertJoined(): void {
    this.assertOpen("cpg_mcast_joined");
    if (this.#standing !== "member") {
      throw new CorosyncError("NOT_EXIST", "cpg_mcast_joined", "this handle is not in a group; Corosync would drop the message");
    }
  }

  #checkMessage(pieces: readonly Uint8Array[]): void {
    // libcpg puts its header and the caller's pieces into an array of 64 without looking.
    if (pieces.length > 63) throw wrong("cpg_mcast_joined", `at most 63 pieces, not ${pieces.length}`);
    let bytes = 0;
    for (const piece of pieces) {
      if (!isUint8Array(piece)) throw wrong("cpg_mcast_joined", "every message, and every piece of one, is a Uint8Array");
      if (piece.byteLength === 0 && isDetached(piece)) throw wrong("cpg_mcast_joined", "the memory of this Uint8Array was given away, or taken back");
      bytes += piece.byteLength;
    }
    // Beyond it libcpg would send pieces one after the other, sleeping in between, on this thread.
    if (bytes > this.#maxAtomicMessageBytes) throw new CorosyncError("TOO_BIG", "cpg_mcast_joined", `${bytes} bytes, at most ${this.#maxAtomicMessageBytes}`);
  }

  #nativeListener(): NativeCpgListener {
    return {
      messages: (slab, indexOffset, count) => {
        const batch = new MessageBatch(slab, indexOffset, count);
        this.#listener.messages(batch);
        return batch.release();
      },
      confchg: (words, memberCount, leftCount) => this.#configurationChanged(toChange(words, memberCount, leftCount)),
      totemConfchg: (nodeId, seq, nodes) => this.#listener.ringChanged({ nodeId, seq }, [...nodes]),
      ended: (status) => this.#end(CorosyncError.fromStatus(status, "cpg_dispatch")),
    };
  }

  #configurationChanged(change: CpgConfigurationChange): void {
    const isLocal = (address: CpgAddress): boolean => address.nodeId === this.#local.nodeId && address.pid === this.#local.pid;
    const left = change.left.some(isLocal);
    if (change.joined.some(isLocal) && this.#standing === "joining") this.#standing = "member";
    try {
      this.#listener.configurationChanged(change);
    } finally {
      if (this.#standing === "member") this.#joined.settle(undefined);
      // A handle that has left still receives what the group goes on to say. Nobody is to hear it.
      if (left) void this.close();
    }
  }

  #end(error: CorosyncError): void {
    this.#joined.settle(error);
    this.endedBy(error);
    this.#listener.ended(error);
  }
}

function guaranteeNumber(guarantee: CpgGuarantee): number {
  return numberOf("cpg_mcast_joined", "the guarantee", guarantee, guarantees);
}

function checkGroupName(group: string, call: string): void {
  if (typeof group !== "string" || group === "") throw wrong(call, "a group's name is a string that is not empty");
  if (group.includes("\0")) throw wrong(call, "a group's name has no NUL in it");
  if (hasHalfCharacters(group)) throw wrong(call, "a group's name is Unicode: it has half a character in it, which UTF-8 does not tell from others");
  const bytes = Buffer.byteLength(group);
  if (bytes > groupNameBytes) throw new CorosyncError("NAME_TOO_LONG", call, `${bytes} bytes`);
}
