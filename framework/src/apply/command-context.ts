/** The context of one running handler: what it may know, its randomness, and the timers it schedules and cancels. */
import { LockstepError } from "../errors.js";
import type { ReplicaIdentity } from "../log/entry.js";
import type { Context } from "../machine/types.js";
import { DeterministicRandom } from "./deterministic-random.js";
import { keyOfTimer, removeTimer, schedule, type Timers } from "./timers.js";

export interface Circumstances {
  readonly now: number;
  readonly position: number;
  readonly origin: ReplicaIdentity | undefined;
  readonly requestId: string | undefined;
  /** Of ctx.random() and ctx.uuid(). */
  readonly seed: string;
}

export class CommandContext implements Context {
  readonly now: number;
  readonly position: number;
  readonly origin: ReplicaIdentity | undefined;
  readonly requestId: string | undefined;
  readonly #seed: string;
  readonly #commandNames: Readonly<Record<string, unknown>>;
  #randomness: DeterministicRandom | undefined;
  #timers: Timers;
  #ended = false;

  constructor(circumstances: Circumstances, timers: Timers, commands: Readonly<Record<string, unknown>>) {
    this.now = circumstances.now;
    this.position = circumstances.position;
    this.origin = circumstances.origin;
    this.requestId = circumstances.requestId;
    this.#seed = circumstances.seed;
    this.#timers = timers;
    this.#commandNames = commands;
  }

  random(): number {
    return this.#source().random();
  }

  uuid(): string {
    return this.#source().uuid();
  }

  schedule(at: number, command: string, input?: unknown): string {
    this.#checkRunning();
    if (!Object.hasOwn(this.#commandNames, command)) throw new LockstepError("MACHINE_FAULT", `schedule(): the machine has no command ${JSON.stringify(command)}.`);
    const { timers, id } = schedule(this.#timers, at, { command, input });
    this.#timers = timers;
    return id;
  }

  cancel(timerId: string): boolean {
    this.#checkRunning();
    if (typeof timerId !== "string") throw new LockstepError("MACHINE_FAULT", `cancel() takes the id that schedule() returned, not ${String(timerId)}.`);
    const key = keyOfTimer(timerId);
    const remaining = key === undefined ? this.#timers : removeTimer(this.#timers, key);
    const found = remaining !== this.#timers;
    this.#timers = remaining;
    return found;
  }

  /** Ends it: the timers as the handler left them. */
  end(): Timers {
    this.#ended = true;
    return this.#timers;
  }

  #source(): DeterministicRandom {
    this.#checkRunning();
    this.#randomness ??= new DeterministicRandom(this.#seed);
    return this.#randomness;
  }

  #checkRunning(): void {
    if (this.#ended) throw new LockstepError("MACHINE_FAULT", "The context was used after its handler had returned; handlers are synchronous.");
  }
}
