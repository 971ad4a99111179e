/**
 * From the times in commands to what the machine takes, milliseconds from now, and back. Only here does a wall clock
 * come in: EXAT and its like name a moment of unix time, which the node that takes the command turns into a distance by
 * its own clock, once; from then on the deadline runs on cluster time, the same on every replica.
 */
import { integerArgument } from "./arguments.js";
import { invalidExpire } from "./command-error.js";

export type TimeUnit = "seconds" | "milliseconds";

/** Whose error it is, and whether a time that has passed is one. */
export interface ExpireRule {
  readonly command: string;
  readonly allows: "positive" | "any";
}

const maximum = 2n ** 63n - 1n;
const minimum = -(2n ** 63n);

/** @throws CommandError if it is no integer, not allowed, or beyond 64 bits as Redis computes it. */
export function relativeTtl(text: string, unit: TimeUnit, wallClockMs: number, rule: ExpireRule): number {
  const ttl = inMilliseconds(text, unit, rule);
  // Redis adds its clock and refuses what overflows.
  if (ttl > maximum - BigInt(wallClockMs)) throw invalidExpire(rule.command);
  return Number(ttl);
}

/** Zero or below if the moment has passed. */
export function absoluteTtl(text: string, unit: TimeUnit, wallClockMs: number, rule: ExpireRule): number {
  return Number(inMilliseconds(text, unit, rule) - BigInt(wallClockMs));
}

function inMilliseconds(text: string, unit: TimeUnit, rule: ExpireRule): bigint {
  const value = integerArgument(text);
  if (rule.allows === "positive" && value <= 0n) throw invalidExpire(rule.command);
  const ms = unit === "seconds" ? value * 1000n : value;
  if (ms > maximum || ms < minimum) throw invalidExpire(rule.command);
  return ms;
}
