/**
 * The digest of a replicated state: SHA-256 over its written form in canonical order, some rows at a time. Equal exactly
 * if the states are: where the state came from (applied or restored) and which parts of it are shared do not count.
 */
import { createHash } from "node:crypto";
import { encodeValue } from "../codec/values.js";
import { Table } from "../machine/table.js";
import { canonical } from "./canonical.js";
import { writtenForm, type AnyTable } from "./replicated-codec.js";
import type { Replicated } from "./replicated.js";
import type { DigestRun } from "./types.js";

export function digestOf(replicated: Replicated<unknown>): DigestRun {
  const hash = createHash("sha256");
  const parts = encodeParts(replicated);
  let digest: string | undefined;
  return {
    position: replicated.position,
    step(keys) {
      for (let i = 0; i < keys && digest === undefined; i++) {
        const { value, done } = parts.next();
        if (done === true) digest = hash.digest("hex");
        else hash.update(value);
      }
      return digest;
    },
  };
}

/** The rest first, then the rows of every Table that was met, in the order of meeting: encodings tell their own length. */
function* encodeParts(replicated: Replicated<unknown>): Generator<Uint8Array, undefined> {
  const met: AnyTable[] = [];
  const write = (value: unknown): Uint8Array => encodeValue(canonical(value), sizeOf);
  yield write(writtenForm(replicated));
  for (const table of met) for (const [key, value] of table) yield write([key, value]);
  return undefined;

  // A Table is hashed by its size here, and by its rows later. Met again, it is written again: sharing does not count.
  function sizeOf(value: object): number | undefined {
    if (!(value instanceof Table)) return undefined;
    met.push(value as AnyTable);
    return value.size;
  }
}
