/**
 * What "plain data" is: the values that can travel in a command, be kept in a machine's state and be written to a
 * snapshot, each coming back exactly as it was. Not an encoding; see values.ts.
 *
 * Plain data: undefined, null, booleans, numbers (-0 and NaN included), strings (any UTF-16), bigints, Date, Uint8Array
 * and Buffer, and arrays, plain objects, Maps and Sets of plain data. No functions, symbols, promises or class instances,
 * no getters or hidden properties, no holes in arrays, no cycles.
 */
import { types } from "node:util";
import { LockstepError } from "../errors.js";
import { abandon } from "../promises.js";

/**
 * Nesting beyond this is refused, in commands, results and states: it is nearly always a cycle, and recursion must end well before the stack
 * does, at the same depth on every replica.
 */
export const maxDepth = 500;
/** Of what a Table holds: results and inputs, with what the framework keeps them in. */
export const maxRowDepth = maxDepth + 50;
/** Of what is written of a state: rows, with what goes around them. Whatever was accepted can be written. */
export const maxWrittenDepth = maxDepth + 100;

export type Kind = "scalar" | "string" | "array" | "object" | "map" | "set" | "date" | "bytes" | "other";

/** Tells the kinds of plain data apart; "other" is everything that is not plain data. */
export function kindOf(value: unknown): Kind {
  switch (typeof value) {
    case "string":
      return "string";
    case "object":
      return value === null ? "scalar" : kindOfObject(value);
    case "function":
    case "symbol":
      return "other";
    default:
      return "scalar";
  }
}

function kindOfObject(value: object): Kind {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return "object";
  if (Array.isArray(value)) return prototype === Array.prototype ? "array" : "other";
  if (prototype === Uint8Array.prototype || prototype === Buffer.prototype) return "bytes";
  if (prototype === Map.prototype) return "map";
  if (prototype === Set.prototype) return "set";
  if (prototype === Date.prototype) return "date";
  return "other";
}

/** Whether it may have something in it: quicker than to ask what it is. */
export function hasParts(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || typeof value === "function" || typeof value === "symbol";
}

/** @throws LockstepError INVALID_INPUT always: names what it was and what to do instead. */
export function refuse(value: unknown): never {
  if (types.isPromise(value)) {
    abandon(value);
    throw new LockstepError("INVALID_INPUT", "A promise cannot be replicated. Wait for it before submitting, and pass its value; handlers are synchronous.");
  }
  throw new LockstepError("INVALID_INPUT", `${describe(value)} cannot be replicated. Use plain data: undefined, null, booleans, numbers, strings, bigints, Date, Uint8Array, and arrays, plain objects, Maps and Sets of these.`);
}

/** @throws LockstepError INVALID_INPUT always. */
export function refuseHoles(): never {
  throw new LockstepError("INVALID_INPUT", "An array with holes cannot be replicated: fill them with undefined or null, or use an object or a Table.");
}

/**
 * The keys of an array, an object, or a Map or Set that is not frozen. All that it has must be what is written of it: anything else would be lost
 * where the state is taken over in a snapshot, and a getter may give anything when it is written.
 * @throws LockstepError INVALID_INPUT if there is more to it than its values.
 */
export function keysOf(collection: object): readonly string[] {
  if (types.isProxy(collection)) refuseMore("A proxy");
  const keys = Object.getOwnPropertyNames(collection);
  if (Object.getOwnPropertySymbols(collection).length > 0) refuseMore("An object with a symbol for a key");
  if (Array.isArray(collection)) {
    for (let i = 0; i < collection.length; i++) if (collection[i] === undefined && !(i in collection)) refuseHoles();
    if (keys.length > collection.length + 1) refuseMore("An array that has properties, as the result of a match has,");
    keys.pop(); // its length
    return keys;
  }
  if ((collection instanceof Map || collection instanceof Set) && keys.length > 0) refuseMore("A Map or Set that has properties");
  for (const key of keys) {
    const property = Object.getOwnPropertyDescriptor(collection, key) ?? {};
    if (!("value" in property)) refuseMore(`An object with a getter or setter (${key})`);
    if (property.enumerable !== true) refuseMore(`An object with a property that is not enumerable (${key})`);
  }
  return keys;
}

function refuseMore(what: string): never {
  throw new LockstepError("INVALID_INPUT", `${what} cannot be replicated: only the values of plain data are. Make a plain copy of what you need of it.`);
}

/** @throws LockstepError INVALID_INPUT beyond `most` levels. */
export function checkDepth(depth: number, most = maxDepth): void {
  if (depth > most) throw new LockstepError("INVALID_INPUT", `The value is cyclic, or nested deeper than ${most} levels. Refer to other objects by a key instead.`);
}

function describe(value: unknown): string {
  if (typeof value === "function") return `A function (${value.name || "anonymous"})`;
  if (typeof value === "symbol") return `A symbol (${String(value)})`;
  const constructor = (value as { constructor?: unknown }).constructor;
  return `An instance of ${typeof constructor === "function" ? constructor.name || "an anonymous class" : "an unknown class"}`;
}
