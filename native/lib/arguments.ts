/**
 * What callers pass, checked at the call: JavaScript has no types, and a listener without a method would be told of at the first event,
 * when it is too late.
 */
import { inspect } from "node:util";
import { CorosyncError } from "./errors.js";

/** @throws CorosyncError INVALID_PARAM */
export function limit(call: string, name: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw wrong(call, `${name} must be a whole number from ${least} to ${most}, not ${show(value)}`);
}

/** The place of a word in its list, which is its number in Corosync's headers. @throws CorosyncError INVALID_PARAM */
export function numberOf<Word extends string>(call: string, name: string, word: Word, words: readonly Word[]): number {
  const number = words.indexOf(word);
  if (number >= 0) return number;
  throw wrong(call, `${name} must be ${words.map((known) => `"${known}"`).join(" or ")}, not ${show(word)}`);
}

/** An option that is misspelt would be left out without a word. @throws CorosyncError INVALID_PARAM */
export function checkOptions(call: string, options: object, names: readonly string[]): void {
  if (typeof options !== "object" || options === null) throw wrong(call, `the options must be an object, not ${show(options)}`);
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined) throw wrong(call, `there is no option ${show(unknown)}; there are ${names.join(", ")}`);
}

/** @throws CorosyncError INVALID_PARAM */
export function checkListener<Listener extends object>(call: string, listener: Listener, required: readonly (keyof Listener & string)[], optional: readonly (keyof Listener & string)[] = []): void {
  if (typeof listener !== "object" || listener === null) throw wrong(call, `listener must be an object with the methods ${required.join(", ")}, not ${show(listener)}`);
  const needed = [...required, ...optional.filter((name) => listener[name] !== undefined)];
  for (const name of needed) {
    if (typeof listener[name] !== "function") throw wrong(call, `listener.${name} must be a function, not ${show(listener[name])}`);
  }
}

/** @throws CorosyncError INVALID_PARAM */
export function checkBoolean(call: string, name: string, value: boolean): boolean {
  if (typeof value === "boolean") return value;
  throw wrong(call, `${name} must be true or false, not ${show(value)}`);
}

/** @throws CorosyncError INVALID_PARAM */
export function checkSignal(call: string, value: AbortSignal): AbortSignal {
  if (value instanceof AbortSignal) return value;
  throw wrong(call, `signal must be an AbortSignal, not ${show(value)}`);
}

/** Of a buffer that was transferred to another thread, or of zero-copy memory that was freed. */
export function isDetached(piece: Uint8Array): boolean {
  try {
    return new Uint8Array(piece.buffer).byteLength < 0;
  } catch {
    return true;
  }
}

/** Halves of surrogate pairs, each of which UTF-8 replaces by the same character. */
export function hasHalfCharacters(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}

export function wrong(call: string, detail: string): CorosyncError {
  return new CorosyncError("INVALID_PARAM", call, detail);
}

function show(value: unknown): string {
  return inspect(value, { depth: -1, maxStringLength: 50 });
}
