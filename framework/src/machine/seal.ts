/**
 * Sealing: what enters the replicated state, or leaves it as a result, becomes plain, checked and frozen, so that nobody
 * can change it afterwards. Plain: drafts become copies of what they are now. Checked: only plain data (codec/plain.ts) and
 * Tables. Frozen: deeply, Maps and Sets included; Uint8Array and Date cannot be frozen and are immutable by convention.
 *
 * What is frozen counts as sealed and is not looked at again: sealing costs as much as there is new.
 */
import { current, freeze, isDraft } from "immer";
import { checkDepth, kindOf, refuse, refuseHoles } from "../codec/plain.js";

/** The method of a class of ours whose instances may be part of a state: returns itself, sealed. */
export const sealSelf: unique symbol = Symbol("lockstep.seal");

/**
 * @returns the same value, sealed, or a sealed copy if it is a draft or has drafts in it.
 * @throws LockstepError INVALID_INPUT if it cannot be replicated.
 */
export function seal<T>(value: T): T {
  return sealPart(value, 0) as T;
}

function mayNeedSealing(value: unknown): boolean {
  return typeof value === "object" || typeof value === "function" || typeof value === "symbol";
}

function sealPart(value: unknown, depth: number): unknown {
  if (!mayNeedSealing(value)) return value;
  const plain: unknown = isDraft(value) ? current(value) : value;
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

function sealsItself(value: unknown): value is { [sealSelf](): unknown } {
  return typeof value === "object" && value !== null && sealSelf in value;
}

function sealCollection(collection: object, depth: number): object {
  if (Object.isFrozen(collection)) return collection;
  checkDepth(depth);
  if (collection instanceof Map) return freezeMethods(sealMap(collection as Map<unknown, unknown>, depth + 1));
  if (collection instanceof Set) return freezeMethods(sealSet(collection as Set<unknown>, depth + 1));
  sealProperties(collection as Record<string, unknown>, depth + 1);
  return Object.freeze(collection);
}

/** Object.freeze() leaves the contents of a Map or Set open: immer's freeze takes their methods away. */
function freezeMethods(collection: object): object {
  return freeze(collection);
}

function sealProperties(object: Record<string, unknown>, depth: number): void {
  const keys = Object.keys(object);
  if (Array.isArray(object) && keys.length < object.length) refuseHoles();
  for (const key of keys) {
    const value = object[key];
    if (!mayNeedSealing(value)) continue;
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
