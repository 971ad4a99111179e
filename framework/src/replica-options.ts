/** The options of createReplica, checked. */
import { LockstepError } from "./errors.js";
import type { Provide } from "./container.js";
import { corosyncPolicy, majorityPolicy, type QuorumPolicy } from "./core/quorum-policy.js";
import type { Durability } from "./core/messages.js";
import type { Limits } from "./limits.js";
import { openBackend } from "./log/journaled-backend.js";
import { openLogStore } from "./log/log-store.js";
import type { OpenStore } from "./log/store.js";
import type { Logger } from "./logger.js";
import type { GroupTransport } from "./transport/group-transport.js";

export type QuorumOption =
  /** More than half of the slots. */
  | "majority"
  /** votequorum decides: two-node clusters, quorum devices. */
  | "corosync"
  /** With quorum.two_node: only where a node that is cut off is fenced (Pacemaker with STONITH, or the like). */
  | { readonly policy: "corosync"; readonly twoNode: "fenced" };

export interface ReplicaOptions {
  /** The closed process group's name: 1 to 127 bytes, no NUL. One machine per group. */
  readonly group: string;
  /** corosync() or memory(), not joined before. */
  readonly transport: GroupTransport;
  /** Node ids of all replicas, present or not. Default: the nodes the transport is configured with. Equal on every replica. */
  readonly slots?: readonly number[];
  /** Default "majority". */
  readonly quorum?: QuorumOption;
  /**
   * Default "memory": an acknowledged command is in the memory of more than half of the replicas. "disk": on the disks of
   * more than half; it survives a loss of power everywhere. Equal on every replica.
   */
  readonly durability?: Durability;
  /** For durability "disk": this replica's own directory, made if it is missing. */
  readonly directory?: string;
  readonly limits?: Partial<Limits>;
  /** A pino logger fits. Default: warnings and errors on standard error. */
  readonly logger?: Logger;
  /** For development: runs every handler twice and stops at the first difference. Default false. */
  readonly checkDeterminism?: boolean;
  /** Replaces parts; see container.ts. */
  readonly provide?: Provide;
}

/** libcpg's CPG_MAX_NAME_LENGTH is 128, of which it uses one byte for itself. */
const maxGroupBytes = 127;

export function checkGroup(group: string): void {
  const bytes = Buffer.byteLength(group);
  if (bytes === 0 || bytes > maxGroupBytes || group.includes("\0")) {
    throw new LockstepError("CONFIGURATION_INVALID", `group must be a name of 1 to ${maxGroupBytes} bytes without NUL, not ${JSON.stringify(group)}`);
  }
}

export function checkSlots(slots: readonly number[]): readonly number[] {
  const sorted = Array.from(new Set(slots)).sort((a, b) => a - b);
  const valid = sorted.every((slot) => Number.isSafeInteger(slot) && slot >= 1 && slot <= 0xffff_ffff);
  if (sorted.length === 0 || sorted.length !== slots.length || !valid) {
    throw new LockstepError("CONFIGURATION_INVALID", `slots must be different node ids (1 to 2^32 - 1), at least one, not ${JSON.stringify(slots)}`);
  }
  return sorted;
}

export function policyOf(option: QuorumOption = "majority"): QuorumPolicy {
  if (option === "majority") return majorityPolicy;
  if (option === "corosync") return corosyncPolicy({ twoNodeIsFenced: false });
  if (typeof option === "object" && option.policy === "corosync" && option.twoNode === "fenced") return corosyncPolicy({ twoNodeIsFenced: true });
  throw new LockstepError("CONFIGURATION_INVALID", `quorum must be "majority", "corosync" or { policy: "corosync", twoNode: "fenced" }, not ${JSON.stringify(option)}`);
}

/** @returns undefined for a replica that keeps everything in memory. */
export function openStoreOf({ durability = "memory", directory }: Pick<ReplicaOptions, "durability" | "directory">): OpenStore | undefined {
  if (durability === "memory" && directory === undefined) return undefined;
  if (durability !== "disk") throw new LockstepError("CONFIGURATION_INVALID", `durability must be "memory", without a directory, or "disk", with one; not ${JSON.stringify(durability)}`);
  if (typeof directory !== "string" || directory === "") throw new LockstepError("CONFIGURATION_INVALID", "durability \"disk\" needs a directory: one of this replica's own, on a local disk");
  return async (identity) => openLogStore(await openBackend(directory), identity);
}
