/**
 * Sealing: what enters the replicated state, or leaves it as a result, becomes plain, checked and frozen, so that nobody
 * can change it afterwards. Plain: drafts become copies of what they are now. Checked: only plain data (codec/plain.ts) and
 * Tables. Frozen: deeply, Maps and Sets included; Uint8Array and Date cannot be frozen and are immutable by convention.
 *
 * What is frozen counts as sealed and is not looked at again: sealing costs as much as there is new.
 */
import { current, freeze, isDraft } from "immer";
import { checkDepth, kindOf, refuse } from "../codec/plain.js";

/** The method of a class of ours whose instances may be part of a state: returns itself, sealed. */
export const sealSelf: unique symbol = Symbol("lockstep.seal");

/**
 * @returns the same value, sealed, or a sealed copy if it is a draft or has drafts in it.
 * @throws LockstepError INVALID_INPUT if it cannot be replicated.
 */
export function seal<T>(value: T): T {
  return sealPart(value, 0) as T;
}

function sealPart(value: unknown, depth: number): unknown {
  if (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol") return value;
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
  if (collection instanceof Map) sealMap(collection as Map<unknown, unknown>, depth + 1);
  else if (collection instanceof Set) sealSet(collection as Set<unknown>, depth + 1);
  else sealProperties(collection as Record<string, unknown>, depth + 1);
  return freeze(collection);
}

function sealProperties(object: Record<string, unknown>, depth: number): void {
  for (const key of Object.keys(object)) {
    const value = object[key];
    const sealed = sealPart(value, depth);
    if (sealed !== value && !Number.isNaN(value)) object[key] = sealed;
  }
}

/** Rebuilt only if it holds drafts, so that the order of its keys stays. */
function sealMap(map: Map<unknown, unknown>, depth: number): void {
  const entries = Array.from(map, ([key, value]) => [sealPart(key, depth), sealPart(value, depth)] as const);
  if (![...map].some(([key, value]) => isDraft(key) || isDraft(value))) return;
  map.clear();
  for (const [key, value] of entries) map.set(key, value);
}

function sealSet(set: Set<unknown>, depth: number): void {
  const members = Array.from(set, (member) => sealPart(member, depth));
  if (![...set].some((member) => isDraft(member))) return;
  set.clear();
  for (const member of members) set.add(member);
}
