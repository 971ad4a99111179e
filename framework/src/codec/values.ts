/// <reference lib="es2024.string" />
/**
 * Plain data to bytes and back, exactly: the one place where commands, results and states are serialised.
 * Every encoding stands alone (no record structures shared between messages) and is the same for the same value.
 * Not message formats: those are made of these values elsewhere.
 *
 * msgpackr writes nearly everything. What MessagePack cannot tell apart or would change (Map from object, -0, lone
 * surrogates, "__proto__" keys, null prototypes) is *escaped* first: replaced by an object with the one
 * key "\0". An escaped encoding begins with the byte 0xc1, which MessagePack never uses.
 */
import { Packr } from "msgpackr";
import { LockstepError } from "../errors.js";
import { checkDepth, kindOf, maxDepth, maxWrittenDepth, refuse, refuseHoles } from "./plain.js";

const packr = new Packr({
  useRecords: false, // a record's structure is shared between messages, or written again in each: no gain for single commands
  mapsAsObjects: true,
  variableMapSize: true, // objects may have more than 65 535 keys
  moreTypes: true, // tells Uint8Array from Buffer
  useBigIntExtension: true,
  useToJSON: false, // what a toJSON() makes is not what was given
  copyBuffers: true, // decoded bytes outlive the message: a view would keep all of it in memory
});

const escapeMark = 0xc1;
const escapeKey = "\0";
/** Kinds of escapes: part of the format, never renumbered. */
const escapes = { negativeZero: 0, utf16: 1, map: 2, set: 3, object: 4, nullObject: 5, reference: 6 } as const;

/** What is written in the place of an object that is not plain data (a Table); undefined to refuse it. */
export type ReferenceOf = (value: object) => number | string | undefined;
/** Turns what ReferenceOf returned back into the object. */
export type Dereference = (reference: unknown) => unknown;

const noReferences: ReferenceOf = () => undefined;
const noReference: Dereference = () => malformed("it refers to a table, and stands alone");

/**
 * @param levelsSpared Parts may be nested so much deeper than maxDepth.
 * @throws LockstepError INVALID_INPUT if the value is not plain data (see plain.ts).
 */
export function encodeValue(value: unknown, referenceOf: ReferenceOf = noReferences, levelsSpared = 0): Uint8Array {
  if (!needsEscape(value, -levelsSpared, referenceOf)) return packr.pack(value);
  const packed = packr.pack(escape(value, referenceOf));
  const bytes = Buffer.allocUnsafe(packed.length + 1);
  bytes[0] = escapeMark;
  bytes.set(packed, 1);
  return bytes;
}

/** A part of a state, which was accepted with whatever depth it has. */
export function encodePart(value: unknown, referenceOf: ReferenceOf): Uint8Array {
  return encodeValue(value, referenceOf, maxWrittenDepth - maxDepth);
}

/**
 * Decoded bytes are copies: nothing refers to `bytes` afterwards.
 * @throws LockstepError MALFORMED_MESSAGE if the bytes are not exactly one value.
 */
export function decodeValue(bytes: Uint8Array, dereference: Dereference = noReference): unknown {
  const escaped = bytes[0] === escapeMark;
  const start = escaped ? 1 : 0;
  try {
    const value: unknown = packr.unpack(Buffer.from(bytes.buffer, bytes.byteOffset + start, bytes.byteLength - start));
    return escaped ? unescape(value, dereference) : value;
  } catch (cause) {
    if (cause instanceof LockstepError) throw cause;
    throw new LockstepError("MALFORMED_MESSAGE", "The bytes are not an encoded value.", { cause });
  }
}

/** One pass that also refuses what is not plain data. */
function needsEscape(value: unknown, depth: number, referenceOf: ReferenceOf): boolean {
  checkDepth(depth);
  switch (kindOf(value)) {
    case "string":
      return !(value as string).isWellFormed();
    case "scalar":
      return value === 0 && Object.is(value, -0);
    case "array":
      return arrayNeedsEscape(value as unknown[], depth, referenceOf);
    case "object":
      return objectNeedsEscape(value as Record<string, unknown>, depth, referenceOf);
    case "set":
      return someNeedEscape(value as Set<unknown>, depth, referenceOf);
    case "map":
      someNeedEscape((value as Map<unknown, unknown>).keys(), depth, referenceOf);
      someNeedEscape((value as Map<unknown, unknown>).values(), depth, referenceOf);
      return true;
    case "other":
      return typeof value === "object" && value !== null && referenceOf(value) !== undefined ? true : refuse(value);
    default:
      return false;
  }
}

function arrayNeedsEscape(array: unknown[], depth: number, referenceOf: ReferenceOf): boolean {
  let found = false;
  for (let i = 0; i < array.length; i++) {
    if (array[i] === undefined && !(i in array)) refuseHoles();
    if (needsEscape(array[i], depth + 1, referenceOf)) found = true;
  }
  return found;
}

