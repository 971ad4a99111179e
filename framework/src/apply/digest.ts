/**
 * The digest of a replicated state: SHA-256 over its written form in canonical order, some rows at a time; a Table stands
 * in what it is part of as the digest of its own rows. Equal exactly if the states are: where the state came from (applied
 * or restored) and which parts of it are shared do not count.
 */
import { createHash } from "node:crypto";
import { encodePart } from "../codec/values.js";
import { invariant } from "../errors.js";
import { Table } from "../machine/table.js";
import { canonical } from "./canonical.js";
import { writtenForm, type AnyTable } from "./replicated-codec.js";
import type { Replicated } from "./replicated.js";
import type { DigestRun } from "./types.js";

export function digestOf(replicated: Replicated<unknown>): DigestRun {
  return new Digesting(replicated);
}

/** Hashes values; yields a Table whose digest it needs and does not have, and undefined after each value. */
type Hashing = Generator<AnyTable | undefined, string>;

class Digesting implements DigestRun {
  readonly position: number;
  /** Each distinct Table is hashed once. */
  readonly #digests = new Map<AnyTable, string>();
  /** Each Table was met in the one before it. No recursion: Tables may be in each other to any depth. */
  readonly #path: { readonly table: AnyTable | undefined; readonly hashing: Hashing }[] = [];
  #digest: string | undefined;

  constructor(replicated: Replicated<unknown>) {
    this.position = replicated.position;
    this.#path.push({ table: undefined, hashing: hashValues([writtenForm(replicated)], this.#digests) });
  }

  step(keys: number): string | undefined {
    for (let i = 0; i < keys && this.#digest === undefined; i++) this.#advance();
    return this.#digest;
  }

  #advance(): void {
    const last = this.#path.at(-1);
    invariant(last !== undefined, "what is not hashed yet is on the way");
    const { value, done } = last.hashing.next();
    if (done !== true) {
      if (value !== undefined && !this.#digests.has(value)) this.#path.push({ table: value, hashing: hashValues(value, this.#digests) });
      return;
    }
    this.#path.pop();
    if (last.table === undefined) this.#digest = value;
    else this.#digests.set(last.table, value);
  }
}

/** Yields after each value, so that it can be done in steps. */
function* hashValues(values: Iterable<unknown>, digests: ReadonlyMap<AnyTable, string>): Hashing {
  const hash = createHash("sha256");
  for (const value of values) {
    const plain = canonical(value);
    let encoded = encodeWith(digests, plain);
    if (encoded.unknown.size > 0) {
      yield* encoded.unknown;
      encoded = encodeWith(digests, plain);
    }
    hash.update(encoded.bytes); // an encoding tells its own length: what follows cannot be taken for a part of it
    yield undefined;
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
