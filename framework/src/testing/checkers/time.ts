/** Cluster time: once begun it goes on by monotonic clocks, no faster than they do, whatever walls show and whoever restarts. */
import type { AppliedEntry } from "../../apply/types.js";
import { violated } from "./violation.js";

/** Simulated clocks run up to a twentieth fast; stamps are rounded. */
const fastest = 1.06;
const slackMs = 10;

export class TimeChecker {
  readonly #elapsedMs: () => number;
  /** When the first command was applied: before it, each replica may stamp entries by its own wall clock. */
  #begun: number | undefined;

  constructor(elapsedMs: () => number) {
    this.#elapsedMs = elapsedMs;
  }

  applied(who: string, position: number, { now, commands, fired }: AppliedEntry): void {
    // A group that has forgotten everything begins anew.
    if (position === 1) this.#begun = undefined;
    if (this.#begun === undefined && commands.length + fired.length > 0) this.#begun = now;
    const first = this.#begun ?? now;
    const most = first + this.#elapsedMs() * fastest + slackMs;
    if (now > most) violated("cluster time", `${who} applied position ${position} at ${now}, ${Math.round(now - first)} ms after the first command, ${Math.round(this.#elapsedMs())} ms after the start of all`);
  }
}
