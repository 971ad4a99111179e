/**
 * What the conformance suite needs of the one whose transport is tested: members on numbered nodes, and the faults it can
 * inject. A bed may run its members in other processes: everything is asynchronous and plain data.
 */
import type { ErrorCode } from "../../errors.js";
import type { ConfigurationChange, MemberAddress, RingId } from "../group-transport.js";

/** What a member's listener was told, in order. */
export type MemberEvent =
  | { readonly kind: "message"; readonly sender: MemberAddress; readonly text: string; readonly bytes: number }
  | ({ readonly kind: "change" } & ConfigurationChange)
  | { readonly kind: "ring"; readonly id: RingId; readonly nodes: readonly number[] }
  | { readonly kind: "quorum"; readonly quorate: boolean; readonly ring: RingId }
  | { readonly kind: "writable" }
  | { readonly kind: "closed"; readonly code: ErrorCode | "none" | "unknown" };

/** Messages `LABEL:0`, `LABEL:1`, …, each padded to `bytes`. */
export interface Burst {
  readonly label: string;
  readonly count: number;
  readonly bytes: number;
}

/**
 * One transport, with a listener that writes everything down. `localMember(transport)` is the one implementation; a bed
 * whose members are processes of their own runs it there and forwards these calls. Errors are LockstepErrors.
 */
export interface ConformanceMember {
  maxMessageBytes(): Promise<number>;
  configuredNodes(): Promise<readonly number[]>;
  join(group: string): Promise<MemberAddress>;
  /** One multicast(): the text, padded to `bytes` if that is more. The buffer is overwritten afterwards. */
  multicast(text: string, bytes: number): Promise<"queued" | "busy">;
  /** Multicasts all, waiting for writable() when busy. */
  send(burst: Burst): Promise<void>;
  /**
   * Multicasts until the answer is "busy", and then, after writable(), ten more. Returns how many were taken in all.
   * Rejects if `burst.count` were taken without a "busy".
   */
  sendUntilBusy(burst: Burst): Promise<number>;
  /** Multicasts `LABEL:0`, `LABEL:1`, … at a steady rate, some thousands a second, waiting for writable() when busy. */
  startLoad(label: string, bytes: number): Promise<void>;
  /** Resolves when the last message of the load was taken. */
  stopLoad(): Promise<void>;
  /** From now on each message `ping:N` is answered with `pong:N`, from inside deliver(). */
  answerPings(): Promise<void>;
  leave(): Promise<void>;
  close(): Promise<void>;
  /** From this index on. */
  events(from: number): Promise<readonly MemberEvent[]>;
  /** What the listener saw that no transport may do, in words; looks again at all data that was delivered. */
  violations(): Promise<readonly string[]>;
  /** The last call, after close(): ends what the bed runs for this member. */
  dispose(): Promise<void>;
}

/** The network between nodes. */
export interface NetworkFaults {
  /** Nodes of different sides no longer hear each other; all nodes of the bed are named. */
  cut(sides: readonly (readonly number[])[]): Promise<void>;
  heal(): Promise<void>;
}

/** The processes of members. */
export interface ProcessFaults {
  /** Ends the member's process as kill -9 does. */
  kill(member: ConformanceMember): Promise<void>;
  /** Stops the member's process as kill -STOP does. */
  freeze(member: ConformanceMember): Promise<void>;
  thaw(member: ConformanceMember): Promise<void>;
}

/** The group-communication system itself. */
export interface NodeFaults {
  /** Ends it on this node, with everything it had not sent. */
  kill(nodeId: number): Promise<void>;
  start(nodeId: number): Promise<void>;
}

export interface ConformanceBed {
  /** Ids of the configured nodes, ascending: three or more. */
  readonly nodes: readonly number[];
  /** A member that has not joined yet, with a transport of its own; in a process of its own if processes can be killed. */
  open(nodeId: number): Promise<ConformanceMember>;
  /** Whether quorumChanged() is called, with a majority of the nodes being quorate. */
  readonly tellsQuorum: boolean;
  /** Left out: cases that need it cannot run, and are reported. */
  readonly network?: NetworkFaults;
  readonly processes?: ProcessFaults;
  readonly nodeFaults?: NodeFaults;
  /** How long to wait for something that must come. Default 20 s: longer than membership takes anywhere. */
  readonly timeoutMs?: number;
}

export type Capability = "network" | "processes" | "nodeFaults" | "tellsQuorum";

export function missingCapabilities(bed: ConformanceBed, needs: readonly Capability[]): Capability[] {
  return needs.filter((need) => bed[need] === undefined || bed[need] === false);
}
