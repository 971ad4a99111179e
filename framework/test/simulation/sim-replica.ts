/**
 * A replica without time, bytes or promises: the real core, log and transfers, a list for a machine, and a queue in the
 * place of a transport. It does what membership.ts does, in the same order; what it decides, the core has decided.
 */
import { isLockstepError, LockstepError } from "../../src/errors.js";
import { encodeCommands, encodeMembers } from "../../src/codec/entry-codec.js";
import type { CoreEvent, Effect } from "../../src/core/events.js";
import type { Message } from "../../src/core/messages.js";
import { canPropose, inFlight } from "../../src/core/replicate.js";
import { initialCore, recoveredCore, resumedCore, type CoreConfig, type CoreState } from "../../src/core/state.js";
import { step } from "../../src/core/step.js";
import type { ReplicaIdentity } from "../../src/log/entry.js";
import type { EntryRecord } from "../../src/log/log.js";
import { MembersNotice } from "../../src/submit/members-notice.js";
import { Transfers } from "../../src/sync/transfers.js";
import type { MemberAddress } from "../../src/transport/group-transport.js";
import type { Heard } from "../../src/testing/group-model.js";
import type { SimDisk, SimSnapshot } from "./sim-disk.js";
import type { QuorumNews } from "./sim-votequorum.js";
import { isMembersEntry, ListApplier } from "./list-applier.js";

/** How an entry of this replica ended. */
export type Ending = "answered" | "unknown" | "withdrawn" | "abandoned";

/** Told of everything that matters to a checker, as it happens. */
export interface Observer {
  effect(replica: SimReplica, effect: Effect): void;
  applied(replica: SimReplica, position: number, hash: string, record: EntryRecord, took: boolean): void;
  ended(replica: SimReplica, n: number, ending: Ending): void;
  stepped(replica: SimReplica, event: CoreEvent): void;
}

export interface SimLimits {
  readonly inFlightBatches: number;
  readonly snapshotSliceBytes: number;
  readonly incrementalBytes: number;
  readonly inFlightChunks: number;
}

const silentLogger = { info: () => undefined, warn: () => undefined, error: () => undefined, debug: () => undefined };

export class SimReplica {
  readonly address: MemberAddress;
  readonly applier: ListApplier;
  readonly inbox: Heard<Message>[] = [];
  readonly #multicast: (message: Message) => void;
  readonly #observer: Observer;
  readonly #limits: SimLimits;
  core: CoreState;
  #transfers: Transfers;
  #outbox: Message[] = [];
  #events: CoreEvent[] = [];
  #running = false;
  #lastN = 0;
  readonly #membersNotice: MembersNotice;
  /** The transport takes nothing at the moment. */
  busy = false;
  frozen = false;
  /** Out of the group: its daemon is gone. */
  closed = false;
  stopped: LockstepError | undefined;
  /** An acknowledgement is due after a while. */
  owesAck = false;
  /** votequorum's news of rings, which may trail the rings themselves, or come before them. */
  readonly news: QuorumNews[] = [];
  /** Commands that wait to be sent. */
  queued: string[] = [];
  /** n of entries sent and awaited. */
  readonly awaited = new Set<number>();
  nowMs = 0;
  readonly disk: SimDisk | undefined;
  #writing: Extract<Effect, { type: "persist" }> | undefined;
  #snapshot: SimSnapshot | undefined;

