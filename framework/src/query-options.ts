/** Which of a query's arguments are its own, and which are options. */
import type { QueryOptions } from "./replica-api.js";

const optionNames = new Set(["consistency", "signal", "timeoutMs"]);

/** Options follow the query's own arguments, as many as its function declares after the state. */
export function splitOptions(given: readonly unknown[], declared: number): { args: readonly unknown[]; options: QueryOptions } {
  const last = given.at(-1);
  const isOptions = given.length > declared && typeof last === "object" && last !== null
    && Object.keys(last).length > 0 && Object.keys(last).every((key) => optionNames.has(key));
  return isOptions ? { args: given.slice(0, -1), options: last } : { args: given, options: {} };
}
