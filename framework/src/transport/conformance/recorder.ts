/** A listener that writes down what it is told, and everything that no transport may do. */
import { isLockstepError } from "../../errors.js";
import type { ConfigurationChange, Delivery, GroupListener, MemberAddress, RingId } from "../group-transport.js";
import type { MemberEvent } from "./bed.js";
import { decodePayload } from "./payload.js";

export class Recorder implements GroupListener {
  readonly events: MemberEvent[] = [];
  readonly violations: string[] = [];
  /** Called from inside deliver(). */
  onMessage: (text: string) => void = () => undefined;
  /** Called from inside writable() and closed(). */
  onRoom: () => void = () => undefined;
  /** Set while multicast() runs. */
  multicasting = false;
  readonly #kept: { readonly data: Uint8Array; readonly text: string }[] = [];
  #calling: string | undefined;
  #isClosed = false;
  #members: readonly MemberAddress[] | undefined;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isMember(): boolean {
    return this.#members !== undefined && !this.#isClosed;
  }

  deliver(messages: readonly Delivery[]): void {
    this.#called("deliver", () => {
      if (this.#members === undefined) this.#violation("deliver() came before the first configurationChanged()");
      if (messages.length === 0) this.#violation("deliver() came with no messages");
      for (const message of messages) this.#take(message);
    });
  }

  configurationChanged(change: ConfigurationChange): void {
    this.#called("configurationChanged", () => {
      this.#check(change);
      this.#members = change.members;
      this.events.push({ kind: "change", ...change });
    });
  }

  ringChanged(id: RingId, nodes: readonly number[]): void {
    this.#called("ringChanged", () => {
      if (this.#members === undefined) this.#violation("ringChanged() came before the first configurationChanged()");
      if (!nodes.includes(id.nodeId)) this.#violation(`ring ${String(id.seq)} is named after node ${String(id.nodeId)}, which is not in it (${nodes.join(" ")})`);
      const last = this.events.findLast((event) => event.kind === "ring");
      if (last !== undefined && id.seq <= last.id.seq) this.#violation(`ring ${String(id.seq)} came after ring ${String(last.id.seq)}`);
      this.events.push({ kind: "ring", id, nodes });
    });
  }

  quorumChanged(quorate: boolean, ring: RingId): void {
    this.#called("quorumChanged", () => { this.events.push({ kind: "quorum", quorate, ring }); });
  }

  writable(): void {
    this.#called("writable", () => {
      this.events.push({ kind: "writable" });
      this.onRoom();
    });
  }

  closed(error?: Error): void {
    this.#called("closed", () => {
      const code = error === undefined ? "none" : isLockstepError(error) ? error.code : "unknown";
      this.events.push({ kind: "closed", code });
    });
    this.#isClosed = true;
    this.onRoom();
  }

  /** Data is the receiver's to keep: looks at all of it again. */
  checkKept(): void {
    const damaged = this.#kept.filter(({ data, text }) => decodePayload(data) !== text);
    for (const { text } of damaged) this.#violation(`the data of "${text}" was overwritten after it was delivered`);
  }

  #called(name: string, act: () => void): void {
    if (this.#isClosed) this.#violation(`${name}() came after closed()`);
    if (this.#calling !== undefined) this.#violation(`${name}() came from inside ${this.#calling}()`);
    if (this.multicasting) this.#violation(`${name}() came from inside multicast()`);
    const outer = this.#calling;
    this.#calling = name;
    act();
    this.#calling = outer;
  }

  #take({ sender, data }: Delivery): void {
    const text = decodePayload(data);
    if (text === undefined) {
      this.#violation(`a message of ${String(data.byteLength)} bytes from ${String(sender.nodeId)} arrived damaged`);
      return;
    }
    this.#kept.push({ data, text });
    this.events.push({ kind: "message", sender, text, bytes: data.byteLength });
    this.onMessage(text);
  }

  #check({ members, left, joined }: ConfigurationChange): void {
    const here = new Set(members.map(key));
    if (here.size !== members.length) this.#violation(`a member is listed twice: ${list(members)}`);
    for (const member of joined) if (!here.has(key(member))) this.#violation(`${key(member)} joined, and is not in ${list(members)}`);
    for (const member of left) if (here.has(key(member))) this.#violation(`${key(member)} left, and is still in ${list(members)}`);
    if (this.#members === undefined) return;
    const expected = new Set(this.#members.map(key));
    for (const member of left) if (!expected.delete(key(member))) this.#violation(`${key(member)} left, and was no member`);
    for (const member of joined) expected.add(key(member));
    if (expected.size !== here.size || [...expected].some((name) => !here.has(name))) {
      this.#violation(`${list(this.#members)} less (${list(left)}) and with (${list(joined)}) is not ${list(members)}`);
    }
  }

  #violation(text: string): void {
    this.violations.push(text);
  }
}

function key(member: MemberAddress): string {
  return `${String(member.nodeId)}.${String(member.pid)}`;
}

function list(members: readonly MemberAddress[]): string {
  return members.map(key).join(" ");
}
