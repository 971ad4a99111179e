/** Time as a lease needs it: monotonic, of this machine. Wall clocks jump. */
export interface ClientClock {
  /** Milliseconds since any fixed moment; goes on while the process is stopped. */
  now(): number;
  /** Returns a function that cancels it. Timers do not keep the process alive, but for those that somebody waits for (`awaited`). */
  after(ms: number, run: () => void, awaited?: boolean): () => void;
}

/** setTimeout takes no longer times: 2^31 - 1 ms. */
const longestTimerMs = 0x7fff_ffff;

export const systemClientClock: ClientClock = {
  now: () => performance.now(),
  after: (ms, run, awaited = false) => {
    const timer = setTimeout(run, Math.min(Math.max(0, ms), longestTimerMs));
    if (!awaited) timer.unref();
    return () => clearTimeout(timer);
  },
};

/**
 * Up to `ms`, at least half of it: clients that lost the same replica do not come back in step. Over sooner when the signal is aborted.
 * A process in which nothing else goes on waits for it: else it would end, without an error, in the midst of a call.
 */
export function pause(clock: ClientClock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(ms * (0.5 + Math.random() / 2), end, true);
    if (signal?.aborted === true) end();
    else signal?.addEventListener("abort", end, { once: true });
  });
}
