/** What a conformance case works with: members that it opens and that are closed after it, faults that are mended after it. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { isLockstepError } from "../../errors.js";
import type { ErrorCode } from "../../errors.js";
import type { MemberAddress } from "../group-transport.js";
import type { ConformanceBed, ConformanceMember, MemberEvent } from "./bed.js";

const defaultTimeoutMs = 20_000;
const lookAgainAfterMs = 5;

export type MessageEvent = Extract<MemberEvent, { kind: "message" }>;
export type ChangeEvent = Extract<MemberEvent, { kind: "change" }>;
export type RingEvent = Extract<MemberEvent, { kind: "ring" }>;

/** A member of the scene, with what it was told so far. */
export class Actor {
  readonly nodeId: number;
  readonly member: ConformanceMember;
  readonly events: MemberEvent[] = [];
  /** Its process or its node was ended: nothing can be asked any more. */
  ended = false;
  #address: MemberAddress | undefined;

  constructor(nodeId: number, member: ConformanceMember) {
    this.nodeId = nodeId;
    this.member = member;
  }

  get address(): MemberAddress {
    assert.ok(this.#address !== undefined, "this member has not joined");
    return this.#address;
  }

  async join(group: string): Promise<void> {
    this.#address = await this.member.join(group);
    await this.refresh();
  }

  async refresh(): Promise<void> {
    if (!this.ended) this.events.push(...await this.member.events(this.events.length));
  }

  messages(label = ""): MessageEvent[] {
    return this.events.filter((event) => event.kind === "message").filter((event) => event.text.startsWith(label));
  }

  texts(label = ""): string[] {
    return this.messages(label).map((message) => message.text);
  }

  changes(): ChangeEvent[] {
    return this.events.filter((event) => event.kind === "change");
  }

  rings(): RingEvent[] {
    return this.events.filter((event) => event.kind === "ring");
  }

  /** Node ids of the present members, ascending, one for each member. */
  memberNodes(): string {
    return (this.changes().at(-1)?.members ?? []).map((member) => member.nodeId).sort((a, b) => a - b).join(" ");
  }

  /** Node ids of the present ring, ascending. */
  ringNodes(): string {
    return [...this.rings().at(-1)?.nodes ?? []].sort((a, b) => a - b).join(" ");
  }

  toString(): string {
    const shown = this.events.slice(-25).map((event) => JSON.stringify(event, (_, value: unknown) => typeof value === "bigint" ? String(value) : value));
    return [`member on node ${String(this.nodeId)}, ${String(this.events.length)} events, the last of them:`, ...shown].join("\n  ");
  }
}

export class Scene {
  readonly bed: ConformanceBed;
  readonly group = `conformance-${randomUUID()}`;
  readonly #actors: Actor[] = [];
  readonly #frozen = new Set<Actor>();
  readonly #killedNodes = new Set<number>();

  constructor(bed: ConformanceBed) {
    this.bed = bed;
  }

  /** The nth configured node, from 0. */
  node(index: number): number {
    const nodeId = this.bed.nodes[index];
    assert.ok(nodeId !== undefined, `the bed has ${String(this.bed.nodes.length)} nodes; three are needed`);
    return nodeId;
  }

  async open(nodeId: number): Promise<Actor> {
    const actor = new Actor(nodeId, await this.bed.open(nodeId));
    this.#actors.push(actor);
    return actor;
  }

  async join(nodeId: number, group = this.group): Promise<Actor> {
    const actor = await this.open(nodeId);
    await this.within(actor.join(group), `join() on node ${String(nodeId)} to resolve`);
    return actor;
  }

