/**
 * One lock while a command works on it: its row, read once, and written once at the end if it has changed. Knows who may hold it
 * together; nothing of queues and turns.
 *
 * Few holders are kept in the row, which makes the lock that one has and nobody else wants cheap; many have rows of their own.
 */
import type { Draft } from "@lockstep/framework";
import { compatible, lockModes, type LockMode } from "./modes.js";
import type { Crowd, Holder, LockRow, LockState } from "./state.js";

/** Holders that the row takes; a crowd that has shrunk to half of it comes back. */
export const holdersInRow = 4;

/** What somebody has or wants of one lock. */
export interface Share {
  /** null: permits. */
  readonly mode: LockMode | null;
  readonly permits: number;
}

const nobody: readonly Holder[] = Object.freeze([]);

export class Lock {
  readonly name: string;
  readonly number: number;
  readonly #draft: Draft<LockState>;
  #limit: number | null;
  #holders: readonly Holder[];
  #crowd: Crowd | null;
  #waiting: number;
  #places: number;
  #valueBlock: LockRow["valueBlock"];
  #delayUntil: number;
  #toldFor: number;
  /** The row in the state is not this any more. */
  changed: boolean;

  constructor(draft: Draft<LockState>, name: string, row: LockRow | undefined, limit: number | null) {
    this.#draft = draft;
    this.name = name;
    this.changed = row === undefined;
    if (row === undefined) draft.lockCount++;
    this.number = row?.number ?? draft.lockCount;
    this.#limit = row === undefined ? limit : row.limit;
    this.#holders = row?.holders ?? nobody;
    this.#crowd = row?.crowd ?? null;
    this.#waiting = row?.waiting ?? 0;
    this.#places = row?.places ?? 0;
    this.#valueBlock = row?.valueBlock ?? null;
    this.#delayUntil = row?.delayUntil ?? 0;
    this.#toldFor = row?.toldFor ?? 0;
  }

  get limit(): number | null {
    return this.#limit;
  }

  /** Requests and conversions that others wait behind. */
  get waiting(): number {
    return this.#waiting;
  }

  get delayUntil(): number {
    return this.#delayUntil;
  }

  get valueBlock(): LockRow["valueBlock"] {
    return this.#valueBlock;
  }

  get toldFor(): number {
    return this.#toldFor;
  }

  get size(): number {
    return this.#crowd?.size ?? this.#holders.length;
  }

  /** Nobody holds or awaits it: it may become a lock of another kind. */
  get unused(): boolean {
    return this.size === 0 && this.#waiting === 0 && this.#places === 0;
  }

  become(limit: number | null): void {
    this.#limit = limit;
    this.#valueBlock = null;
    this.changed = true;
  }

  changeWaiting(by: number): void {
    this.#waiting += by;
    this.changed = true;
  }

  changePlaces(by: number): void {
    this.#places += by;
    this.changed = true;
  }

  writeValueBlock(data: string): void {
    this.#valueBlock = { data, valid: true };
    this.changed = true;
  }

