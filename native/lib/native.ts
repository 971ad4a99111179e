/**
 * The addon's surface, declared once, and its loader. Everything native is typed here; nothing outside lib/ sees it.
 * Native methods return Corosync's status (1 is success) and never throw for it: handle.ts makes errors of them.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CorosyncError } from "./errors.js";

export type Status = number;
/** A status, and on success the value. */
export type Answer<T> = [Status, T];

export type LibraryName = "cpg" | "quorum" | "votequorum" | "cmap" | "cfg";

/** Common to all handles. */
export interface NativeHandle {
  /** Finalizes, after the calls before it. */
  close(): Promise<Answer<undefined>>;
  /**
   * Ends the connection at once, whatever the daemon does. False if there is none (yet), or if this was not the first time: then nothing
   * makes the calls under way return, close() among them, and they do not keep the event loop alive any more.
   */
  cut(): boolean;
  /** Whether this handle's events keep the event loop alive. */
  setRef(ref: boolean): void;
}

interface NativeListener {
  /** The last call. `status` is Corosync's, or -1 for evicted. */
  ended(status: Status): void;
}

export interface NativeCpgListener extends NativeListener {
  /**
   * `slab`: payloads, then, from byte `indexOffset`, four 32-bit words a message: offset, bytes, node id, pid. Answers whether the memory
   * may be used again at once, because nothing refers to it any more.
   */
  messages(slab: Uint32Array, indexOffset: number, count: number): boolean;
  /** Three words an address (node id, pid, reason): members, then left, then joined. */
  confchg(words: Uint32Array, memberCount: number, leftCount: number): void;
  totemConfchg(nodeId: number, seq: bigint, nodes: Uint32Array): void;
}

export interface NativeCpg extends NativeHandle {
  /** [node id, largest atomic message in bytes, daemon's process id or 0] */
  open(listener: NativeCpgListener): Promise<Answer<Uint32Array>>;
  join(group: string): Promise<Answer<undefined>>;
  leave(group: string): Promise<Answer<undefined>>;
  /** Three words an address. */
  membership(group: string): Promise<Answer<Uint32Array>>;
  iterate(type: number, group?: string): Promise<Answer<[group: string, nodeId: number, pid: number][]>>;
  flowControl(): Promise<Answer<number>>;
  mcast(guarantee: number, message: Uint8Array): Status;
  mcastGathered(guarantee: number, pieces: readonly Uint8Array[]): Status;
  /** Each element a message; answers how many the daemon took now. */
  mcastEach(guarantee: number, messages: readonly Uint8Array[]): Answer<number>;
  /** Undefined if the handle was closed meanwhile. */
  zcbAlloc(bytes: number): Promise<Answer<ArrayBuffer | undefined>>;
  zcbMcast(buffer: ArrayBuffer, guarantee: number, bytes: number): Promise<Answer<undefined>>;
  zcbFree(buffer: ArrayBuffer): Promise<Answer<undefined>>;
}

export interface NativeQuorumListener extends NativeListener {
  quorum(quorate: boolean, ringNodeId: number, ringSeq: bigint, members: Uint32Array): void;
  nodelist(ringNodeId: number, ringSeq: bigint, members: Uint32Array, joined: Uint32Array, left: Uint32Array): void;
}

export interface NativeQuorum extends NativeHandle {
  /** Whether a quorum provider is configured. */
  open(listener: NativeQuorumListener): Promise<Answer<boolean>>;
  quorate(): Promise<Answer<boolean>>;
  trackStart(): Promise<Answer<undefined>>;
  trackStop(): Promise<Answer<undefined>>;
}

export interface NativeVotequorumInfo {
  nodeId: number;
  state: number;
  votes: number;
  expectedVotes: number;
  highestExpected: number;
  totalVotes: number;
  quorum: number;
  flags: number;
  deviceVotes: number;
  deviceName: string;
}

export interface NativeVotequorum extends NativeHandle {
  open(): Promise<Answer<undefined>>;
  info(nodeId: number): Promise<Answer<NativeVotequorumInfo>>;
}

export type NativeCmapRow = [key: string, type: number, value: number | bigint | string | Uint8Array];

export interface NativeCmap extends NativeHandle {
  open(): Promise<Answer<undefined>>;
  get(key: string): Promise<Answer<NativeCmapRow>>;
  entries(prefix: string): Promise<Answer<NativeCmapRow[]>>;
}

export interface NativeCfgListener extends NativeListener {
  shutdown(flags: number): void;
}

export interface NativeCfg extends NativeHandle {
  open(listener: NativeCfgListener): Promise<Answer<undefined>>;
  trackStart(): Promise<Answer<undefined>>;
  trackStop(): Promise<Answer<undefined>>;
  tryShutdown(flags: number): Promise<Answer<undefined>>;
  replyToShutdown(answer: number): Promise<Answer<undefined>>;
  localNodeId(): Promise<Answer<number>>;
}

export interface NativeAddon {
  Cpg: new (initialRing: boolean, heldLimitBytes: number, stallMs: number) => NativeCpg;
  Quorum: new () => NativeQuorum;
  Votequorum: new () => NativeVotequorum;
  Cmap: new (map: number) => NativeCmap;
  Cfg: new () => NativeCfg;
  /** What is missing of a library, in the dynamic linker's words; empty if nothing is. */
  missing(library: LibraryName): string;
}

let loaded: NativeAddon | undefined;

/**
 * The addon, loaded at first use, with one of Corosync's libraries ready.
 * @throws CorosyncError NOT_BUILT, NOT_INSTALLED
 */
export function loadNative(library: LibraryName): NativeAddon {
  loaded ??= loadAddon();
  const missing = loaded.missing(library);
  if (missing !== "") throw new CorosyncError("NOT_INSTALLED", "dlopen", missing);
  return loaded;
}

function loadAddon(): NativeAddon {
  const require = createRequire(import.meta.url);
  try {
    const load = require("node-gyp-build") as (directory: string) => NativeAddon;
    return load(join(dirname(fileURLToPath(import.meta.url)), ".."));
  } catch (cause) {
    throw new CorosyncError("NOT_BUILT", "load", cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause), { cause });
  }
}
