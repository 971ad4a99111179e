/**
 * Keys of a Table: strings, numbers, and tuples of strings and numbers; their total order.
 *
 * Numbers come before strings, strings before tuples. Numbers are ordered by value (-0 is 0), strings by UTF-16 code
 * units as JavaScript's `<` does (no locale: those differ between machines), tuples element by element, a shorter one
 * before those it is the beginning of.
 */
import { LockstepError } from "../errors.js";

export type KeyPart = string | number;
export type TableKey = KeyPart | readonly KeyPart[];

/** Negative, zero or positive, as the first key is before, equal to or after the second. */
export function compareKeys(a: TableKey, b: TableKey): number {
  if (typeof a === "string" && typeof b === "string") return a === b ? 0 : a < b ? -1 : 1;
  if (typeof a === "number" && typeof b === "number") return a === b ? 0 : a < b ? -1 : 1;
  if (typeof a === "object" && typeof b === "object") return compareTuples(a, b);
  return rank(a) - rank(b);
}

function compareTuples(a: readonly KeyPart[], b: readonly KeyPart[]): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const order = compareKeys(a[i] as KeyPart, b[i] as KeyPart);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Never in a key: as a part of a bound, it comes after every part that a tuple can have. */
const top = Symbol("after every key part");

function rank(key: TableKey | symbol): number {
  switch (typeof key) {
    case "number":
      return 0;
    case "string":
      return 1;
    case "symbol":
      return 3;
    default:
      return 2;
  }
}

/** The bound that ends the keys beginning with `prefix`: above all of them, below all others above them. */
export function afterPrefix(prefix: TableKey): TableKey {
  if (typeof prefix === "object") return [...prefix, top as unknown as KeyPart];
  if (typeof prefix === "number") throw new LockstepError("INVALID_INPUT", "The prefix of a scan must be a string, or an array for tuple keys, not a number: use from and to.");
  for (let end = prefix.length; end > 0; end--) {
    const last = prefix.charCodeAt(end - 1);
    if (last < 0xffff) return prefix.slice(0, end - 1) + String.fromCharCode(last + 1);
  }
  return []; // no string is above: the empty tuple is the lowest key after all strings
}

/**
 * The same key, if it is one.
 * @throws LockstepError INVALID_INPUT for anything that is not a key, NaN included.
 */
export function checkKey<K extends TableKey>(key: K): K {
  if (isPart(key) || (Array.isArray(key) && isTuple(key))) return key;
  throw new LockstepError("INVALID_INPUT", `${show(key)} is not a key of a Table: use a string, a number (not NaN), or an array of strings and numbers.`);
}

/**
 * A key as it is stored: -0 becomes 0, and a tuple a frozen copy.
 * @throws LockstepError INVALID_INPUT as checkKey().
 */
export function keyToStore<K extends TableKey>(key: K): K {
  if (typeof key === "string") return key;
  if (!Array.isArray(key)) return (checkKey(key) as number + 0) as K;
  // Of a class of its own, it could not be written; and only what was checked is stored.
  const copy: KeyPart[] = [];
  for (let i = 0; i < key.length; i++) copy.push(key[i] === 0 ? 0 : (key[i] as KeyPart));
  return Object.freeze(checkKey(copy)) as K;
}

/** Also looks at what is not there, which every() does not. */
function isTuple(key: readonly unknown[]): boolean {
  for (let i = 0; i < key.length; i++) if (!isPart(key[i])) return false;
  return true;
}

function isPart(part: unknown): boolean {
  return typeof part === "string" || (typeof part === "number" && !Number.isNaN(part));
}

function show(key: unknown): string {
  if (Array.isArray(key)) return `[${key.map((part: unknown) => (typeof part === "string" ? JSON.stringify(part) : String(part))).join(", ")}]`;
  return typeof key === "object" && key !== null ? "An object" : String(key);
}