  /** Who could write the value block is gone without a word. What was never written cannot be wrong. */
  invalidateValueBlock(): void {
    if (this.#valueBlock === null || !this.#valueBlock.valid) return;
    this.#valueBlock = { data: this.#valueBlock.data, valid: false };
    this.changed = true;
  }

  delay(until: number): void {
    this.#delayUntil = until;
    this.changed = true;
  }

  tellFor(seq: number): void {
    if (this.#toldFor === seq) return;
    this.#toldFor = seq;
    this.changed = true;
  }

  /** Whether this goes together with all holders, but for the one with this token: a conversion does not stand in its own way. */
  admits(share: Share, exceptToken = 0): boolean {
    if (this.#limit !== null) return this.permitsHeld() + share.permits <= this.#limit;
    if (this.#crowd === null) return this.#holders.every((holder) => holder.token === exceptToken || goTogether(holder, share));
    const except = exceptToken === 0 ? undefined : this.holder(exceptToken);
    return this.#crowd.byMode.every((count, index) => {
      const mode = lockModes[index] as LockMode;
      const others = except?.mode === mode ? count - 1 : count;
      return others === 0 || compatible(mode, share.mode ?? "EX");
    });
  }

  permitsHeld(): number {
    return this.#crowd?.permits ?? this.#holders.reduce((sum, { permits }) => sum + permits, 0);
  }

  holder(token: number): Holder | undefined {
    return this.#crowd === null ? this.#holders.find((holder) => holder.token === token) : this.#draft.crowds.get([this.number, token]);
  }

  /** In the order of their tokens. */
  holders(): Iterable<Holder> {
    return this.#crowd === null ? this.#holders : this.#draft.crowds.values({ prefix: [this.number] });
  }

  /** Whether this holder is in the way of who wants the share. Permits are in the way of all permits. */
  isInTheWay(holder: Holder, share: Share): boolean {
    return this.#limit !== null || !goTogether(holder, share);
  }

  add(holder: Holder): void {
    this.changed = true;
    if (this.#crowd === null && this.#holders.length < holdersInRow) {
      this.#holders = [...this.#holders, holder];
      return;
    }
    if (this.#crowd === null) for (const each of this.#holders) this.#draft.crowds.set([this.number, each.token], each);
    this.#crowd = crowdOf(this.#crowd, this.#holders, holder);
    this.#holders = nobody;
    this.#draft.crowds.set([this.number, holder.token], holder);
  }

  remove(token: number): void {
    this.changed = true;
    if (this.#crowd === null) {
      this.#holders = this.#holders.length === 1 ? nobody : this.#holders.filter((holder) => holder.token !== token);
      return;
    }
    const gone = this.holder(token);
    if (gone === undefined) return;
    this.#draft.crowds.delete([this.number, token]);
    this.#crowd = { size: this.#crowd.size - 1, byMode: counted(this.#crowd.byMode, gone, -1), permits: this.#crowd.permits - gone.permits };
    if (this.#crowd.size > holdersInRow / 2) return;
    this.#holders = [...this.holders()];
    this.#crowd = null;
    for (const each of this.#holders) this.#draft.crowds.delete([this.number, each.token]);
  }

  /** It was sent a notice. */
  tell(told: Holder): void {
    const holder = { ...told, told: true };
    if (this.#crowd !== null) this.#draft.crowds.set([this.number, holder.token], holder);
    else this.#holders = this.#holders.map((each) => (each.token === holder.token ? holder : each));
    this.changed = true;
  }

  /** Of the state from now on; a lock that nobody holds, awaits or has to wait for is no more. */
  write(now: number): void {
    if (!this.changed) return;
    this.changed = false;
    if (this.unused && this.#delayUntil <= now) {
      this.#draft.locks.delete(this.name);
      return;
    }
    this.#draft.locks.set(this.name, {
      number: this.number, limit: this.#limit, holders: this.#holders, crowd: this.#crowd, waiting: this.#waiting, places: this.#places,
      valueBlock: this.#valueBlock, delayUntil: this.#delayUntil, toldFor: this.#toldFor,
    });
  }
}

/** Of modes. */
export function goTogether(a: Share, b: Share): boolean {
  return a.mode !== null && b.mode !== null && compatible(a.mode, b.mode);
}

function crowdOf(crowd: Crowd | null, holders: readonly Holder[], newcomer: Holder): Crowd {
  const before = crowd ?? {
    size: holders.length,
    byMode: holders.reduce((counts, holder) => counted(counts, holder, 1), lockModes.map(() => 0)),
    permits: holders.reduce((sum, { permits }) => sum + permits, 0),
  };
  return { size: before.size + 1, byMode: counted(before.byMode, newcomer, 1), permits: before.permits + newcomer.permits };
}

function counted(counts: readonly number[], { mode }: Holder, by: number): number[] {
  return counts.map((count, index) => (lockModes[index] === mode ? count + by : count));
}
