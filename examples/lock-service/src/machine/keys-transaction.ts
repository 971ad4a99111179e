/** What a list of operations on keys sees and changes, before any of it is in the state: all of it is written in the end, or none. */
import { reapTombstones, deleteRow, keyLimits, rowBytes, writeRow, type KeyRow, type KeysState } from "./keys.js";
import type { Draft } from "@lockstep/framework";

/** A key as it is to be; its indexes follow. */
export type KeyContent = Omit<KeyRow, "createIndex" | "modifyIndex">;

export class KeyTransaction {
  readonly #keys: KeysState;
  readonly #index: number;
  /** Null: deleted. */
  readonly #changed = new Map<string, KeyRow | null>();
  #size: number;
  #bytes: number;

  constructor(keys: KeysState) {
    this.#keys = keys;
    this.#index = keys.index + 1;
    this.#size = keys.rows.size;
    this.#bytes = keys.bytes;
  }

  get(key: string): KeyRow | undefined {
    const changed = this.#changed.get(key);
    return changed === undefined ? this.#keys.rows.get(key) : (changed ?? undefined);
  }

  /** By key. */
  tree(prefix: string): readonly (readonly [string, KeyRow])[] {
    const found: (readonly [string, KeyRow])[] = [];
    for (const [key, row] of this.#keys.rows.entries({ prefix })) if (!this.#changed.has(key)) found.push([key, row]);
    const before = found.length;
    for (const [key, row] of this.#changed) if (row !== null && key.startsWith(prefix)) found.push([key, row]);
    return found.length === before ? found : found.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  }

  /** What is there already is not changed. @returns the row; or why not. */
  put(key: string, content: KeyContent): KeyRow | string {
    const existing = this.get(key);
    if (existing !== undefined && sameContent(existing, content)) return existing;
    const bytes = this.#bytes + rowBytes(key, content) - (existing === undefined ? 0 : rowBytes(key, existing));
    const size = this.#size + (existing === undefined ? 1 : 0);
    if (size > keyLimits.keys && size > this.#size) return `too many keys: this service takes ${keyLimits.keys}`;
    if (bytes > keyLimits.bytes && bytes > this.#bytes) return `too much data: this service takes ${keyLimits.bytes} bytes of keys and values`;
    this.#size = size;
    this.#bytes = bytes;
    const row: KeyRow = { ...content, createIndex: existing?.createIndex ?? this.#index, modifyIndex: this.#index };
    this.#changed.set(key, row);
    return row;
  }

  delete(key: string): void {
    const existing = this.get(key);
    if (existing === undefined) return;
    this.#size--;
    this.#bytes -= rowBytes(key, existing);
    this.#changed.set(key, null);
  }

  /** How many keys more than before a session has locked. */
  lockedBy(session: string): number {
    let more = 0;
    for (const [key, row] of this.#changed) {
      if (this.#keys.rows.get(key)?.session === session) more--;
      if (row?.session === session) more++;
    }
    return more;
  }

  /** Writes all changes. */
  commit(keys: Draft<KeysState>): void {
    let any = false;
    for (const [key, row] of this.#changed) {
      const old = keys.rows.get(key);
      if (row === null) {
        if (old === undefined) continue;
        deleteRow(keys, key, old, this.#index);
      } else {
        writeRow(keys, key, old, row);
      }
      any = true;
    }
    if (!any) return;
    keys.index = this.#index;
    reapTombstones(keys);
  }
}

function sameContent(a: KeyContent, b: KeyContent): boolean {
  return a.value === b.value && a.flags === b.flags && a.lockIndex === b.lockIndex && a.session === b.session;
}
