/**
 * Applies one entry to one replicated value: due timers, the members' change, then the commands, each all or nothing.
 * A function of its arguments: no clock, no I/O, no randomness of its own, nothing changed outside.
 */
import type { CommandCall, CommittedEntry, Entry } from "../log/entry.js";
import { seal } from "../machine/seal.js";
import type { AnyMachine } from "../machine/types.js";
import { AnswerRun, type AnswerIndex } from "./answers.js";
import type { Circumstances } from "./command-context.js";
import { NotTogether, OneByOne, Together, type Handlers } from "./handlers.js";
import { changeOfMembers, pruneLastApplied } from "./members.js";
import { addOperation, isRecord, operationOf } from "./operations.js";
import { failed, succeeded, withMessage } from "./outcomes.js";
import type { Replicated } from "./replicated.js";
import { runHandler, type Handler } from "./run-handler.js";
import { dueTimers, removeTimer, type Timers } from "./timers.js";
import type { AppliedCommand, AppliedEntry, CommandOutcome, Operation } from "./types.js";

export interface EntryResult<S> {
  readonly next: Replicated<S>;
  readonly applied: AppliedEntry;
  /** What to adopt into the index of answers. */
  readonly answers: AnswerRun;
}

export type ApplyEntry = <S>(machine: AnyMachine<S>, base: Replicated<S>, index: AnswerIndex, committed: CommittedEntry) => EntryResult<S>;

/** In one draft; again one by one if that fails. */
export const applyEntry: ApplyEntry = (machine, base, index, committed) => {
  try {
    if (committed.entry.commands.length > 1) return runEntry(machine, new Together(base.machine, machine.commands), base, index, committed);
  } catch (error) {
    if (!(error instanceof NotTogether)) throw error;
  }
  return runEntry(machine, new OneByOne(runHandler, base.machine, machine.commands), base, index, committed);
};

export function runEntry<S>(machine: AnyMachine<S>, handlers: Handlers<S>, base: Replicated<S>, index: AnswerIndex, committed: CommittedEntry): EntryResult<S> {
  return new EntryRun(machine, handlers, base, index, committed).run();
}

/** One entry being applied: the values that its timers and commands leave to each other. */
class EntryRun<S> {
  readonly #machine: AnyMachine<S>;
  readonly #handlers: Handlers<S>;
  readonly #base: Replicated<S>;
  readonly #committed: CommittedEntry;
  readonly #answers: AnswerRun;
  readonly #now: number;
  #timers: Timers;
  #operations: readonly Operation[];

  constructor(machine: AnyMachine<S>, handlers: Handlers<S>, base: Replicated<S>, index: AnswerIndex, committed: CommittedEntry) {
    this.#machine = machine;
    this.#handlers = handlers;
    this.#base = base;
    this.#committed = committed;
    this.#answers = new AnswerRun(base, index, machine.requestRetention.maxRequests);
    this.#now = timeAfter(base.now, committed.entry);
    this.#timers = base.timers;
    this.#operations = base.operations;
  }

