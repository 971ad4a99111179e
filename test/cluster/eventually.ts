/** Waiting for a condition, never for time. Not for in-process groups, which a turn of the event loop moves on. */

/** Only a failure waits for it: whole clusters of processes take their time where something else has the cores. */
export const patienceMs = 60_000;

export interface EventuallyOptions {
  /** What is waited for, as a sentence's end: "node 3 to be alone". Printed when it does not come. */
  readonly what: string;
  /** Default: patienceMs. */
  readonly timeoutMs?: number;
  /** Between two looks. Default 50. */
  readonly intervalMs?: number;
  /** More to print when it does not come. */
  readonly details?: () => string | Promise<string>;
}

/**
 * Looks again and again until `condition` returns something other than false or undefined, and returns that. A condition
 * that throws has not come yet; its last error is printed if it never comes.
 */
export async function eventually<T>(condition: () => T | false | undefined | Promise<T | false | undefined>, options: EventuallyOptions): Promise<T> {
  const { timeoutMs = patienceMs } = options;
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== false && value !== undefined) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() >= deadline) break;
    await new Promise((resolve) => { setTimeout(resolve, options.intervalMs ?? 50); });
  }
  const details = options.details === undefined ? "" : `\n${await options.details()}`;
  throw new Error(`Waited ${String(timeoutMs)} ms in vain for ${options.what}.${details}`, { cause: lastError });
}
