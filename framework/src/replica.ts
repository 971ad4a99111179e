/** A replica: what an application holds of its machine in a group, put together from the parts. */
import { LockstepError, invariant, isLockstepError } from "./errors.js";
import { ClusterClock } from "./apply/cluster-clock.js";
import { EventLog, type EventOptions } from "./apply/event-log.js";
import { FaultLog } from "./apply/fault-log.js";
import type { AppliedEntry } from "./apply/types.js";
import type { ReplicaParts } from "./container.js";
import { formatBallot, highestBallot } from "./core/ballot.js";
import type { Phase } from "./core/events.js";
import { GroupConnection } from "./group-connection.js";
import { diskOf, inspectCore, positionsOf } from "./inspection.js";
import { Persistence } from "./log/persistence.js";
import { recoverWhole } from "./log/recovery.js";
import type { Store } from "./log/store.js";
import type { AnyCommand, AnyQuery, Machine } from "./machine/types.js";
import { planBackup, takeBackup, type BackupParts, type Captured } from "./operate/take-backup.js";
import { Rates, type Counts } from "./rates.js";
import { Readiness } from "./readiness.js";
import type { BackupOptions, BackupPlan, BackupResult, Inspection, Replica, ReplicaEvent, ReplicaRole, RunQuery, Submit } from "./replica-api.js";
import { Requests } from "./requests.js";
import { Roles, type RoleListener } from "./roles.js";
import type { Cancel } from "./scheduler.js";
import { Submissions } from "./submit/submissions.js";

/** A timer that the lowest active slot does not fire is fired by the next ones, this many ticks apart. */
const ticksPerRank = 10;

export class ReplicaNode<S, C extends Readonly<Record<string, AnyCommand<S>>>, Q extends Readonly<Record<string, AnyQuery<S>>>> implements Replica<S, C, Q> {
  readonly submit: Submit<C>;
  readonly query: RunQuery<Q>;
  readonly stopped: Promise<Error | undefined>;
  readonly #machine: Machine<S, C, Q>;
  readonly #group: string;
  readonly #slots: readonly number[];
  readonly #parts: ReplicaParts;
  readonly #submissions: Submissions;
  readonly #requests: Requests<S>;
  readonly #clock: ClusterClock;
  readonly #events: EventLog;
  readonly #connection: GroupConnection;
  readonly #store: Store | undefined;
  readonly #persistence: Persistence | undefined;
  readonly #roles: Roles;
  readonly #readiness: Readiness;
  readonly #rates = new Rates();
  readonly #faults: FaultLog;
  readonly #totals = { appliedEntries: 0, appliedCommands: 0 };
  #cancelTicks: Cancel | undefined;
  /** What the disk held, or the others gave, is not applied yet: the state is one of long ago, however well the log is. */
  #catchingUp = false;
  #stopping: Promise<Error | undefined> | undefined;
  #alsoClose: (() => Promise<void>) | undefined;
  #settleStopped!: (error: Error | undefined) => void;

