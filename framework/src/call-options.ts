/** Objects of options. Types do not keep JavaScript from giving others: a name that is misspelt would leave out what was asked for, without a word. */
import { LockstepError } from "./errors.js";

/** @throws LockstepError with this code unless it is an object of nothing but these. */
export function checkCallOptions(options: unknown, known: object, call: string, code: "INVALID_INPUT" | "CONFIGURATION_INVALID" = "INVALID_INPUT"): void {
  const names = Object.keys(known).join(", ");
  if (typeof options !== "object" || options === null || Array.isArray(options)) throw new LockstepError(code, `the options of ${call} are an object ({ ${names} }), not ${described(options)}`);
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(known, name)) throw new LockstepError(code, `${name} is not an option of ${call}; there are ${names}`);
  }
}

/** For people: what it is that was given. */
export function described(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}
