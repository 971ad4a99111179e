/** Which of a query's arguments are its own, and which are options. */
import { LockstepError } from "./errors.js";
import type { QueryOptions } from "./replica-api.js";

const optionNames = new Set(["consistency", "signal", "timeoutMs"]);

/**
 * Options follow the query's own arguments, as many as its function declares after the state.
 * @throws LockstepError INVALID_INPUT if a consistency stands among what is no option: taken for an argument, the read would be from the past.
 */
export function splitOptions(given: readonly unknown[], declared: number): { args: readonly unknown[]; options: QueryOptions } {
  const last = given.at(-1);
  if (given.length <= declared || typeof last !== "object" || last === null) return { args: given, options: {} };
  const names = Object.keys(last);
  const other = names.find((name) => !optionNames.has(name));
  if (other !== undefined && names.includes("consistency")) throw new LockstepError("INVALID_INPUT", `${other} is not an option of a query; there are ${Array.from(optionNames).join(", ")}`);
  const isOptions = names.length > 0 && other === undefined;
  return isOptions ? { args: given.slice(0, -1), options: last } : { args: given, options: {} };
}
