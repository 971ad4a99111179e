/** Reading one argument as what it should be, with Redis's error if it is not. */
import { parseInteger } from "../machine/integers.js";
import { CommandError, notAnInteger } from "./command-error.js";

/** The argument at `index`; the arity was checked, so that it is there. */
export function argument(args: readonly string[], index: number): string {
  const value = args[index];
  if (value === undefined) throw new CommandError("ERR syntax error");
  return value;
}

/** A 64-bit integer. */
export function integerArgument(text: string, failure: () => CommandError = notAnInteger): bigint {
  const value = parseInteger(text);
  if (value === undefined) throw failure();
  return value;
}

/** A 32-bit integer, where Redis uses an int. */
export function smallIntegerArgument(text: string): number {
  const value = integerArgument(text);
  if (value > 2147483647n || value < -2147483648n) throw new CommandError("ERR value is out of range, value must between -2147483648 and 2147483647");
  return Number(value);
}
