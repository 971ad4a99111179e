/** The options of createReplica, checked. */
import { LockstepError } from "./errors.js";
import { tokens, type Provide } from "./container.js";
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

const optionNames: Readonly<Record<keyof ReplicaOptions, true>> = {
  group: true, transport: true, slots: true, quorum: true, durability: true, directory: true, limits: true, logger: true, checkDeterminism: true, provide: true,
};

/** What types do not keep JavaScript from giving. A name that is misspelt would leave out what was asked for, without a word. */
export function checkOptions(machine: unknown, options: ReplicaOptions): void {
  const check = (holds: boolean, message: string): void => { if (!holds) throw new LockstepError("CONFIGURATION_INVALID", message); };
  const noneOf = (given: object, known: object, what: string): void => {
    for (const name of Object.keys(given)) check(Object.hasOwn(known, name), `${name} is not ${what}; there are ${Object.keys(known).join(", ")}`);
  };
  check(hasFunctions(machine, ["initialState"]), "createReplica(machine, options) takes a machine made by defineMachine()");
  check(isObject(options), "createReplica(machine, options) takes an object of options: group and transport at least");
  noneOf(options, optionNames, "an option of createReplica()");
  checkTransport(options.transport);
  const { provide = {} } = options;
  check(isObject(provide), "provide must be an object of functions: { clock: () => myClock, … }");
  noneOf(provide, tokens, "a part of a replica");
  for (const [name, make] of Object.entries(provide)) check(make === undefined || typeof make === "function", `provide.${name} must be a function that returns the part`);
  checkGroup(options.group);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function hasFunctions(value: unknown, names: readonly string[]): boolean {
  return isObject(value) && names.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
}

export function checkGroup(group: unknown): void {
  if (typeof group !== "string") throw new LockstepError("CONFIGURATION_INVALID", `group must be a name, not ${group === undefined ? "left out" : JSON.stringify(group)}`);
  const bytes = Buffer.byteLength(group);
  if (bytes === 0 || bytes > maxGroupBytes || group.includes("\0")) {
    throw new LockstepError("CONFIGURATION_INVALID", `group must be a name of 1 to ${maxGroupBytes} bytes without NUL, not ${JSON.stringify(group)}`);
  }
}

/** Also of one that was provided as a part. */
export function checkTransport(transport: unknown): void {
  if (hasFunctions(transport, ["configuredNodes", "join", "multicast", "leave", "close"])) return;
  throw new LockstepError("CONFIGURATION_INVALID", "transport must be a GroupTransport: corosync(), memory(), or one of your own");
}

export function checkSlots(slots: readonly number[]): readonly number[] {
  const sorted = Array.isArray(slots) ? Array.from(new Set(slots)).sort((a, b) => a - b) : [];
  const valid = sorted.every((slot) => Number.isSafeInteger(slot) && slot >= 1 && slot <= 0xffff_ffff);
  if (sorted.length === 0 || sorted.length !== slots.length || !valid) {
    throw new LockstepError("CONFIGURATION_INVALID", `slots must be different node ids (1 to 2^32 - 1), at least one, not ${JSON.stringify(slots)}`);
  }
  return sorted;
}

export function policyOf(option: QuorumOption = "majority"): QuorumPolicy {
  if (option === "majority") return majorityPolicy;
  if (option === "corosync") return corosyncPolicy({ twoNodeIsFenced: false });
  if (isObject(option) && option.policy === "corosync" && option.twoNode === "fenced") return corosyncPolicy({ twoNodeIsFenced: true });
  throw new LockstepError("CONFIGURATION_INVALID", `quorum must be "majority", "corosync" or { policy: "corosync", twoNode: "fenced" }, not ${JSON.stringify(option)}`);
}

/** @returns undefined for a replica that keeps everything in memory. */
export function openStoreOf({ durability = "memory", directory }: Pick<ReplicaOptions, "durability" | "directory">): OpenStore | undefined {
  if (durability === "memory" && directory === undefined) return undefined;
  if (durability !== "disk") throw new LockstepError("CONFIGURATION_INVALID", `durability must be "memory", without a directory, or "disk", with one; not ${JSON.stringify(durability)}${directory === undefined ? "" : " with one"}`);
  if (typeof directory !== "string" || directory === "") throw new LockstepError("CONFIGURATION_INVALID", "durability \"disk\" needs a directory: one of this replica's own, on a local disk");
  return async (identity) => openLogStore(await openBackend(directory), identity);
}
