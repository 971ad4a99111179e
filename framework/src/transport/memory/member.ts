/** One process in one in-process group: its address, its mailbox, and what it has on the way. What it does is in transport.ts. */
import type { MemberAddress } from "../group-transport.js";
import type { Mailbox } from "./mailbox.js";

/** What the members of a group have brought in and the group has not ordered yet. */
export type GroupEvent =
  | { readonly kind: "message"; readonly member: Member; readonly data: Uint8Array }
  | { readonly kind: "join"; readonly member: Member }
  | { readonly kind: "depart"; readonly member: Member; readonly reason: "leave" | "procdown" };

export class Member {
  readonly address: MemberAddress;
  readonly group: string;
  readonly mailbox: Mailbox;
  /** Weight of own messages that the group has not ordered yet. */
  queuedBytes = 0;
  /** multicast() answered "busy", and writable() was not called since. */
  wantsWritable = false;
  /** Weight of messages that wait in the mailbox of a paused member. */
  heldBytes = 0;
  /** Killed or evicted: takes nothing, brings nothing. */
  dead = false;
  /** What a paused member brought in; goes out when it is resumed. */
  outbox: GroupEvent[] = [];

  constructor(address: MemberAddress, group: string, mailbox: Mailbox) {
    this.address = Object.freeze({ ...address });
    this.group = group;
    this.mailbox = mailbox;
  }
}

export function byAddress(a: Member, b: Member): number {
  return a.address.nodeId - b.address.nodeId || a.address.pid - b.address.pid;
}
