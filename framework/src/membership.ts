/**
 * One incarnation of a replica in its group: transport events into the core, the core's effects out to everything else.
 *
 * It decides nothing. What is kept over a lost connection (log, applied state, queue of submissions) belongs to the
 * replica, and is lent to one membership after another.
 */
import { LockstepError, isLockstepError } from "./errors.js";
import { Backlog } from "./apply/backlog.js";
import type { ClusterClock } from "./apply/cluster-clock.js";
import type { DigestCheck } from "./apply/digest-check.js";
import type { AppliedEntry, Applier } from "./apply/types.js";
import { Reassembler } from "./codec/fragments.js";
import { decodeMessage } from "./codec/message-codec.js";
import { formatBallot } from "./core/ballot.js";
import type { CoreEvent, Effect, Phase } from "./core/events.js";
import { votesUnknown } from "./core/quorum-policy.js";
import { inFlight } from "./core/replicate.js";
import type { CoreState } from "./core/state.js";
import { step } from "./core/step.js";
import { largestMessageBytes, type Limits } from "./limits.js";
import type { Entry } from "./log/entry.js";
import type { LogEntry } from "./log/log.js";
import type { Persistence } from "./log/persistence.js";
import type { Logger } from "./logger.js";
import type { ProtocolObserver } from "./observer.js";
import type { Cancel, Scheduler } from "./scheduler.js";
import { Stillness } from "./stillness.js";
import { Outbox } from "./submit/outbox.js";
import { Proposer } from "./submit/proposer.js";
import type { Submissions } from "./submit/submissions.js";
import { Timekeeper } from "./submit/timekeeper.js";
import { Transfers, type TransferTotals } from "./sync/transfers.js";
import type { ConfigurationChange, Delivery, GroupTransport, RingId, VoteInfo } from "./transport/group-transport.js";

/** Since the replica was made, over all its memberships. */
export interface ConnectionTotals extends TransferTotals {
  viewChanges: number;
}

export interface MembershipParts {
  readonly core: CoreState;
  readonly transport: GroupTransport;
  readonly applier: Applier<unknown>;
  readonly submissions: Submissions;
  readonly clock: ClusterClock;
  readonly digestCheck: DigestCheck;
  /** Of a durable replica. */
  readonly persistence: Persistence | undefined;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly scheduler: Scheduler;
  readonly observer: ProtocolObserver;
  readonly totals: ConnectionTotals;
  readonly phaseChanged: (phase: Phase, reason: string | undefined) => void;
  readonly applied: (entry: AppliedEntry, bytes: Uint8Array) => void;
  /** A snapshot replaced the applied state. */
  readonly stateReplaced: (position: number) => void;
  /** The core stopped: this replica cannot go on. */
  readonly failed: (error: LockstepError) => void;
}

export class Membership {
  readonly #parts: MembershipParts;
  readonly #outbox: Outbox;
  readonly #transfers: Transfers;
  readonly #backlog: Backlog;
  readonly #reassembler: Reassembler;
  #events: CoreEvent[] = [];
  #running = false;
  #flushScheduled = false;
  readonly #timekeeper: Timekeeper;
  readonly #proposer: Proposer;
  readonly #stillness: Stillness;
  #cancelLateAck: Cancel | undefined;
  #open = true;

