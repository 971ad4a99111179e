/**
 * The digest of a replicated state: SHA-256 over its written form in canonical order, some rows at a time; a Table stands
 * in what it is part of as the digest of its own rows. Equal exactly if the states are: where the state came from (applied
 * or restored) and which parts of it are shared do not count.
 */
import { createHash } from "node:crypto";
import { encodePart } from "../codec/values.js";
import { Table } from "../machine/table.js";
import { canonical } from "./canonical.js";
import { writtenForm, type AnyTable } from "./replicated-codec.js";
import type { Replicated } from "./replicated.js";
import type { DigestRun } from "./types.js";

export function digestOf(replicated: Replicated<unknown>): DigestRun {
  const work = digestValues([writtenForm(replicated)], new Map());
  let digest: string | undefined;
  return {
    position: replicated.position,
    step(keys) {
      for (let i = 0; i < keys && digest === undefined; i++) {
        const { value, done } = work.next();
        if (done === true) digest = value;
      }
      return digest;
    },
  };
}

/** Yields after each value, so that it can be done in steps; each distinct Table is hashed once. */
function* digestValues(values: Iterable<unknown>, digests: Map<AnyTable, string>): Generator<undefined, string> {
  const hash = createHash("sha256");
  for (const value of values) {
    const plain = canonical(value);
    let encoded = encodeWith(digests, plain);
    for (const table of encoded.unknown) digests.set(table, yield* digestValues(table, digests));
    if (encoded.unknown.size > 0) encoded = encodeWith(digests, plain);
    hash.update(encoded.bytes); // an encoding tells its own length: what follows cannot be taken for a part of it
    yield;
  }
  return hash.digest("hex");
}

/** Encodes a value with digests in the place of Tables; not to be used if some were unknown. */
function encodeWith(digests: ReadonlyMap<AnyTable, string>, value: unknown): { bytes: Uint8Array; unknown: ReadonlySet<AnyTable> } {
  const unknown = new Set<AnyTable>();
  const bytes = encodePart(value, (part) => {
    if (!(part instanceof Table)) return undefined;
    const digest = digests.get(part as AnyTable);
    if (digest === undefined) unknown.add(part as AnyTable);
    return digest ?? "";
  });
  return { bytes, unknown };
}
