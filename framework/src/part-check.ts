/** Whether the parts that an application provides are what they stand for: JavaScript may give anything, and a promise of a part is none. */
import { LockstepError } from "./errors.js";
import { checkLogger } from "./logger.js";
import type { PartName, ReplicaParts } from "./container.js";

const functionsOf: { readonly [K in PartName]?: readonly (keyof ReplicaParts[K] & string)[] } = {
  applier: ["apply", "answered", "lastApplied", "capture", "receive", "restore", "digest"],
  log: ["append", "hashAt", "at", "truncateAfter", "dropThrough", "reset"],
  policy: ["judge", "nobodyMissing", "promptAnswers", "promised", "committed"],
  clock: ["monotonicMs", "wallMs"],
  scheduler: ["after", "every", "soon"],
  observer: ["stepped", "applied"],
};

/** All but the transport, which is looked at with the options. What is none would fail in the midst of the protocol. @throws LockstepError CONFIGURATION_INVALID. */
export function checkParts(parts: ReplicaParts): void {
  checkLogger(parts.logger);
  for (const [name, functions] of Object.entries(functionsOf)) {
    const part = parts[name as PartName] as Readonly<Record<string, unknown>> | null | undefined;
    const missing = functions.find((one) => typeof part?.[one] !== "function");
    if (missing !== undefined) throw new LockstepError("CONFIGURATION_INVALID", `provide.${name} must return a part with the functions ${functions.join(", ")}; it has no ${missing}`);
  }
  for (const name of ["monotonicMs", "wallMs"] as const) checkTime(name, parts.clock[name]());
  if (typeof parts.newIncarnation !== "function") throw new LockstepError("CONFIGURATION_INVALID", "provide.newIncarnation must return a function that makes an id of 16 hexadecimal digits, another one each time");
  if (parts.openStore !== undefined && typeof parts.openStore !== "function") throw new LockstepError("CONFIGURATION_INVALID", "provide.openStore must return a function that opens a disk, or undefined");
}

/** process.hrtime.bigint is no such function: every tick of the replica would end with an exception that nobody can catch. */
function checkTime(name: string, time: unknown): void {
  if (!Number.isFinite(time)) throw new LockstepError("CONFIGURATION_INVALID", `provide.clock must return a clock whose ${name}() is a number of milliseconds, not ${typeof time === "bigint" ? "a bigint" : String(time)}`);
}
