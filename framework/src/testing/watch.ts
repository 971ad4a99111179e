/** Looks on at all processes of a history for the checkers, and writes down what they do. */
import type { AppliedEntry } from "../apply/types.js";
import { AgreementChecker } from "./checkers/agreement.js";
import { DurabilityChecker } from "./checkers/durability.js";
import { TimeChecker } from "./checkers/time.js";
import { Violation } from "./checkers/violation.js";
import { ViewChecker } from "./checkers/views.js";
import type { Effect } from "../core/events.js";
import type { CoreState } from "../core/state.js";
import { formatEffect, formatEvent } from "./format.js";
import type { ProtocolObserver } from "../observer.js";
import type { SimulatedProcess } from "./simulated-process.js";

/** Digests are compared at every position that this divides, and at the end. */
const digestEvery = 16;

export class Watch {
  readonly #trace: ((line: string) => void) | undefined;
  readonly #applied: (entry: AppliedEntry, hash: string) => void;
  readonly #agreement = new AgreementChecker();
  readonly #views = new ViewChecker();
  readonly #time: TimeChecker;
  readonly #durability = new DurabilityChecker();
  /** The first. It is found in the middle of a replica's work, which goes on. */
  violation: Violation | undefined;
  snapshots = 0;

  constructor(trace: ((line: string) => void) | undefined, elapsedMs: () => number, applied: (entry: AppliedEntry, hash: string) => void) {
    this.#trace = trace;
    this.#applied = applied;
    this.#time = new TimeChecker(elapsedMs);
  }

  /** Entries, by all replicas together. */
  get applied(): number {
    return this.#agreement.applied;
  }

  get views(): number {
    return this.#views.views;
  }

  /** On purpose: what its replica promised to keep is gone. */
  diskLost(slot: number): void {
    this.#durability.lost(slot);
  }

  observe(process: SimulatedProcess): ProtocolObserver {
    return {
      stepped: (core, event, effects) => {
        const line = this.#trace === undefined ? undefined : formatEvent(event);
        if (line !== undefined) this.#trace?.(`  ${process.name} ${line}`);
        for (const effect of this.#trace === undefined ? [] : effects) this.#trace?.(`  ${process.name}     ${formatEffect(effect)}`);
        this.#note(() => this.#views.stepped(process.name, core, effects));
        this.#note(() => this.#durability.stepped(process, process.name, core, effects));
        for (const effect of effects) this.#lookAt(process, core, effect);
      },
      applied: (core, position, entry, applied) => {
        const names = [...applied.fired, ...applied.commands].map(({ call }) => call.name);
        this.#trace?.(`  ${process.name}     applied ${position}#${entry.hash.slice(0, 4)} ${entry.record.incarnation.slice(-3)}/${entry.record.n}${applied.skipped ? " (a second copy)" : ""} at ${Math.round(applied.now)}: ${names.join(" ")}`);
        this.#note(() => {
          this.#time.applied(process.name, position, applied);
          this.#agreement.entryApplied(process, process.name, core.ballot, position, entry, applied);
          this.#applied(applied, entry.hash);
          if (position % digestEvery === 0) this.#agreement.state(process.name, position, process.digest());
        });
      },
    };
  }

  #lookAt(process: SimulatedProcess, { view }: CoreState, effect: Effect): void {
    if (effect.type === "adoptState") this.snapshots++;
    if (effect.type !== "viewInstalled" || view === undefined) return;
    this.#note(() => this.#agreement.target(process.name, effect.ballot, view.target.position, view.target.hash));
  }

  /** @throws Violation. */
  compareStates(processes: Iterable<SimulatedProcess>): void {
    for (const process of processes) this.#agreement.state(process.name, process.position, process.digest());
  }

  #note(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.violation ??= error instanceof Violation ? error : new Violation("checker", String(error), { cause: error });
    }
  }
}