  constructor(address: MemberAddress, config: CoreConfig, limits: SimLimits, observer: Observer, multicast: (message: Message) => void, previous?: SimReplica, disk?: SimDisk) {
    this.address = address;
    this.#multicast = multicast;
    this.#observer = observer;
    this.#limits = limits;
    this.applier = previous?.applier ?? new ListApplier();
    this.disk = disk;
    this.#membersNotice = new MembersNotice(config.silenceTimeoutMs);
    this.core = previous === undefined ? this.#firstCore(config) : resumedCore(config, previous.core);
    this.nowMs = previous?.nowMs ?? 0;
    this.core.nowMs = this.nowMs;
    this.#transfers = new Transfers({
      log: this.core.log, applier: this.applier, limits, incarnation: config.incarnation, logger: silentLogger, totals: { transferBytesGiven: 0, transferBytesTaken: 0 },
      entriesBetween: (from, to) => this.disk?.entriesBetween(from, to),
      send: (message) => this.#send(message),
      blocked: () => this.busy,
      tellCore: (event) => this.dispatch(event),
    });
  }

  #firstCore(config: CoreConfig): CoreState {
    const recovered = this.disk?.recover();
    if (recovered === undefined) return initialCore(config);
    const sink = this.applier.receive();
    for (const slice of recovered.snapshot ?? []) sink.write(slice);
    if (recovered.snapshot !== undefined) this.applier.restore(sink.finish());
    return recoveredCore(config, recovered);
  }

  /** The disk takes what waits for it. False if nothing does, or it takes nothing. */
  writeDown(): boolean {
    const { disk } = this;
    if (disk === undefined || disk.stuck === "all" || this.stopped !== undefined) return false;
    const [writing, snapshot] = [this.#writing, disk.stuck === "snapshots" ? undefined : this.#snapshot];
    if (writing === undefined && snapshot === undefined) return false;
    this.#writing = undefined;
    if (snapshot !== undefined) this.#snapshot = undefined;
    if (snapshot !== undefined) {
      disk.finish(snapshot);
      this.dispatch({ type: "snapshotStored", point: snapshot.point });
    }
    if (writing !== undefined) {
      disk.write(writing.write);
      this.dispatch({ type: "persisted", token: writing.token });
    }
    this.flush();
    return true;
  }

  get slot(): number {
    return this.core.config.slot;
  }

  get name(): string {
    return `${this.slot}:${this.core.config.incarnation.slice(-3)}`;
  }

  /** Takes in the next things heard, as one dispatch of the transport. */
  hear(count: number): void {
    let taken = 0;
    for (; taken < count && this.inbox.length > 0 && this.stopped === undefined; taken++) {
      const heard = this.inbox.shift() as Heard<Message>;
      if (heard.kind === "closed") {
        this.closed = true;
        this.loseAwaited();
        return;
      }
      this.#take(heard);
    }
    if (taken === 0) return;
    this.flush();
    this.dispatch({ type: "drained" });
  }

  #take(heard: Exclude<Heard<Message>, { kind: "closed" }>): void {
    if (heard.kind === "configuration") return this.dispatch({ type: "configuration", change: heard.change });
    if (heard.kind === "ring") {
      return this.dispatch({ type: "ring", ring: heard.ring, nodes: heard.nodes });
    }
    const { sender, message } = heard;
    this.dispatch({ type: "message", sender, message });
    if (message.type !== "chunk") return;
    const fromSelf = sender.nodeId === this.slot && sender.pid === this.core.self?.pid;
    this.#transfers.delivered(fromSelf, message.to === this.slot, message);
  }

  /** votequorum speaks, if it has something to say. */
  hearNews(): void {
    const next = this.news.shift();
    if (next === undefined) return;
    this.dispatch(next);
    this.flush();
  }

  tick(byMs: number): void {
    this.nowMs += byMs;
    this.dispatch({ type: "tick", nowMs: this.nowMs });
    if (canPropose(this.core)) this.#membersNotice.tick(this.nowMs);
    this.flush();
  }

  writable(): void {
    this.busy = false;
    for (const message of this.#outbox.splice(0)) this.#multicast(message);
    this.#transfers.pump();
    this.flush();
  }

  /** The while is over. */
  acknowledge(): void {
    if (!this.owesAck) return;
    this.owesAck = false;
    this.dispatch({ type: "lateAcknowledgement" });
  }

  submit(command: string): void {
    this.queued.push(command);
    this.flush();
  }

  abandon(n: number): void {
    this.awaited.delete(n);
    this.#observer.ended(this, n, "abandoned");
    this.dispatch({ type: "abandon", n });
  }

  /** The process ends, or its daemon did: nobody will tell what became of what was sent. */
  loseAwaited(): void {
    for (const n of this.awaited) this.#observer.ended(this, n, "unknown");
    this.awaited.clear();
  }

  dispatch(event: CoreEvent): void {
    this.#events.push(event);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#events.shift(); next !== undefined && this.stopped === undefined; next = this.#events.shift()) {
        const { effects } = step(this.core, next);
        this.#observer.stepped(this, next);
        for (const effect of effects) {
          this.#observer.effect(this, effect);
          this.#perform(effect);
        }
      }
    } catch (error) {
      if (!isLockstepError(error)) throw error;
      this.stopped = error;
    } finally {
      this.#events = [];
      this.#running = false;
    }
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "multicast": return this.#send(effect.message);
      case "suspended":
        this.#outbox = this.#outbox.filter(({ type }) => type !== "batch" && type !== "ack" && type !== "chunk" && type !== "needSync");
        return this.#transfers.cancel();
      case "acknowledgeLater":
        this.owesAck = true;
        return;
      case "committed": return this.#apply(effect.through);
      case "proposeMembers":
        this.#membersNotice.send(effect.members);
        return;
      case "proposeEntry":
        if (this.core.log.end === this.core.committed && inFlight(this.core) === 0) this.queued.push("nothing");
        return;
      case "donate": return this.#transfers.donate(effect);
      case "stopDonating": return this.#transfers.stopDonating(effect.to);
      case "receiveTransfer": return this.#transfers.expect(effect);
      case "adoptState": return this.#adopt(effect.position);
      case "outcomesLost": return this.#end(effect.n, "unknown");
      case "withdrawn": return this.#end(effect.n, "withdrawn");
      case "stop":
        this.stopped = effect.error;
        return;
      case "viewInstalled":
        this.#membersNotice.viewInstalled(effect.members, this.slot, this.core.view?.target.position ?? 0, this.nowMs);
        return;
      case "persist":
        this.#writing = effect;
        return;
      case "storeSnapshot":
        this.#snapshot = { point: effect.point, slices: Array.from(iterate(this.applier.capture().slices(this.#limits.snapshotSliceBytes))) };
        return;
      case "phase": return;
      default: return effect satisfies never;
    }
  }

  #end(entries: readonly number[], ending: Ending): void {
    for (const n of entries) if (this.awaited.delete(n)) this.#observer.ended(this, n, ending);
  }

  #adopt(position: number): void {
    const staged = this.#transfers.takeStaged();
    if (staged === undefined || staged.position !== position) throw new LockstepError("INVARIANT_VIOLATED", `no staged state of position ${position}`);
    this.applier.restore(staged);
  }

  #apply(through: number): void {
    while (this.applier.position < through) {
      const position = this.applier.position + 1;
      const entry = this.core.log.at(position);
      if (entry === undefined) throw new LockstepError("INVARIANT_VIOLATED", `position ${position} is committed and not in the log`);
      const { record, hash } = entry;
      const took = this.applier.apply(position, hash, record);
      if (isMembersEntry(record)) this.#membersNotice.applied(position);
      this.#observer.applied(this, position, hash, record, took);
      if (took && record.incarnation === this.core.config.incarnation && this.awaited.delete(record.n)) this.#observer.ended(this, record.n, "answered");
    }
    this.dispatch({ type: "applied", position: this.applier.position });
  }

  #send(message: Message): void {
    if (this.busy) this.#outbox.push(message);
    else this.#multicast(message);
  }

  /** Sends what waits, as far as the window allows. */
  flush(): void {
    if (this.#running || this.stopped !== undefined || this.closed || !canPropose(this.core)) return;
    const members = this.#membersNotice.take();
    if (members !== undefined) {
      const record = encodeMembers(this.#header(), members);
      this.dispatch({ type: "propose", record });
      this.dispatch({ type: "abandon", n: record.n });
    }
    while (this.queued.length > 0 && inFlight(this.core) < this.#limits.inFlightBatches && canPropose(this.core)) {
      const record = encodeCommands(this.#header(), this.queued.splice(0, 3).map((command) => Buffer.from(command)));
      this.awaited.add(record.n);
      this.dispatch({ type: "propose", record });
    }
  }

  #header(): { origin: ReplicaIdentity; n: number; timeMs: number } {
    this.#lastN++;
    return { origin: { slot: this.slot, incarnation: this.core.config.incarnation }, n: this.#lastN, timeMs: 0 };
  }
}

export function namesOf(members: readonly ReplicaIdentity[]): string {
  return members.map(({ slot, incarnation }) => `${slot}/${incarnation}`).join();
}

function* iterate<T>(iterator: Iterator<T>): Generator<T> {
  for (let next = iterator.next(); next.done !== true; next = iterator.next()) yield next.value;
}
