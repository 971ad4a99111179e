/** Time as a lease needs it: monotonic, of this machine. Wall clocks jump. */
export interface ClientClock {
  /** Milliseconds since any fixed moment; goes on while the process is stopped. */
  now(): number;
  /** Returns a function that cancels it. Timers do not keep the process alive. */
  after(ms: number, run: () => void): () => void;
}

/** setTimeout takes no longer times: 2^31 - 1 ms. */
const longestTimerMs = 0x7fff_ffff;

export const systemClientClock: ClientClock = {
  now: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(Math.max(0, ms), longestTimerMs)).unref();
    return () => clearTimeout(timer);
  },
};
