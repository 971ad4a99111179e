/** What the framework reports with: a subset of pino's interface, so that a pino logger fits as it is. */
import { pino } from "pino";
import { LockstepError } from "./errors.js";

type LogMethod = (fields: Readonly<Record<string, unknown>>, message: string) => void;

export interface Logger {
  debug: LogMethod;
  info: LogMethod;
  warn: LogMethod;
  error: LogMethod;
}

/** Warnings and errors, as JSON lines on standard error. */
export function defaultLogger(): Logger {
  return pino({ name: "lockstep", level: "warn" }, pino.destination({ fd: 2, sync: true }));
}

const levels = ["debug", "info", "warn", "error"] as const;

/** @throws LockstepError CONFIGURATION_INVALID unless it has all methods: one that is missing would be missed in the midst of the protocol. */
export function checkLogger(logger: Partial<Logger> | undefined): void {
  for (const level of levels) {
    if (typeof logger?.[level] !== "function") throw new LockstepError("CONFIGURATION_INVALID", `logger must have the functions ${levels.join(", ")}, as a pino logger has; it has no ${level}`);
  }
}

/**
 * For one replica: each line says of which group it is. A replica goes on whether or not what it says can be written: loggers throw when
 * their destination was closed before the replica was stopped. Of the first such error the process is warned.
 */
export function ofReplica(group: string, logger: Logger): Logger {
  let warned = false;
  const call = (level: keyof Logger): LogMethod => (fields, message) => {
    try {
      logger[level]({ group, ...fields }, message);
    } catch (error) {
      if (!warned) process.emitWarning(`lockstep: the logger of a replica throws: ${String(error)}`);
      warned = true;
    }
  };
  return { debug: call("debug"), info: call("info"), warn: call("warn"), error: call("error") };
}