  /** A member on each of the first three nodes, each knowing of all. */
  async joinThree(): Promise<readonly [Actor, Actor, Actor]> {
    const actors = [await this.join(this.node(0)), await this.join(this.node(1)), await this.join(this.node(2))] as const;
    await this.until("all members to know of each other, and of a ring", () => actors.every((actor) => (actor.changes().at(-1)?.members.length ?? 0) === 3 && actor.rings().length > 0));
    return actors;
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    const deadline = performance.now() + (this.bed.timeoutMs ?? defaultTimeoutMs);
    for (;;) {
      await Promise.all(this.#actors.filter((actor) => !this.#frozen.has(actor)).map(async (actor) => actor.refresh()));
      if (condition()) return;
      if (performance.now() > deadline) assert.fail(`Waited in vain for ${what}.\n${this.#actors.map(String).join("\n")}`);
      await new Promise((resolve) => { setTimeout(resolve, lookAgainAfterMs); });
    }
  }

  async within<T>(promise: Promise<T>, what: string): Promise<T> {
    const timeoutMs = this.bed.timeoutMs ?? defaultTimeoutMs;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => { reject(new Error(`Waited ${String(timeoutMs)} ms in vain for ${what}.\n${this.#actors.map(String).join("\n")}`)); }, timeoutMs);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The promise must reject with a LockstepError of one of these codes, which says something. */
  async refused(promise: Promise<unknown>, codes: readonly ErrorCode[], what: string): Promise<void> {
    const result: unknown = await this.within(promise.then(() => "not at all", (error: unknown) => error), what);
    assert.ok(isLockstepError(result), `${what} was refused ${result instanceof Error ? `with ${result.name}: ${result.message}` : JSON.stringify(result)}, not with a LockstepError`);
    assert.ok(codes.includes(result.code), `${what} was refused with ${result.code} ("${result.message}"), not with ${codes.join(" or ")}`);
    assert.ok(result.message.length > 10, `${what} was refused without saying why`);
  }

  async killProcess(actor: Actor): Promise<void> {
    assert.ok(this.bed.processes !== undefined);
    await actor.refresh();
    actor.ended = true;
    await this.bed.processes.kill(actor.member);
  }

  async freeze(actor: Actor): Promise<void> {
    this.#frozen.add(actor);
    await this.bed.processes?.freeze(actor.member);
  }

  async thaw(actor: Actor): Promise<void> {
    await this.bed.processes?.thaw(actor.member);
    this.#frozen.delete(actor);
  }

  async killNode(nodeId: number): Promise<void> {
    this.#killedNodes.add(nodeId);
    await this.bed.nodeFaults?.kill(nodeId);
  }

  async startNode(nodeId: number): Promise<void> {
    await this.bed.nodeFaults?.start(nodeId);
    this.#killedNodes.delete(nodeId);
  }

  /** Mends and closes everything, then reports what no transport may do. */
  async end(): Promise<void> {
    await this.#mend();
    await this.#close();
    const seen = await this.#violations();
    await this.#dispose();
    assert.deepEqual(seen, [], "The listener saw what no transport may do");
  }

  /** Ends what is left of a case that failed; whatever goes wrong now is a consequence of that. Returns the violations that can still be known. */
  async abandon(): Promise<readonly string[]> {
    await this.#mend().catch(() => undefined);
    await this.#close().catch(() => undefined);
    const seen = await this.within(this.#violations(), "the violations").catch(() => []);
    await this.#dispose();
    return seen;
  }

  async #close(): Promise<void> {
    await this.within(Promise.all(this.#actors.map(async (actor) => actor.member.close())), "close() of all members to resolve");
  }

  async #violations(): Promise<string[]> {
    const seen = await Promise.all(this.#actors.map(async (actor) => {
      const violations = actor.ended ? [] : await actor.member.violations();
      return violations.map((violation) => `on node ${String(actor.nodeId)}: ${violation}`);
    }));
    return seen.flat();
  }

  async #dispose(): Promise<void> {
    await Promise.allSettled(this.#actors.map(async (actor) => actor.member.dispose()));
  }

  async #mend(): Promise<void> {
    for (const actor of this.#frozen) await this.thaw(actor);
    for (const nodeId of this.#killedNodes) await this.startNode(nodeId);
    await this.bed.network?.heal();
  }
}
