/** Drives the machine's handlers through an applier: time and positions are the test's own. */
import { createApplier } from "../../../../framework/dist/apply/applier.js";
import type { AppliedEntry, CommandOutcome, ReplicaIdentity } from "@lockstep/framework";
import { lockMachine, type LockState } from "../../src/machine/machine.js";
import type { OpenSessionInput, RequestState, Want, AcquireInput } from "../../src/machine/inputs.js";

type Commands = typeof lockMachine.commands;
type Name = keyof Commands;
type InputOf<N extends Name> = NonNullable<Commands[N]["types"]>["input"];
type ResultOf<N extends Name> = NonNullable<Commands[N]["types"]>["result"];

export const replica = (slot: number, incarnation = `replica-${slot}`): ReplicaIdentity => ({ slot, incarnation });

export class Rejected extends Error {
  readonly code: string;
  readonly details: unknown;
  constructor(code: string, details: unknown) {
    super(code);
    this.code = code;
    this.details = details;
  }
}

export class Driver {
  readonly #applier = createApplier(lockMachine, { checkDeterminism: false });
  #n = 0;
  now = 1_000_000;

  constructor({ checkDeterminism = true }: { readonly checkDeterminism?: boolean } = {}) {
    this.#applier = createApplier(lockMachine, { checkDeterminism });
  }

  get state(): LockState {
    return this.#applier.state;
  }

  get nextTimerAt(): number | undefined {
    return this.#applier.nextTimerAt;
  }

  /** One entry with these commands. */
  entry(commands: readonly { readonly name: string; readonly input: unknown }[], { origin = replica(1), members }: { readonly origin?: ReplicaIdentity; readonly members?: readonly ReplicaIdentity[] } = {}): AppliedEntry {
    this.#n++;
    const entry = { origin, n: this.#n, timeMs: this.now, members, commands };
    return this.#applier.apply({ position: this.#applier.position + 1, hash: `hash ${this.#applier.position + 1}`, entry } as never);
  }

  run<N extends Name>(name: N, input: InputOf<N>, origin = replica(1)): ResultOf<N> {
    const { commands } = this.entry([{ name, input }], { origin });
    return unwrap(commands[0]?.outcome) as ResultOf<N>;
  }

  /** Time passes; timers fire as they would. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const at = this.nextTimerAt;
      if (at === undefined || at > end) break;
      this.now = Math.max(this.now, at);
      this.entry([]);
    }
    this.now = end;
  }

  open(options: Partial<OpenSessionInput> = {}, origin = replica(1)): string {
    return this.run("openSession", { name: "", ttlMs: 10_000, lockDelayMs: 0, bound: false, principal: null, behavior: "release", ...options }, origin).session;
  }

  acquire(session: string, request: string, wants: string | readonly Want[], options: Partial<AcquireInput> = {}): RequestState {
    return this.run("acquire", { session, request, wants: typeof wants === "string" ? [{ lock: wants, mode: "EX" }] : wants, waitMs: null, ...options });
  }
}

function unwrap(outcome: CommandOutcome | undefined): unknown {
  if (outcome === undefined) throw new Error("no outcome");
  if (outcome.ok) return outcome.result;
  if (outcome.code === "REJECTED") {
    const { code, details } = outcome.details as { code: string; details: unknown };
    throw new Rejected(code, details);
  }
  throw new Error(`${outcome.code}: ${outcome.message}`);
}
