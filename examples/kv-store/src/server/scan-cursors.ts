/**
 * SCAN's cursors: numbers that stand for the last key a scan has seen. Redis clients expect a number, and keys are
 * ordered strings, so the server remembers which is which; a cursor therefore belongs to the replica that gave it.
 */
export class ScanCursors {
  readonly #keys = new Map<string, string>();
  readonly #limit: number;
  #last = 0;

  /** Remembers `limit` cursors; beyond, the least recently used is forgotten. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** A new cursor for going on after this key. */
  remember(key: string): string {
    this.#last += 1;
    const cursor = String(this.#last);
    this.#keys.set(cursor, key);
    if (this.#keys.size > this.#limit) {
      const [oldest] = this.#keys.keys();
      if (oldest !== undefined) this.#keys.delete(oldest);
    }
    return cursor;
  }

  /** The key to go on after; undefined if the cursor is not known here, or not any more. A cursor can be used again. */
  find(cursor: string): string | undefined {
    const key = this.#keys.get(cursor);
    if (key !== undefined) {
      this.#keys.delete(cursor);
      this.#keys.set(cursor, key);
    }
    return key;
  }
}
