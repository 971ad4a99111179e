/** What replicas in one process report on the terminal: errors, a line each. A first start without data is no news here. */
import type { Logger } from "@lockstep/framework";

const ignore = (): void => undefined;

export const quietLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: (fields, message) => {
    process.stderr.write(`lockstep-kv: ${message} ${JSON.stringify(fields)}\n`);
  },
};