  constructor(parts: MembershipParts) {
    const { core, transport, applier, limits, logger, persistence } = parts;
    this.#parts = parts;
    this.#outbox = new Outbox(transport);
    this.#backlog = this.#makeBacklog(parts);
    this.#timekeeper = this.#makeTimekeeper(parts);
    this.#proposer = new Proposer({ ...parts, timekeeper: this.#timekeeper, tellCore: (event) => this.#dispatch(event) });
    this.#reassembler = new Reassembler(largestMessageBytes);
    this.#stillness = this.#makeStillness(parts);
    this.#transfers = new Transfers({
      log: core.log, applier, limits, logger, incarnation: core.config.incarnation, totals: parts.totals,
      entriesBetween: (from, to) => persistence?.entriesBetween(from, to),
      send: (message) => this.#outbox.send(message),
      blocked: () => this.#outbox.blocked,
      tellCore: (event) => this.#dispatch(event),
    });
  }

  /** The view may be over for all that is known here: nothing is answered, and whoever chooses a replica should choose another. */
  #makeStillness({ core, submissions, limits, logger, phaseChanged }: MembershipParts): Stillness {
    const { slot } = core.config;
    return new Stillness({
      isAwaited: () => core.phase === "active" && (inFlight(core) > 0 || submissions.pressing()),
      // As long as commits are waited for before states are exchanged again (core/watch.ts).
      patienceMs: 2 * limits.silenceTimeoutMs,
      began: () => {
        const why = "nothing comes from the group any more: Corosync's daemon on this node stands still, or its ring is being formed";
        logger.warn({ slot, inFlightBatches: inFlight(core) }, why);
        phaseChanged("changing", why);
      },
      ended: () => {
        logger.warn({ slot }, "something comes from the group again");
        // If what came has ended the view, the role is that of its end by now.
        if (this.#open && core.phase === "active") phaseChanged("active", undefined);
      },
    });
  }

  #makeTimekeeper({ core: { config: { slot, incarnation } }, clock, limits, submissions }: MembershipParts): Timekeeper {
    return new Timekeeper({
      clock, slot, incarnation, patienceMs: limits.silenceTimeoutMs, everyMs: limits.clockCheckMs,
      submitted: () => submissions.submitted, send: (message) => this.#outbox.send(message),
      exchangeAgain: (reason) => this.#dispatch({ type: "exchangeAgain", reason }),
    });
  }

  #makeBacklog({ core, applier, limits, logger, scheduler, clock }: MembershipParts): Backlog {
    const backlog = new Backlog({
      log: core.log, applier, limits, logger, scheduler, monotonicMs: () => clock.monotonicMs(),
      applied: (position, logged, entry, applied) => this.#applied(position, logged, entry, applied),
      sliceApplied: (position) => this.#dispatch({ type: "applied", position }),
      failed: (error) => this.fail(error),
    });
    backlog.resume(core.committed);
    return backlog;
  }

  get core(): CoreState {
    return this.#parts.core;
  }

  get inFlightBatches(): number {
    return inFlight(this.core);
  }

  /** No event is taken any more. */
  close(): void {
    this.#open = false;
    this.#timekeeper.viewEnded();
    this.#cancelLateAck?.();
    this.#backlog.close();
    this.#transfers.cancel();
    this.#outbox.clear();
  }

  // From the transport, in the group's order.

  /** Somebody waits for what is to be acknowledged: that goes out first, and what is committed is applied afterwards. */
  deliver(messages: readonly Delivery[]): void {
    this.#backlog.hold();
    for (const delivery of messages) this.#receive(delivery);
    this.flush();
    this.#dispatch({ type: "drained" });
    this.#stillness.heard();
  }

  configurationChanged(change: ConfigurationChange): void {
    this.#dispatch({ type: "configuration", change });
  }

  ringChanged(ring: RingId, nodes: readonly number[]): void {
    this.#dispatch({ type: "ring", ring, nodes });
  }

  quorumChanged(quorate: boolean, ring: RingId, info: VoteInfo | undefined): void {
    if (info === undefined) return this.#dispatch({ type: "quorum", ring, report: { ...votesUnknown, quorate } });
    const votes = Array.from(info.votes).sort(([a], [b]) => a - b);
    const { deviceVotes, quorum, twoNode, shrinks = false } = info;
    this.#dispatch({ type: "quorum", ring, report: { quorate, votes, deviceVotes, quorum, twoNode, shrinks } });
  }

  writable(): void {
    try {
      this.#outbox.flush();
      this.#transfers.pump();
    } catch (error) {
      this.fail(error);
    }
  }

  tick(nowMs: number): void {
    this.#dispatch({ type: "tick", nowMs });
    this.#proposer.tick(nowMs);
    this.#timekeeper.tick();
    if (this.#open) this.#stillness.tick(nowMs);
    this.flush();
  }

  /** Something was submitted: send it with all else that comes in this turn. */
  scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      this.flush();
    });
  }

  abandon(n: number): void {
    this.#dispatch({ type: "abandon", n });
  }

  stateDiffers(position: number): void {
    this.#dispatch({ type: "stateDiffers", position });
  }

  announceDigest(position: number, digest: string): void {
    if (this.#open) this.#outbox.send({ type: "digest", position, digest });
  }

  #receive({ sender, data }: Delivery): void {
    if (!this.#open) return;
    const { core, logger, digestCheck } = this.#parts;
    try {
      const whole = this.#reassembler.accept(sender, data);
      if (whole === undefined) return;
      const message = this.#timekeeper.incoming(sender.nodeId, decodeMessage(whole));
      if (message === undefined) return;
      const { slot } = core.config;
      if (message.type === "digest") return digestCheck.received(sender.nodeId, message.position, message.digest);
      if (message.type === "batch" && core.phase === "active") this.#backlog.arrived();
      this.#dispatch({ type: "message", sender, message });
      if (message.type === "chunk") this.#transfers.delivered(sender.nodeId === slot && sender.pid === core.self?.pid, message.to === slot, message);
    } catch (error) {
      if (!isLockstepError(error, "MALFORMED_MESSAGE")) return this.fail(error);
      // Every member sees the same bytes and ignores them alike.
      logger.warn({ sender, bytes: data.byteLength, error: error.message }, "a message that is not of this protocol was ignored");
    }
  }

  /** Events one after the other, also those that effects bring about. */
  #dispatch(event: CoreEvent): void {
    this.#events.push(event);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#events.shift(); next !== undefined && this.#open; next = this.#events.shift()) {
        const event = this.#upToDate(next);
        const { effects } = step(this.core, event);
        this.#parts.observer.stepped(this.core, event, effects);
        for (const effect of effects) {
          // The application may stop the replica when it hears of an effect: then the others are of no use any more.
          if (this.#open) this.#perform(effect);
        }
        if (event.type === "drained") this.#backlog.release();
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.#events = [];
      this.#running = false;
    }
  }

  /** Since it was told that something is applied, more may have been: a snapshot that the core asks for is of the state as it is. */
  #upToDate(event: CoreEvent): CoreEvent {
    return event.type === "applied" ? { type: "applied", position: this.#parts.applier.position } : event;
  }

  /** This replica cannot go on. */
  fail(error: unknown): void {
    this.#parts.failed(isLockstepError(error) ? error : new LockstepError("INVARIANT_VIOLATED", `the replica failed: ${String(error)}`, { cause: error }));
  }

  #perform(effect: Effect): void {
    const { submissions, applier } = this.#parts;
    switch (effect.type) {
      case "multicast": return this.#outbox.send(this.#timekeeper.outgoing(effect.message));
      case "suspended":
        this.#outbox.withdrawView();
        this.#reassembler.reset();
        this.#timekeeper.viewEnded();
        return this.#transfers.cancel();
      case "acknowledgeLater":
        this.#cancelLateAck ??= this.#parts.scheduler.after(this.#parts.limits.lateAckMs, () => {
          this.#cancelLateAck = undefined;
          this.#dispatch({ type: "lateAcknowledgement" });
        });
        return;
      case "committed": return this.#backlog.commit(effect.through);
      case "phase":
        this.#parts.phaseChanged(effect.phase, effect.reason);
        return this.scheduleFlush();
      case "viewInstalled": return this.#viewInstalled(effect);
      case "proposeMembers":
        this.#proposer.announce(effect.members);
        return this.scheduleFlush();
      case "proposeEntry": return this.#proposer.proposeTick();
      case "donate": return this.#transfers.donate(effect);
      case "stopDonating": return this.#transfers.stopDonating(effect.to);
      case "receiveTransfer": return this.#transfers.expect(effect);
      case "adoptState": return this.#adoptState(effect.position);
      case "persist": return this.#persistence().write(effect.token, effect.write);
      case "storeSnapshot": return this.#persistence().storeSnapshot(effect.point);
      case "outcomesLost":
        for (const n of effect.n) {
          submissions.lose(n, (requestId) => applier.answered(requestId), "this replica was brought up to date by a snapshot, which does not tell what became of the command. Retry with a request id to learn it");
        }
        return;
      case "withdrawn":
        for (const n of effect.n) submissions.withdraw(n);
        return;
      case "stop": return this.#parts.failed(effect.error);
      default: return effect satisfies never;
    }
  }

  #persistence(): Persistence {
    const { persistence } = this.#parts;
    if (persistence === undefined) throw new LockstepError("INVARIANT_VIOLATED", "a core that writes has a disk");
    return persistence;
  }

  /** News from the disk. */
  tellCore(event: CoreEvent): void {
    this.#dispatch(event);
  }

  #viewInstalled({ ballot, members, loud, time }: Extract<Effect, { type: "viewInstalled" }>): void {
    this.#parts.totals.viewChanges++;
    this.#timekeeper.viewInstalled(ballot, time);
    this.#proposer.viewInstalled(members);
    const fields = { ballot: formatBallot(ballot), slots: members.map((member) => member.slot) };
    if (loud === undefined) this.#parts.logger.info(fields, "a primary view was installed");
    else this.#parts.logger.warn({ ...fields, why: loud }, "a primary view was installed without a majority that remembers");
  }

  // Applying.

  #applied(position: number, logged: LogEntry, entry: Entry, applied: AppliedEntry): void {
    const { core, submissions, digestCheck, observer, persistence } = this.#parts;
    const isOwn = logged.record.incarnation === core.config.incarnation;
    if (entry.members !== undefined) this.#proposer.announced(position);
    this.#timekeeper.applied(applied.now, isOwn);
    if (isOwn && !applied.skipped) {
      submissions.answer(applied.n, applied.commands.map((command) => command.outcome));
    }
    observer.applied(core, position, logged, applied);
    this.#parts.applied(applied, logged.record.bytes);
    digestCheck.applied(applied);
    persistence?.applied(logged.record.bytes.byteLength, (at) => core.log.hashAt(at));
  }

  #adoptState(position: number): void {
    const restored = this.#transfers.takeStaged();
    if (restored === undefined || restored.position !== position) throw new LockstepError("INVARIANT_VIOLATED", `no staged state of position ${position}`);
    const { applier, clock, digestCheck } = this.#parts;
    applier.restore(restored);
    if (applier.now !== undefined) clock.observe(applier.now);
    digestCheck.reset();
    this.#parts.stateReplaced(position);
  }

  // Proposing.

  /** Sends what waits, as far as the window allows. */
  flush(): void {
    if (this.#open && !this.#running) this.#proposer.flush();
  }

  /** An entry for its time alone, which fires timers. */
  proposeTick(): void {
    if (this.#open) this.#proposer.proposeTick();
  }
}
