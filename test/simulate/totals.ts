/** What all workers together have done, for the progress line and the summary. */
import { sumNames, type Progress, type SumName } from "./job.js";

export class Totals {
  readonly #startedMs = performance.now();
  readonly #faults = new Map<string, number>();
  readonly sums: Record<SumName, number> = Object.fromEntries(sumNames.map((name) => [name, 0])) as Record<SumName, number>;
  histories = 0;
  #longestRest = 0;

  add({ histories, sums, faults, longestRest }: Progress): void {
    this.histories += histories;
    for (const name of sumNames) this.sums[name] += sums[name];
    for (const [name, times] of Object.entries(faults)) this.#faults.set(name, (this.#faults.get(name) ?? 0) + times);
    this.#longestRest = Math.max(this.#longestRest, longestRest);
  }

  line(): string {
    const seconds = (performance.now() - this.#startedMs) / 1_000;
    return `${this.histories} histories, ${Math.round(this.histories / seconds)} per second, ${this.sums.views} views, ${this.sums.answered} calls answered`;
  }

  summary(): string {
    const ms = performance.now() - this.#startedMs;
    const { simulatedMs, answered, refused, unknown, applied, views, snapshots } = this.sums;
    return [
      `${this.histories} histories in ${(ms / 1_000).toFixed(0)} s: ${(simulatedMs / 3_600_000).toFixed(1)} h of simulated time, ${Math.round(simulatedMs / ms)} times real time`,
      `calls: ${answered} answered, ${refused} refused or read in vain, ${unknown} of unknown outcome`,
      `${applied} entries applied, ${views} primary views, ${snapshots} states taken over from another replica`,
      `at rest ${(this.#longestRest / 10).toFixed(1)} s of simulated time after the faults stopped, at the latest`,
      `faults: ${Array.from(this.#faults).sort(([, a], [, b]) => b - a).map(([name, times]) => `${name} ${times}`).join(", ")}`,
    ].join("\n");
  }
}
