/** Arbitrary plain data for property tests: everything that can be replicated, the awkward kinds included. */
import * as fc from "fast-check";

const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: "binary", maxLength: 80 }), fc.constantFrom("__proto__", "constructor", "\0", "\ud800", "toJSON", "1", "-1"));

const scalar = fc.oneof(
  fc.constantFrom<unknown>(undefined, null, true, false, -0, Number.NaN, Infinity),
  fc.integer(),
  fc.double(),
  fc.bigInt(),
  text,
  fc.date({ noInvalidDate: true }), // node:util's isDeepStrictEqual tells two invalid dates apart
  fc.uint8Array({ maxLength: 20 }),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
);

/** Own properties, "__proto__" among them. */
function objectFrom(entries: readonly (readonly [string, unknown])[]): object {
  const object = {};
  for (const [key, value] of entries) Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  return object;
}

export const plainValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.array(fc.tuple(text, tie("value")), { maxLength: 5 }).map(objectFrom),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie("value"), { maxLength: 4 }).map((members) => new Set(members)),
  ),
})).value;
