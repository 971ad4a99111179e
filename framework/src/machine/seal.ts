/**
 * Sealing: what enters the replicated state, or leaves it as a result, becomes plain, checked and frozen, so that nobody
 * can change it afterwards. Plain: drafts become copies of what they are now. Checked: only plain data (codec/plain.ts) and
 * Tables. Frozen: deeply, Maps and Sets included; Uint8Array and Date cannot be frozen and are immutable by convention.
 *
 * What is sealed is frozen, and stays as it is where it becomes part of something new: sealing costs as much as there is new. That
 * it is frozen does not make it sealed: a handler may freeze things too. So it is looked at, with the levels that it has; the
 * large are remembered.
 */
import { current, freeze, isDraft } from "immer";
import { LockstepError } from "../errors.js";
import { checkDepth, hasParts, keysOf, kindOf, maxDepth, maxWrittenDepth, refuse } from "../codec/plain.js";

/** The method of a class of ours whose instances may be part of a state: returns itself, sealed, or a sealed copy if somebody else has frozen it. */
export const sealSelf: unique symbol = Symbol("lockstep.seal");

/** What has more parts is remembered: to look at less is cheaper than to remember it. */
const smallParts = 32;
/** Levels of larger sealed collections. */
const levelsOfLarge = new WeakMap<object, number>();

/**
 * @param mostLevels How deeply it may be nested.
 * @returns the same value, sealed, or a sealed copy if it is a draft or has drafts in it.
 * @throws LockstepError INVALID_INPUT if it cannot be replicated.
 */
export function seal<T>(value: T, mostLevels = maxDepth): T {
  return sealPart(value, maxDepth - mostLevels) as T;
}

/** @param depth Above it; it must not exceed maxDepth. */
function sealPart(value: unknown, depth: number): unknown {
  if (!hasParts(value)) return value;
  const plain: unknown = isOpenDraft(value) ? current(value) : value;
  switch (kindOf(plain)) {
    case "array":
    case "object":
    case "map":
    case "set":
      return sealCollection(plain as object, depth);
    case "other":
      return sealsItself(plain) ? plain[sealSelf]() : refuse(plain);
    default:
      return plain;
  }
}

/** Immer does not see drafts in what a handler has frozen: they are over when their draft is. */
function isOpenDraft(value: unknown): boolean {
  try {
    return isDraft(value);
  } catch {
    throw new LockstepError("INVALID_INPUT", "A part of it is a draft that has ended. Do not freeze what has drafts in it, and keep no drafts.");
  }
}

function sealsItself(value: unknown): value is { [sealSelf](): unknown } {
  return typeof value === "object" && value !== null && sealSelf in value;
}

function sealCollection(collection: object, depth: number): object {
  if (isFrozen(collection)) {
    const levels = new Look().levelsOf(collection);
    if (levels !== undefined) {
      checkDepth(depth + levels - 1);
      return collection;
    }
  }
  checkDepth(depth);
  // Somebody else's, who has frozen it: it stays theirs.
  const open = Object.isFrozen(collection) ? copyOf(collection) : collection;
  if (open instanceof Map || open instanceof Set) keysOf(open);
  if (open instanceof Map) return freezeMethods(sealMap(open as Map<unknown, unknown>, depth + 1));
  if (open instanceof Set) return freezeMethods(sealSet(open as Set<unknown>, depth + 1));
  sealProperties(open as Record<string, unknown>, depth + 1);
  return Object.freeze(open);
}

function copyOf(collection: object): object {
  if (collection instanceof Map) return new Map(collection as Map<unknown, unknown>);
  if (collection instanceof Set) return new Set(collection as Set<unknown>);
  if (Array.isArray(collection)) return collection.slice();
  return Object.assign(Object.create(Object.getPrototypeOf(collection) as object | null) as object, collection);
}

/** As freeze() and freezeMethods() leave it. */
function isFrozen(collection: object): boolean {
  return Object.isFrozen(collection) && ((!(collection instanceof Map) && !(collection instanceof Set)) || Object.hasOwn(collection, "clear"));
}

/** A look at what is frozen. */
class Look {
  #parts = 0;

  /** Of collections in each other; undefined if it is not sealed all through. What is in a Table has been looked at when it was stored. */
  levelsOf(collection: object, depth = 1): number | undefined {
    const known = levelsOfLarge.get(collection);
    if (known !== undefined) return known;
    if (depth > maxWrittenDepth) return Infinity;
    if (!(collection instanceof Map) && !(collection instanceof Set)) keysOf(collection);
    const before = this.#parts;
    let levels = 1;
    for (const part of partsOf(collection)) {
      this.#parts++;
      if (!hasParts(part)) continue;
      const below = this.#levelsOfPart(part, depth);
      if (below === undefined) return undefined;
      if (below >= levels) levels = below + 1;
    }
    // Infinity is of where it was looked at, not of what it is.
    if (this.#parts - before > smallParts && levels < Infinity) levelsOfLarge.set(collection, levels);
    return levels;
  }

  #levelsOfPart(part: unknown, depth: number): number | undefined {
    if (isOpenDraft(part)) return undefined;
    switch (kindOf(part)) {
      case "array":
      case "object":
      case "map":
      case "set":
        return isFrozen(part as object) ? this.levelsOf(part as object, depth + 1) : undefined;
      case "other":
        return sealsItself(part) && part[sealSelf]() === part ? 0 : undefined;
      default:
        return 0;
    }
  }
}

function* partsOf(collection: object): Iterable<unknown> {
  if (collection instanceof Map) {
    for (const [key, value] of collection as Map<unknown, unknown>) {
      yield key;
      yield value;
    }
  } else if (collection instanceof Set || Array.isArray(collection)) {
    yield* collection as Iterable<unknown>;
  } else {
    yield* Object.values(collection);
  }
}

/** Object.freeze() leaves the contents of a Map or Set open: immer's freeze takes their methods away. */
function freezeMethods(collection: object): object {
  return freeze(collection);
}

function sealProperties(object: Record<string, unknown>, depth: number): void {
  for (const key of keysOf(object)) {
    const value = object[key];
    if (!hasParts(value)) continue;
    const sealed = sealPart(value, depth);
    if (sealed !== value) object[key] = sealed;
  }
}

/** Rebuilt only if it holds drafts, so that the order of its keys stays. */
function sealMap(map: Map<unknown, unknown>, depth: number): Map<unknown, unknown> {
  const entries = Array.from(map, ([key, value]) => [sealPart(key, depth), sealPart(value, depth)] as const);
  if (![...map].some(([key, value]) => isDraft(key) || isDraft(value))) return map;
  map.clear();
  for (const [key, value] of entries) map.set(key, value);
  return map;
}

function sealSet(set: Set<unknown>, depth: number): Set<unknown> {
  const members = Array.from(set, (member) => sealPart(member, depth));
  if (![...set].some((member) => isDraft(member))) return set;
  set.clear();
  for (const member of members) set.add(member);
  return set;
}