  run(): EntryResult<S> {
    const { origin, n, members, commands } = this.#committed.entry;
    if (n <= (this.#base.lastApplied.get(origin.incarnation)?.n ?? 0)) return this.#skip();
    const fired = this.#fireTimers();
    const membersChange = members === undefined ? undefined : this.#changeMembers();
    const applied = {
      position: this.#committed.position,
      origin,
      n,
      now: this.#now,
      skipped: false,
      commands: commands.map((call, i) => this.#applyCommand(call, i)),
      fired,
    };
    return { next: this.#next(), applied: membersChange === undefined ? applied : { ...applied, membersChange }, answers: this.#answers };
  }

  /** A second copy of an entry: it takes its position, and nothing else happens, not even to the time. */
  #skip(): EntryResult<S> {
    const { position, entry } = this.#committed;
    const now = this.#base.now ?? entry.timeMs;
    return {
      next: { ...this.#base, position },
      applied: { position, origin: entry.origin, n: entry.n, now, skipped: true, commands: [], fired: [] },
      answers: this.#answers,
    };
  }

  /** Those due when the entry comes; timers that these schedule wait for the next entry, even if they are due at once. */
  #fireTimers(): AppliedCommand[] {
    const fired: AppliedCommand[] = [];
    for (const [key, { command, input }] of dueTimers(this.#timers, this.#now)) {
      const timers = removeTimer(this.#timers, key);
      if (timers === this.#timers) continue; // cancelled by one that fired before it
      this.#timers = timers;
      const call: CommandCall = { name: command, input };
      fired.push({ call, outcome: this.#runCommand(call, `timer ${fired.length}`, undefined), repeated: false });
    }
    return fired;
  }

  #changeMembers(): AppliedEntry["membersChange"] {
    const change = changeOfMembers(this.#base.members, this.#committed.entry.members ?? []);
    if (change === undefined) return undefined;
    const handler = this.#machine.onMembersChanged;
    const outcome = this.#run("onMembersChanged", (draft, context) => handler?.(draft, change, context), this.#circumstances("members", undefined, undefined));
    return { change, outcome };
  }

  #applyCommand(call: CommandCall, i: number): AppliedCommand {
    if (isRecord(call)) return { call, outcome: this.#record(call), repeated: false };
    const { requestId, name } = call;
    const label = `command ${i}`;
    if (requestId === undefined) return { call, outcome: this.#runCommand(call, label, this.#committed.entry.origin), repeated: false };
    const answer = this.#answers.find(requestId);
    if (answer !== undefined && answer.command === name) return { call, outcome: withMessage(name, answer.outcome), repeated: true };
    if (answer !== undefined) {
      const message = `The request id ${JSON.stringify(requestId)} was answered before, for the command ${answer.command}; every new request needs a new id.`;
      return { call, outcome: failed("REQUEST_ID_REUSED", message), repeated: false };
    }
    const outcome = this.#runCommand(call, label, this.#committed.entry.origin);
    this.#answers.add(requestId, name, outcome);
    return { call, outcome, repeated: false };
  }

  /** Not a matter of the machine: an operator has done something to the group. */
  #record({ input }: CommandCall): CommandOutcome {
    const operation = operationOf(input, this.#committed.position, this.#now);
    if (operation === undefined) return failed("INVALID_INPUT", "The record of an operation has another form.");
    this.#operations = addOperation(this.#operations, operation);
    return succeeded(undefined);
  }

  #runCommand({ name, input, requestId }: CommandCall, label: string, origin: CommittedEntry["entry"]["origin"] | undefined): CommandOutcome {
    const { commands } = this.#machine;
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (command === undefined) return failed("UNKNOWN_COMMAND", `The machine ${this.#machine.name} has no command ${JSON.stringify(name)}.`);
    // Sealed, so that no run of a handler can change what the next one, or a subscriber, gets to see.
    return this.#run(name, (draft, context) => command.handler(draft, seal(input) as never, context), this.#circumstances(label, origin, requestId));
  }

  #run(name: string, handler: Handler<S>, circumstances: Circumstances): CommandOutcome {
    const { timers, outcome } = this.#handlers.run(name, handler, this.#timers, circumstances);
    this.#timers = timers;
    return outcome;
  }

  #circumstances(label: string, origin: Circumstances["origin"], requestId: string | undefined): Circumstances {
    const { position, hash } = this.#committed;
    return { now: this.#now, position, origin, requestId, seed: `${hash}/${label}` };
  }

  #next(): Replicated<S> {
    const { origin, n, members } = this.#committed.entry;
    const lastApplied = new Map(this.#base.lastApplied).set(origin.incarnation, { slot: origin.slot, n });
    return {
      position: this.#committed.position,
      now: this.#now,
      machine: this.#handlers.end(),
      members: seal(members ?? this.#base.members),
      lastApplied: members === undefined ? lastApplied : pruneLastApplied(lastApplied, members),
      timers: this.#timers,
      ...this.#answers.finish(),
      operations: this.#operations,
    };
  }
}

/**
 * Time never goes back, and begins with the group's first entry. An entry about members does not move it on: before the first
 * one is applied several replicas may have sent one, each by its own wall clock.
 */
function timeAfter(before: number | undefined, { timeMs, members }: Entry): number {
  if (before === undefined) return timeMs;
  return members === undefined ? Math.max(before, timeMs) : before;
}
