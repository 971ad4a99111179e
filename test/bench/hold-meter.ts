/**
 * For how long the event loop was held, and how much of that this thread itself was at work: the rest it waited, for a core that
 * others had, or for a helper that waited for one.
 */
import { readFileSync } from "node:fs";

export class HoldMeter {
  /** How late a timer of 1 ms was at worst. */
  longestMs = 0;
  /** The most CPU of this thread between two turns of that timer. */
  longestCpuMs = 0;
  #turnMs = performance.now();
  #cpuMs = threadCpuMs();

  constructor() {
    setInterval(() => this.#turn(), 1).unref();
  }

  /** Forgets what was, the present turn included. */
  reset(): void {
    this.#turn();
    this.longestMs = 0;
    this.longestCpuMs = 0;
  }

  #turn(): void {
    const [now, cpu] = [performance.now(), threadCpuMs()];
    this.longestMs = Math.max(this.longestMs, now - this.#turnMs - 1);
    this.longestCpuMs = Math.max(this.longestCpuMs, cpu - this.#cpuMs);
    [this.#turnMs, this.#cpuMs] = [now, cpu];
  }
}

/** Linux: nanoseconds on a core, waiting for one, and how often. */
function threadCpuMs(): number {
  return Number(readFileSync("/proc/thread-self/schedstat", "latin1").split(" ")[0]) / 1e6;
}