  constructor(machine: Machine<S, C, Q>, group: string, slots: readonly number[], parts: ReplicaParts, store: Store | undefined) {
    this.#machine = machine;
    this.#group = group;
    this.#slots = slots;
    this.#parts = parts;
    this.#clock = new ClusterClock(parts.clock);
    this.#submissions = new Submissions(parts.limits, (n) => this.#connection.membership?.abandon(n));
    this.#events = new EventLog(parts.limits);
    this.#faults = new FaultLog(parts.logger, () => parts.clock.monotonicMs());
    const { applier, limits, logger, scheduler } = parts;
    this.#roles = new Roles(logger);
    this.#readiness = new Readiness({ scheduler, isReady: () => this.#isUpToDate(), role: () => this.#roles.now });
    this.#store = store;
    if (store !== undefined) {
      this.#persistence = new Persistence({
        store, applier, limits, logger, scheduler, tellCore: (event) => this.#connection.tellCore(event), failed: (error) => this.#fail(error),
      });
    }
    this.#connection = new GroupConnection({
      parts, group, slots, machine, submissions: this.#submissions, clock: this.#clock, persistence: this.#persistence,
      phaseChanged: (phase, reason) => this.#phaseChanged(phase, reason),
      applied: (entry, bytes) => this.#applied(entry, bytes),
      stateReplaced: (position) => this.#events.skipTo(position),
      lost: (cause) => this.#lost(cause),
      failed: (error) => this.#fail(error),
    });
    this.stopped = new Promise((resolve) => { this.#settleStopped = resolve; });
    this.#requests = new Requests({
      state: () => this.state, submissions: this.#submissions, clock: parts.clock, limits,
      standing: () => ({ ...this.#roles.now, lineage: this.#connection.core?.lineage === true }),
      flush: () => this.#connection.membership?.scheduleFlush(),
    });
    this.submit = this.#requests.makeSubmit(machine.commands);
    this.query = this.#requests.makeQuery(machine.queries);
  }

  get state(): S {
    return this.#parts.applier.state as S;
  }

  get role(): ReplicaRole {
    return this.#roles.now.role;
  }

  async start(): Promise<void> {
    try {
      await this.#recover();
      if (this.#stopping === undefined) await this.#connection.open();
    } catch (error) {
      await this.#end(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
    if (this.#stopping !== undefined) {
      const error = await this.stopped;
      if (error !== undefined) throw error;
    }
    this.#cancelTicks ??= this.#parts.scheduler.every(this.#parts.limits.tickMs, () => this.#tick());
    if ((this.#connection.core?.rivals.size ?? 0) > 0) await this.#slotSettled();
  }

  /** What the disk holds becomes the state and the log to begin with. */
  async #recover(): Promise<void> {
    const recovered = this.#store?.recover();
    if (recovered === undefined) return;
    const { applier, logger } = this.#parts;
    const core = await recoverWhole(recovered, this.#parts);
    this.#events.skipTo(this.#parts.applier.position);
    this.#connection.begin(core);
    this.#catchingUp = true;
    if (applier.now !== undefined) this.#clock.observe(applier.now);
    logger.info({ position: recovered.base.position, ballot: formatBallot(recovered.head.ballot) }, "state and log were read from the disk");
  }

  /** Another process of this node is, or was, a member: whether this one may stay is known with the first decision. */
  async #slotSettled(): Promise<void> {
    let stopListening: (() => void) | undefined;
    const settled = new Promise<void>((resolve) => {
      stopListening = this.onRoleChange((role) => { if (role === "active" || role === "minority" || role === "synchronising") resolve(); });
    });
    const error = await Promise.race([settled, this.stopped]);
    stopListening?.();
    if (error !== undefined) throw error;
  }

  // What the connection reports.

  #lost(cause: Error): void {
    const { applier } = this.#parts;
    this.#submissions.loseSent((requestId) => applier.answered(requestId), "contact with the group was lost after the command was sent. Retry with the same request id to learn its outcome");
    this.#setRole("joining", `the group was lost: ${cause.message}`);
  }

  #phaseChanged(phase: Phase, reason: string | undefined): void {
    if (phase === "stopped") return; // followed by failed()
    if (phase === "minority") {
      this.#submissions.giveUpSent("this replica lost its quorum after the command was sent: it may have taken effect, or may still. Retry with the same request id to learn it");
      this.#submissions.refuseUnsent(new LockstepError("NOT_PRIMARY", `this replica is not in a primary view: ${reason ?? "no quorum"}`));
    }
    this.#catchingUp ||= phase === "synchronising";
    if (phase === "active") this.#isActive();
    else this.#setRole(phase, reason);
  }

  /** Not before a state of the past has caught up: who asked would wait for all of a long log, and who reads would see the group's first days. */
  #isActive(): void {
    this.#catchingUp &&= !this.#hasViewsState();
    if (this.#catchingUp) this.#setRole("synchronising", "the log is being applied, up to where this view began");
    else this.#setRole("active", undefined);
  }

  #setRole(role: ReplicaRole, reason: string | undefined): void {
    this.#roles.change(role, reason);
    this.#readiness.changed();
  }

  #applied(entry: AppliedEntry, bytes: Uint8Array): void {
    this.#totals.appliedEntries++;
    this.#totals.appliedCommands += entry.commands.length + entry.fired.length;
    this.#events.append(entry, bytes);
    this.#faults.applied(entry);
    if (this.#catchingUp && this.#connection.core?.phase === "active" && this.role === "synchronising") this.#isActive();
    this.#readiness.changed();
  }

  #isUpToDate(): boolean {
    return this.role === "active" && this.#hasViewsState();
  }

  /** The state that the view began with: after a restart on a disk that is more than what is known to be committed at first. */
  #hasViewsState(): boolean {
    return this.#parts.applier.position >= (this.#connection.core?.view?.target.position ?? 0);
  }

  #tick(): void {
    this.#submissions.expire(this.#parts.clock.monotonicMs());
    this.#rates.sample(this.#parts.clock.monotonicMs(), this.#counts());
    this.#connection.tick();
    this.#fireTimers();
  }

  /** When no entry comes to fire a timer that is due, the lowest active slot sends one, and after a while the next. */
  #fireTimers(): void {
    const { membership } = this.#connection;
    const due = this.#parts.applier.nextTimerAt;
    const time = this.#clock.now();
    if (membership === undefined || due === undefined || time === undefined || this.role !== "active") return;
    const { core } = membership;
    const rank = Array.from(core.acks.keys()).filter((slot) => slot < core.config.slot).length;
    if (time >= due + rank * ticksPerRank * this.#parts.limits.tickMs) membership.proposeTick();
  }

  // What the application asks for.

  ready(options: { signal?: AbortSignal; timeoutMs?: number } = {}): Promise<void> {
    return this.#readiness.wait(options);
  }

  events(options: EventOptions = {}): AsyncIterableIterator<ReplicaEvent> {
    return this.#events.follow(options);
  }

  onRoleChange(listener: RoleListener): () => void {
    return this.#roles.listen(listener);
  }

  inspect(): Inspection {
    const { core, membership, totals } = this.#connection;
    const { commands, bytes } = this.#submissions;
    return {
      ...inspectCore(core), group: this.#group, ...this.#roles.now, slots: this.#slots,
      positions: { ...positionsOf(core), applied: this.#parts.applier.position },
      disk: diskOf(core, this.#persistence),
      queue: { commands, bytes, inFlightBatches: membership?.inFlightBatches ?? 0 },
      rates: this.#rates.now(this.#parts.clock.monotonicMs(), this.#counts()),
      totals: { submitted: this.#requests.submitted, ...this.#totals, ...totals },
      now: this.#clock.now(),
      operations: this.#parts.applier.operations,
    };
  }

  #counts(): Counts {
    return { submitted: this.#requests.submitted, appliedCommands: this.#totals.appliedCommands };
  }

  // What operators ask for.

  backup(path: string, options: BackupOptions): Promise<BackupResult> {
    return takeBackup(this.#backupParts(), path, options);
  }

  /** What backup() would do. @throws LockstepError OPERATION_REFUSED, BACKUP_FAILED, NOT_READY, NOT_PRIMARY, STOPPED. */
  async planBackup(path: string): Promise<BackupPlan> {
    const refusal = this.#requests.refusal();
    if (refusal !== undefined) throw refusal;
    return planBackup(this.#backupParts(), path);
  }

  #backupParts(): BackupParts {
    const { limits, clock } = this.#parts;
    return {
      slot: this.#connection.core?.config.slot ?? 0, sliceBytes: limits.snapshotSliceBytes, wallMs: () => clock.wallMs(),
      submit: ({ name, input }) => this.#requests.enqueue(name, { value: input }, {}),
      capture: () => this.#capture(),
    };
  }

  #capture(): Captured {
    const { applier, policy } = this.#parts;
    const { core } = this.#connection;
    const hash = core?.log.hashAt(applier.position);
    invariant(core !== undefined && hash !== undefined, "the log reaches back to what is applied");
    const { name, version } = this.#machine;
    return {
      header: {
        group: this.#group, slot: core.config.slot, slots: this.#slots, policy: policy.name, machine: { name, version },
        point: { position: applier.position, hash }, ballot: highestBallot([core.ballot, core.promised]), now: applier.now ?? 0,
      },
      source: applier.capture(),
    };
  }

  /** Something that ends with this replica, before its disk is given up. */
  alsoClose(close: () => Promise<void>): void {
    this.#alsoClose = close;
  }

  // The end.

  async stop(): Promise<void> {
    const trouble = await this.#end(undefined);
    if (trouble !== undefined) throw trouble;
  }

  #fail(error: Error): void {
    this.#parts.logger.error({ error: error.message, code: isLockstepError(error) ? error.code : undefined }, "the replica stops");
    void this.#end(error);
  }

  #end(error: Error | undefined): Promise<Error | undefined> {
    this.#stopping ??= this.#shutDown(error);
    return this.#stopping;
  }

  /** What cannot be ended in order does not keep the rest from ending. Resolves with the first such trouble. */
  async #shutDown(error: Error | undefined): Promise<Error | undefined> {
    this.#cancelTicks?.();
    const disconnected = this.#connection.close();
    this.#submissions.loseSent(() => undefined, "the replica was stopped after the command was sent");
    this.#submissions.refuseUnsent(new LockstepError("STOPPED", `the replica was stopped${error === undefined ? "" : `: ${error.message}`}`));
    this.#events.close(error);
    this.#setRole("stopped", error?.message);
    let trouble: Error | undefined;
    for (const ended of [() => disconnected, () => this.#alsoClose?.(), () => this.#persistence?.close()]) {
      try {
        await ended();
      } catch (thrown) {
        this.#parts.logger.error({ error: String(thrown) }, "the replica could not be stopped in order");
        trouble ??= thrown instanceof Error ? thrown : new Error(String(thrown));
      }
    }
    this.#settleStopped(error);
    return trouble;
  }
}
