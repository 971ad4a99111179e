/** Later: the only timers that the framework sets, so that a simulation can give its own. The system's by default. */

/** Idempotent. */
export type Cancel = () => void;

export interface Scheduler {
  /** However long; Infinity is never. */
  after(ms: number, call: () => void): Cancel;
  every(ms: number, call: () => void): Cancel;
  /** When the event loop has taken in what is there now. */
  soon(call: () => void): Cancel;
}

/** What setTimeout takes, 25 days; anything longer would be over after 1 ms. */
const longestTimerMs = 0x7fff_ffff;

export const systemScheduler: Scheduler = {
  after: (ms, call) => {
    let timer: NodeJS.Timeout;
    const wait = (leftMs: number): void => {
      timer = leftMs > longestTimerMs ? setTimeout(() => wait(leftMs - longestTimerMs), longestTimerMs) : setTimeout(call, leftMs);
    };
    wait(ms);
    return () => clearTimeout(timer);
  },
  every: (ms, call) => {
    const again = (): void => {
      cancel = systemScheduler.after(ms, again);
      call();
    };
    let cancel = systemScheduler.after(ms, again);
    return () => cancel();
  },
  soon: (call) => {
    const immediate = setImmediate(call);
    return () => clearImmediate(immediate);
  },
};
