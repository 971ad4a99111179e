/**
 * Who cannot go on, whatever the others do, of those that a search for a deadlock has come to. With modes each holder in the way has
 * to let go; of permits it is enough that some do, so that a circle of waiting alone is no deadlock yet.
 *
 * Everybody is taken to be stuck at first. Whose requests can all be granted when those who are not stuck give back what they have is
 * not stuck either; and so on, until nothing changes.
 */
import type { Lock, Share } from "./lock.js";
import { compatible, lockModes, type LockMode } from "./modes.js";
import { queuePart, type RequestRow, type Waiter } from "./state.js";
import { partOf, shareOf } from "./queue.js";
import type { Turn } from "./turn.js";

export interface Waiting {
  readonly session: number;
  readonly row: RequestRow;
}

export class Stuck {
  readonly #turn: Turn;
  readonly #requests: Map<number, Waiting>;
  readonly #locks: ReadonlySet<string>;
  #parties = new Set<string>();

  /** @param waiting All that wait of every party that one of them depends on. */
  constructor(turn: Turn, waiting: Iterable<Waiting>) {
    this.#turn = turn;
    this.#requests = new Map(Array.from(waiting, (each) => [each.row.seq, each]));
    this.#locks = new Set(Array.from(this.#requests.values()).flatMap(({ row }) => row.wants.filter((want) => partOf(row, shareOf(want)) !== queuePart.place).map(({ lock }) => lock)));
    this.#noteParties();
    while (this.#release());
  }

  has(seq: number): boolean {
    return this.#requests.has(seq);
  }

  hasParty(session: number, owner: string | null): boolean {
    return this.#parties.has(keyOf(session, owner));
  }

  #noteParties(): void {
    this.#parties = new Set(Array.from(this.#requests.values(), ({ session, row }) => keyOf(session, row.owner)));
  }

  /** @returns whether somebody is not stuck who seemed to be. */
  #release(): boolean {
    const held = new Set<number>();
    for (const name of this.#locks) this.#goThrough(this.#turn.usedLock(name), held);
    const before = this.#requests.size;
    for (const seq of this.#requests.keys()) if (!held.has(seq)) this.#requests.delete(seq);
    this.#noteParties();
    return this.#requests.size < before;
  }

  /** Through a queue, with what the stuck ones keep of the lock. `held`: gets those that cannot be granted this lock. */
  #goThrough(lock: Lock, held: Set<number>): void {
    const kept = new Kept(lock.limit);
    for (const holder of lock.holders()) if (this.#isStuck(holder)) kept.add(holder, 1);
    let behindStuck = false;
    for (const [[, , seq], waiter] of this.#turn.draft.queue.entries({ from: [lock.number, queuePart.conversion, 0], before: [lock.number, queuePart.place, 0] })) {
      const waiting = this.#requests.get(seq);
      const own = waiting === undefined ? undefined : this.#converted(lock, waiting);
      if (own !== undefined) kept.add(own, -1);
      if (behindStuck || !kept.admits(waiter)) held.add(seq);
      if (own !== undefined) kept.add(own, 1);
      if (waiting !== undefined) behindStuck = true;
      if (this.hasParty(waiter.session, waiter.owner)) kept.add(waiter, 1);
    }
  }

  #isStuck({ session, request }: { readonly session: number; readonly request: string }): boolean {
    const row = this.#turn.request(session, request);
    return row !== undefined && this.hasParty(session, row.owner);
  }

  /** The grant that it converts does not stand in its way. */
  #converted(lock: Lock, { session, row }: Waiting): Share | undefined {
    if (row.converts === null) return undefined;
    const token = this.#turn.request(session, row.converts)?.token;
    return token === undefined ? undefined : lock.holder(token);
  }
}

/** What is kept of a lock, all together. */
class Kept {
  readonly #limit: number | null;
  readonly #byMode = new Map<LockMode, number>();
  #permits = 0;

  constructor(limit: number | null) {
    this.#limit = limit;
  }

  add({ mode, permits }: Share, times: 1 | -1): void {
    this.#permits += times * permits;
    if (mode !== null) this.#byMode.set(mode, (this.#byMode.get(mode) ?? 0) + times);
  }

  admits({ mode, permits }: Share | Waiter): boolean {
    if (mode === null) return this.#permits + permits <= (this.#limit ?? 0);
    return lockModes.every((other) => (this.#byMode.get(other) ?? 0) === 0 || compatible(other, mode));
  }
}

function keyOf(session: number, owner: string | null): string {
  return owner === null ? String(session) : `${session} ${owner}`;
}
