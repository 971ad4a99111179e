/** createApplier: applies committed entries to a machine's state, and takes and restores snapshots of all of it. */
import { isDraftable } from "immer";
import { invariant, LockstepError } from "../errors.js";
import type { CommittedEntry } from "../log/entry.js";
import { seal } from "../machine/seal.js";
import type { AnyMachine } from "../machine/types.js";
import { AnswerIndex } from "./answers.js";
import { applyEntry, type ApplyEntry } from "./apply-entry.js";
import { applyEntryChecked } from "./determinism-check.js";
import { digestOf } from "./digest.js";
import { withMessage } from "./outcomes.js";
import { initialReplicated, type Replicated } from "./replicated.js";
import { aboutBytes, sliceSnapshot } from "./snapshot-source.js";
import { receiveSnapshot, replicatedOf } from "./snapshot-sink.js";
import { nextTimerAt } from "./timers.js";
import type { Applier, AppliedEntry, CommandOutcome, DigestRun, Operation, RestoredState, SnapshotSink, SnapshotSource } from "./types.js";

export interface ApplierOptions {
  /** Development check: runs every handler twice and throws DIVERGED, naming the command, if the runs differ. Default false. */
  readonly checkDeterminism?: boolean;
}

/** @throws LockstepError CONFIGURATION_INVALID if initialState() does not return a state that can be replicated. */
export function createApplier<S>(machine: AnyMachine<S>, options: ApplierOptions = {}): Applier<S> {
  return new MachineApplier(machine, options);
}

class MachineApplier<S> implements Applier<S> {
  readonly #machine: AnyMachine<S>;
  readonly #applyEntry: ApplyEntry;
  #replicated: Replicated<S>;
  #index: AnswerIndex;

  constructor(machine: AnyMachine<S>, { checkDeterminism = false }: ApplierOptions) {
    this.#machine = machine;
    this.#applyEntry = checkDeterminism ? applyEntryChecked : applyEntry;
    this.#replicated = initialReplicated(initialStateOf(machine));
    this.#index = new AnswerIndex(this.#replicated.answers);
  }

  get position(): number {
    return this.#replicated.position;
  }

  get state(): S {
    return this.#replicated.machine;
  }

  get now(): number | undefined {
    return this.#replicated.now;
  }

  get operations(): readonly Operation[] {
    return this.#replicated.operations;
  }

  get nextTimerAt(): number | undefined {
    return nextTimerAt(this.#replicated.timers);
  }

  apply(committed: CommittedEntry): AppliedEntry {
    const { position, entry } = committed;
    invariant(position === this.position + 1, `The entry at ${position} cannot be applied after ${this.position}.`);
    invariant(Number.isFinite(entry.timeMs), `The entry at ${position} has no time.`);
    const { next, applied, answers } = this.#applyEntry(this.#machine, this.#replicated, this.#index, committed);
    this.#replicated = next;
    this.#index.adopt(answers);
    return applied;
  }

  answered(requestId: string): CommandOutcome | undefined {
    const number = this.#index.numberOf(requestId);
    const answer = number === undefined ? undefined : this.#replicated.answers.get(number);
    return answer && withMessage(answer.command, answer.outcome);
  }

  lastApplied(incarnation: string): number {
    return this.#replicated.lastApplied.get(incarnation)?.n ?? 0;
  }

  capture(): SnapshotSource {
    const captured = this.#replicated;
    return {
      position: captured.position,
      slices: (sliceBytes) => sliceSnapshot(this.#machine, captured, sliceBytes),
      aboutBytes: () => aboutBytes(captured),
    };
  }

  receive(): SnapshotSink {
    return receiveSnapshot(this.#machine);
  }

  restore(restored: RestoredState): void {
    const replicated = replicatedOf<S>(restored);
    invariant(replicated.position >= this.position, `The snapshot of ${replicated.position} would take the applied position back from ${this.position}.`);
    this.#replicated = replicated;
    this.#index = new AnswerIndex(replicated.answers);
  }

  digest(): DigestRun {
    return digestOf(this.#replicated);
  }
}

function initialStateOf<S>(machine: AnyMachine<S>): S {
  const invalid = (why: string, cause?: unknown): LockstepError => new LockstepError("CONFIGURATION_INVALID", `The machine ${machine.name}: initialState() must return an object, an array, a Map, a Set or a Table of plain data: ${why}`, { cause });
  let state: S;
  try {
    state = seal(machine.initialState());
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (!isDraftable(state)) throw invalid(`it returned ${typeof state === "object" ? "something that cannot be drafted" : typeof state}.`);
  return state;
}
