/**
 * A disk that forgets what was not flushed, fills up, and rots. The replica's store stands on it as on a real one
 * (log/log-store.ts): what is simulated is only the database below.
 */
import { LockstepError } from "../errors.js";
import type { Backend, Change } from "../log/store.js";
import type { Random } from "./random.js";

interface Pending {
  readonly changes: readonly Change[];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class SimulatedDisk {
  /** What survives a loss of power. */
  #flushed = new Map<string, Uint8Array>();
  #visible = new Map<string, Uint8Array>();
  #pending: Pending[] = [];
  #open: object | undefined;
  /** It takes nothing more. */
  full = false;

  /** For one process; an earlier one's is dead. */
  open(): Backend {
    const opened = {};
    this.#open = opened;
    return {
      get: (key) => this.#visible.get(key),
      range: (from, to) => keysBetween(this.#visible, from, to).map((key) => ({ key, value: this.#visible.get(key) ?? new Uint8Array() })),
      keys: (from, to, limit) => keysBetween(this.#visible, from, to).slice(0, limit),
      commit: (changes) => this.#open === opened ? this.#commit(changes) : new Promise(() => undefined),
      close: () => {
        if (this.#open === opened) this.#open = undefined;
        return Promise.resolve();
      },
    };
  }

  get isBlank(): boolean {
    return this.#flushed.size === 0;
  }

  get waiting(): number {
    return this.#pending.length;
  }

  #commit(changes: readonly Change[]): Promise<void> {
    if (this.full) return Promise.reject(new LockstepError("STORE_FAILED", "the disk is full"));
    // Copies: the caller may use its memory again.
    const copies = changes.map((change) => change.type === "put" ? { ...change, value: Uint8Array.from(change.value) } : change);
    apply(this.#visible, copies);
    return new Promise((resolve, reject) => { this.#pending.push({ changes: copies, resolve, reject }); });
  }

  /** The oldest changes become durable. */
  flush(count: number): void {
    for (const { changes, resolve } of this.#pending.splice(0, count)) {
      apply(this.#flushed, changes);
      resolve();
    }
  }

  /** The power, or the process, is gone: of what was not flushed some may be there all the same, in order, each change whole. */
  crash(random: Random): void {
    for (const { changes } of this.#pending.slice(0, random.between(0, this.#pending.length))) apply(this.#flushed, changes);
    this.#pending = [];
    this.#visible = new Map(this.#flushed);
    this.#open = undefined;
  }

  /**
   * The process is gone in the middle of a write, and the disk does not keep its order: some of a change's records are there,
   * the last of them cut short. False if nothing was being written.
   */
  tear(random: Random): boolean {
    const torn = this.#pending.splice(random.between(0, Math.max(0, this.#pending.length - 1)))[0];
    if (torn === undefined) return false;
    for (const { changes } of this.#pending) apply(this.#flushed, changes);
    const written = random.shuffled(torn.changes).slice(0, random.between(1, torn.changes.length));
    apply(this.#flushed, written.map((change, index) => index < written.length - 1 || change.type !== "put" ? change
      : { ...change, value: change.value.subarray(0, random.between(0, change.value.byteLength)) }));
    this.#pending = [];
    this.#visible = new Map(this.#flushed);
    this.#open = undefined;
    return true;
  }

  /** A bit of a stored record flips, while nobody has it open. False if there is nothing. */
  rot(random: Random): boolean {
    const key = random.pick(Array.from(this.#flushed.keys()));
    const value = key === undefined ? undefined : this.#flushed.get(key);
    if (key === undefined || value === undefined || value.byteLength === 0) return false;
    const damaged = Uint8Array.from(value);
    const at = random.between(0, damaged.byteLength - 1);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << random.between(0, 7));
    this.#flushed.set(key, damaged);
    this.#visible.set(key, damaged);
    return true;
  }

  wipe(): void {
    this.#pending = [];
    this.#flushed = new Map();
    this.#visible = new Map();
    this.#open = undefined;
  }
}

function apply(to: Map<string, Uint8Array>, changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.type === "put") to.set(change.key, change.value);
    else if (change.type === "remove") to.delete(change.key);
    else for (const key of keysBetween(to, change.from, change.to)) to.delete(key);
  }
}

function keysBetween(content: ReadonlyMap<string, Uint8Array>, from: string, to: string): string[] {
  return Array.from(content.keys()).filter((key) => key >= from && key < to).sort();
}
