/** What the framework reports with: a subset of pino's interface, so that a pino logger fits as it is. */
import { pino } from "pino";

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
