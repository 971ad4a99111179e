/**
 * One command at work: what it has read of locks, whom it has to look at again, and the events that it causes. Everything that
 * handlers share goes through it; finish() leaves the state whole.
 */
import type { Context, Draft } from "@lockstep/framework";
import type { EventOf } from "./events.js";
import { machineLimits } from "./inputs.js";
import { Lock } from "./lock.js";
import type { Account, LockState, RequestRow, SessionRow } from "./state.js";

/** Events are forgotten so many at a time: one by one would cost each command as much as the event itself. */
const eventsForgottenAtOnce = 256;

export class Turn {
  readonly draft: Draft<LockState>;
  readonly context: Context;
  readonly now: number;
  readonly #locks = new Map<string, Lock>();
  /** Locks whose queue may move. */
  readonly #stirred = new Set<Lock>();
  /** There may be a new first deadline. */
  deadlinesChanged = false;

  constructor(draft: Draft<LockState>, context: Context) {
    this.draft = draft;
    this.context = context;
    this.now = context.now;
  }

  // Sessions and requests.

  /** A session that is not over, whether or not what follows from its end has been done. */
  session(id: string): SessionRow | undefined {
    const row = this.draft.sessions.get(id);
    return row === undefined || isOver(this.draft, row, this.now) ? undefined : row;
  }

  /** Sessions are over that have not been ended yet: only while there is more work than one entry does. */
  get someUnended(): boolean {
    const { backlog, lostReplicas, expiries } = this.draft;
    return backlog && (lostReplicas.length > 0 || (expiries.first()?.[0][0] ?? Number.POSITIVE_INFINITY) <= this.now);
  }

  request(session: number, request: string): RequestRow | undefined {
    return this.draft.requests.get([session, request]) as RequestRow | undefined;
  }

  write(session: number, request: string, row: RequestRow): void {
    this.draft.requests.set([session, request], row);
  }

  account(session: number): Account {
    return (this.draft.requests.get([session, 0]) as Account | undefined) ?? emptyAccount;
  }

  writeAccount(session: number, account: Account): void {
    this.draft.requests.set([session, 0], account);
  }

  // Locks.

  /** The lock, if there is one. */
  lock(name: string): Lock | undefined {
    const known = this.#locks.get(name);
    if (known !== undefined) return known;
    const row = this.draft.locks.get(name);
    return row === undefined ? undefined : this.#keep(new Lock(this.draft, name, row, null));
  }

  /** One that must be there, because somebody holds or awaits it. */
  usedLock(name: string): Lock {
    const lock = this.lock(name);
    if (lock === undefined) throw new Error(`the lock ${name} is used, and not there`);
    return lock;
  }

  makeLock(name: string, limit: number | null): Lock {
    return this.#keep(new Lock(this.draft, name, undefined, limit));
  }

  #keep(lock: Lock): Lock {
    this.#locks.set(lock.name, lock);
    return lock;
  }

  /** Somebody may get it now who could not before. */
  stir(lock: Lock): void {
    if (lock.waiting > 0) this.#stirred.add(lock);
  }

  nextStirred(): Lock | undefined {
    for (const lock of this.#stirred) {
      this.#stirred.delete(lock);
      return lock;
    }
    return undefined;
  }

  // Events.

  /** @returns its revision. */
  emit(event: EventOf): number {
    const { draft, context } = this;
    const revision = draft.revision + 1;
    draft.revision = revision;
    draft.events.set(revision, { revision, position: context.position, at: context.now, ...event });
    if (revision % eventsForgottenAtOnce === 0) draft.events.deleteBefore(revision - machineLimits.events + 1);
    return revision;
  }

  /** Writes what has changed. Handlers call it last. */
  finish(): void {
    for (const lock of this.#locks.values()) lock.write(this.now);
    if (!this.deadlinesChanged) return;
    const due = firstDue(this.draft);
    if (due !== undefined) wakeAt(this.draft, due, this.context);
  }
}

/** When something is due next. */
export function firstDue({ expiries, deadlines }: Pick<LockState, "expiries" | "deadlines">): number | undefined {
  const session = expiries.first()?.[0][0];
  const other = deadlines.first()?.[0][0];
  return session === undefined || other === undefined ? (session ?? other) : Math.min(session, other);
}

/** A timer that waits for something that is gone does no harm: it fires, finds nothing, and waits for the next. */
export function wakeAt(draft: Draft<LockState>, at: number, context: Context): void {
  if (draft.timerId !== null) {
    if (draft.timerAt <= at) return;
    context.cancel(draft.timerId);
  }
  draft.timerId = context.schedule(at, "expireDue");
  draft.timerAt = at;
}

const emptyAccount: Account = Object.freeze({ live: 0, answered: 0, forgotten: 0 });

/** Its deadline has come, or its replica process has gone. */
export function isOver(state: Pick<LockState, "lostReplicas">, { deadline, boundTo }: SessionRow, now: number): boolean {
  return (deadline !== null && deadline <= now) || (boundTo !== null && state.lostReplicas.includes(boundTo));
}
