/**
 * Whether two sealed values are equal. What is the same object is not looked into; two versions of a Table are compared
 * row by row (sorted-btree 2.1's diffAgainst, which skips the nodes they share, tells equal rows apart if all values are
 * undefined). The order of an object's keys counts here, because handlers can see it.
 */
import { Table } from "../machine/table.js";

export function sameState(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Table) return b instanceof Table && a.size === b.size && sameSequence(a.entries(), b.entries());
  if (a instanceof Map) return b instanceof Map && a.size === b.size && sameSequence(a.entries(), b.entries());
  if (a instanceof Set) return b instanceof Set && a.size === b.size && sameSequence(a.values(), b.values());
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && sameSequence(a.values(), b.values());
  if (a instanceof Date) return b instanceof Date && Object.is(a.getTime(), b.getTime());
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.isBuffer(a) === Buffer.isBuffer(b) && Buffer.compare(a, b) === 0;
  return Object.getPrototypeOf(a) === Object.getPrototypeOf(b) && sameSequence(Object.entries(a).values(), Object.entries(b).values());
}

function sameSequence(a: Iterator<unknown>, b: Iterator<unknown>): boolean {
  for (;;) {
    const left = a.next();
    const right = b.next();
    if (left.done === true || right.done === true) return left.done === right.done;
    if (!sameState(left.value, right.value)) return false;
  }
}