function objectNeedsEscape(object: Record<string, unknown>, depth: number, referenceOf: ReferenceOf): boolean {
  let found = Object.getPrototypeOf(object) === null;
  for (const key of Object.keys(object)) {
    if (keyNeedsEscape(key)) found = true;
    if (needsEscape(object[key], depth + 1, referenceOf)) found = true;
  }
  return found;
}

function keyNeedsEscape(key: string): boolean {
  return key === "__proto__" || key === escapeKey || !key.isWellFormed();
}

/** Looks at all of them even when one is found: all must be plain data. */
function someNeedEscape(values: Iterable<unknown>, depth: number, referenceOf: ReferenceOf): boolean {
  let found = false;
  for (const value of values) if (needsEscape(value, depth + 1, referenceOf)) found = true;
  return found;
}

function escapeAs(kind: number, payload: unknown): Record<string, unknown> {
  return { [escapeKey]: [kind, payload] };
}

function escape(value: unknown, referenceOf: ReferenceOf): unknown {
  switch (kindOf(value)) {
    case "string":
      return escapeString(value as string);
    case "scalar":
      return Object.is(value, -0) ? escapeAs(escapes.negativeZero, null) : value;
    case "array":
      return (value as unknown[]).map((item) => escape(item, referenceOf));
    case "object":
      return escapeObject(value as Record<string, unknown>, referenceOf);
    case "set":
      return escapeAs(escapes.set, Array.from(value as Set<unknown>, (member) => escape(member, referenceOf)));
    case "map":
      return escapeAs(escapes.map, Array.from(value as Map<unknown, unknown>).flat(1).map((part) => escape(part, referenceOf)));
    case "other":
      return escapeAs(escapes.reference, referenceOf(value as object));
    default:
      return value;
  }
}

function escapeString(text: string): unknown {
  return text.isWellFormed() ? text : escapeAs(escapes.utf16, Buffer.from(text, "utf16le"));
}

function escapeObject(object: Record<string, unknown>, referenceOf: ReferenceOf): unknown {
  const keys = Object.keys(object);
  const nullPrototype = Object.getPrototypeOf(object) === null;
  if (nullPrototype || keys.some(keyNeedsEscape)) {
    const pairs = keys.flatMap((key) => [escapeString(key), escape(object[key], referenceOf)]);
    return escapeAs(nullPrototype ? escapes.nullObject : escapes.object, pairs);
  }
  const copy: Record<string, unknown> = {};
  for (const key of keys) copy[key] = escape(object[key], referenceOf);
  return copy;
}

function unescape(value: unknown, dereference: Dereference): unknown {
  if (Array.isArray(value)) return value.map((item) => unescape(item, dereference));
  if (kindOf(value) !== "object") return value;
  const object = value as Record<string, unknown>;
  if (Object.hasOwn(object, escapeKey)) return unescapeMarked(object[escapeKey], dereference);
  for (const key of Object.keys(object)) object[key] = unescape(object[key], dereference);
  return object;
}

function unescapeMarked(marked: unknown, dereference: Dereference): unknown {
  const [kind, payload] = asArray(marked);
  switch (kind) {
    case escapes.negativeZero:
      return -0;
    case escapes.utf16:
      return payload instanceof Uint8Array ? Buffer.from(payload).toString("utf16le") : malformed("a string is not bytes");
    case escapes.map:
      return new Map(pairsOf(payload, dereference));
    case escapes.set:
      return new Set(asArray(payload).map((member) => unescape(member, dereference)));
    case escapes.object:
      return fill({}, pairsOf(payload, dereference));
    case escapes.nullObject:
      return fill(Object.create(null) as object, pairsOf(payload, dereference));
    case escapes.reference:
      return dereference(payload);
    default:
      return malformed(`escape ${String(kind)} is unknown: it was written by a newer version`);
  }
}

function pairsOf(payload: unknown, dereference: Dereference): [unknown, unknown][] {
  const flat = asArray(payload);
  const pairs: [unknown, unknown][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) pairs.push([unescape(flat[i], dereference), unescape(flat[i + 1], dereference)]);
  return pairs;
}

/** defineProperty, because assigning "__proto__" would set the prototype. */
function fill(target: object, pairs: [unknown, unknown][]): object {
  for (const [key, value] of pairs) Object.defineProperty(target, String(key), { value, writable: true, enumerable: true, configurable: true });
  return target;
}

function asArray(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : malformed("an escape has no parts");
}

function malformed(why: string): never {
  throw new LockstepError("MALFORMED_MESSAGE", `The bytes are not an encoded value: ${why}.`);
}
