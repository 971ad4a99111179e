/**
 * The development check: runs each handler twice from the same state and compares, and each entry once as it is without the check. It finds what differs between two runs
 * in one process (Date.now(), Math.random(), iteration over something outside the state, a counter in a module); what
 * differs between machines, it cannot.
 */
import { LockstepError } from "../errors.js";
import { applyEntry, runEntry, type ApplyEntry } from "./apply-entry.js";
import { OneByOne } from "./handlers.js";
import { agreedPart } from "./outcomes.js";
import { runHandler, type RunHandler } from "./run-handler.js";
import { sameState } from "./same-state.js";

export const applyEntryChecked: ApplyEntry = (machine, base, index, committed) => {
  const checked = runEntry(machine, new OneByOne(runHandlerTwice, base.machine, machine.commands), base, index, committed);
  const unchecked = applyEntry(machine, base, index, committed);
  if (!sameState(checked.next, unchecked.next) || !sameState(checked.applied, unchecked.applied)) {
    const names = [...new Set(committed.entry.commands.map(({ name }) => name))].join(", ");
    throw new LockstepError("DIVERGED", `One of ${names} is not deterministic: at position ${committed.position}, it makes a difference which commands came in the same entry. Handlers may not use immer's original(), keep drafts, or keep what current() gives of a Table: new Table(draft.table) does not change with the draft.`);
  }
  return checked;
};

const runHandlerTwice: RunHandler = (name, handler, base, circumstances, commands) => {
  const first = runHandler(name, handler, base, circumstances, commands);
  const second = runHandler(name, handler, base, circumstances, commands);
  const differs = (what: string): LockstepError =>
    new LockstepError("DIVERGED", `${name} is not deterministic: run twice from the same state at position ${circumstances.position}, it gave two ${what}. Handlers may only use the draft, their input and the context (context.now, context.random(), context.uuid()).`);
  if (!sameState(agreedPart(first.outcome), agreedPart(second.outcome))) throw differs("results");
  if (!sameState(first.timers, second.timers)) throw differs("sets of timers");
  if (!sameState(first.machine, second.machine)) throw differs("states");
  return first;
};
