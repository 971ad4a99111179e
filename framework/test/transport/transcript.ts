/** A listener that writes down what it is told, one readable line per event, for tests of the in-process group. */
import type { ChangedMember, ConfigurationChange, Delivery, GroupListener, GroupTransport, MemberAddress, RingId } from "../../src/transport/group-transport.js";
import { memory } from "../../src/transport/memory/index.js";
import type { MemoryNetwork } from "../../src/transport/memory/index.js";

export class Transcript implements GroupListener {
  readonly lines: string[] = [];
  closedWith: Error | undefined;

  deliver(messages: readonly Delivery[]): void {
    for (const { sender, data } of messages) this.lines.push(`${String(sender.nodeId)}: ${new TextDecoder().decode(data)}`);
  }

  configurationChanged({ members, left, joined }: ConfigurationChange): void {
    const parts = [`members ${names(members)}`, ...left.map((member) => `left ${reason(member)}`), ...joined.map((member) => `joined ${reason(member)}`)];
    this.lines.push(parts.join(", "));
  }

  ringChanged(ring: RingId, nodes: readonly number[]): void {
    this.lines.push(`ring ${String(ring.nodeId)}/${String(ring.seq)} of ${nodes.join(" ")}`);
  }

  quorumChanged(quorate: boolean): void {
    this.lines.push(quorate ? "quorate" : "not quorate");
  }

  writable(): void {
    this.lines.push("writable");
  }

  closed(error?: Error): void {
    this.closedWith = error;
    this.lines.push(error === undefined ? "closed" : "closed by an error");
  }

  /** What was written since the last call. */
  take(): string[] {
    return this.lines.splice(0);
  }
}

function names(members: readonly MemberAddress[]): string {
  return members.map((member) => member.nodeId).join(" ");
}

function reason(member: ChangedMember): string {
  return `${String(member.nodeId)} (${member.reason})`;
}

export interface Joined {
  readonly transport: GroupTransport;
  readonly transcript: Transcript;
  readonly address: MemberAddress;
  say(text: string): "queued" | "busy";
}

export async function join(network: MemoryNetwork, nodeId: number, group = "g"): Promise<Joined> {
  const transport = memory({ network, nodeId });
  const transcript = new Transcript();
  const address = await transport.join(group, transcript);
  return { transport, transcript, address, say: (text) => transport.multicast(new TextEncoder().encode(text)) };
}

/** One member on each node, with the transcripts of their joining thrown away. */
export async function joinAll(network: MemoryNetwork, group = "g"): Promise<Joined[]> {
  const members: Joined[] = [];
  for (const nodeId of network.nodes) members.push(await join(network, nodeId, group));
  await turns(2);
  for (const member of members) member.transcript.take();
  return members;
}

/** Lets the event loop turn: the in-process group does all its work in immediates, so this is a count, not a time. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => { setImmediate(resolve); });
}
