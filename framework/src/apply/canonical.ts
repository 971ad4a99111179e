/** The canonical form of plain data for hashing: equal values encode to equal bytes, whatever the order in which an object got its keys. */
import { kindOf } from "../codec/plain.js";

/** The same value, or a copy with the keys of all objects in ascending order. Maps and Sets keep their order: it is part of what they are. */
export function canonical(value: unknown): unknown {
  switch (kindOf(value)) {
    case "array":
      return (value as unknown[]).map(canonical);
    case "map":
      return new Map(Array.from(value as Map<unknown, unknown>, ([key, item]) => [canonical(key), canonical(item)]));
    case "set":
      return new Set(Array.from(value as Set<unknown>, canonical));
    case "object":
      return canonicalObject(value as Record<string, unknown>);
    default:
      return value;
  }
}

function canonicalObject(object: Record<string, unknown>): object {
  const copy = Object.create(Object.getPrototypeOf(object) as object | null) as object;
  // defineProperty, because assigning "__proto__" would set the prototype.
  for (const key of Object.keys(object).sort()) Object.defineProperty(copy, key, { value: canonical(object[key]), enumerable: true });
  return copy;
}
