/** Checks on decoded data of unknown origin. Each returns its argument with a type, or throws MALFORMED_MESSAGE. */
import { LockstepError } from "../errors.js";
import type { Ballot } from "../core/ballot.js";
import type { LogPoint } from "../log/log.js";

export function malformed(what: string): never {
  throw new LockstepError("MALFORMED_MESSAGE", `Not a message of this protocol: ${what}.`);
}

export function array(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : malformed("an array was expected");
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : malformed("a string was expected");
}

export function flag(value: unknown): boolean {
  return typeof value === "boolean" ? value : malformed("true or false was expected");
}

export function finiteNumber(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : malformed("a number was expected");
}

/** A position, a count, a version: 0 to 2^53 - 1. */
export function natural(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : malformed("a non-negative integer was expected");
}

export function slotNumber(value: unknown): number {
  const slot = natural(value);
  return slot <= 0xffff_ffff ? slot : malformed("a slot is a 32-bit node id");
}

const incarnationForm = /^[0-9a-f]{16}$/;
export function isIncarnation(value: unknown): value is string {
  return typeof value === "string" && incarnationForm.test(value);
}

export function incarnation(value: unknown): string {
  return isIncarnation(value) ? value : malformed("an incarnation has 16 hexadecimal digits");
}

const hashForm = /^[0-9a-f]{32}$/;
export function hash(value: unknown): string {
  return typeof value === "string" && hashForm.test(value) ? value : malformed("a hash has 32 hexadecimal digits");
}

export function bytes(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : malformed("bytes were expected");
}

export function point(value: unknown): LogPoint {
  const [position, hashThere] = array(value);
  return { position: natural(position), hash: hash(hashThere) };
}

/** The ring sequence travels as a decimal string: 64 bits, and readable in a capture. */
export function ballot(value: unknown): Ballot {
  const [era, ringSeq, ringNode, k, attempt] = array(value);
  return { era: slotNumber(era), ringSeq: sequence(ringSeq), ringNode: slotNumber(ringNode), k: slotNumber(k), attempt: slotNumber(attempt) };
}

function sequence(value: unknown): bigint {
  const digits = text(value);
  if (!/^\d{1,20}$/.test(digits)) return malformed("a ring sequence is a 64-bit number");
  const parsed = BigInt(digits);
  return parsed < 1n << 64n ? parsed : malformed("a ring sequence is a 64-bit number");
}
