/** Later: the only timers that the framework sets, so that a simulation can give its own. The system's by default. */

/** Idempotent. */
export type Cancel = () => void;

export interface Scheduler {
  after(ms: number, call: () => void): Cancel;
  every(ms: number, call: () => void): Cancel;
  /** When the event loop has taken in what is there now. */
  soon(call: () => void): Cancel;
}

export const systemScheduler: Scheduler = {
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
  every: (ms, call) => {
    const timer = setInterval(call, ms);
    return () => clearInterval(timer);
  },
  soon: (call) => {
    const immediate = setImmediate(call);
    return () => clearImmediate(immediate);
  },
};
