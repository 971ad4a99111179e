/** The operations on one key, laid out for the search. */
import type { Model, Told } from "./model.js";
import { isCompleted, type Completed, type Operation } from "./operation.js";

/** Operations of unknown outcome with equal inputs: which of them took effect makes no difference, only how many. */
export interface Unknowns<I> {
  readonly input: I;
  /** Ascending. */
  readonly callsMs: readonly number[];
}

export interface KeyHistory<I, O> {
  /** By ascending return. */
  readonly completed: readonly Completed<I, O>[];
  /** outputKey() of each. */
  readonly outputs: readonly string[];
  /** For each, the completed ones from it on that were called before it returned, itself first. */
  readonly open: readonly (readonly number[])[];
  readonly unknowns: readonly Unknowns<I>[];
  /** Completed ones that leave every state as it is. */
  readonly readOnly: readonly boolean[];
  /** Who needs a state and who leads to it, by stateKey(). */
  readonly needs: ReadonlyMap<string, Need>;
  /** Completed and unknown ones that lead to who knows which state. */
  readonly unforeseen: Sources;
}

export interface Sources {
  /** Completed ones, ascending. */
  readonly completed: number[];
  /** Groups of unknown ones. */
  readonly unknowns: number[];
}

export interface Need extends Sources {
  /** Completed ones, ascending, that fit no other state. */
  readonly needers: number[];
}

export function keyHistory<S, I, O>(model: Model<S, I, O>, operations: readonly Operation<I, O>[]): KeyHistory<I, O> {
  const completed = operations.filter(isCompleted).sort((a, b) => a.returnMs - b.returnMs || a.callMs - b.callMs);
  const unknowns = groupUnknowns(model, operations);
  const told = completed.map(({ input, output }) => model.tell(input, output));
  return {
    completed, unknowns,
    outputs: completed.map(({ output }) => model.outputKey(output)),
    open: openAtReturns(completed),
    readOnly: told.map(({ readOnly }) => readOnly),
    ...findNeeds(told, unknowns.map(({ input }) => model.tell(input, undefined))),
  };
}

function findNeeds(completed: readonly Told[], unknowns: readonly Told[]): Pick<KeyHistory<unknown, unknown>, "needs" | "unforeseen"> {
  const needs = new Map<string, Need>();
  const unforeseen: Sources = { completed: [], unknowns: [] };
  const needOf = (state: string): Need => {
    const need = needs.get(state) ?? { needers: [], completed: [], unknowns: [] };
    needs.set(state, need);
    return need;
  };
  const sources = ({ after }: Told): Sources => (after === undefined ? unforeseen : needOf(after));
  for (const [index, told] of completed.entries()) {
    if (told.before !== undefined) needOf(told.before).needers.push(index);
    if (!told.readOnly) sources(told).completed.push(index);
  }
  for (const [group, told] of unknowns.entries()) if (!told.readOnly) sources(told).unknowns.push(group);
  return { needs, unforeseen };
}

function openAtReturns(completed: readonly Completed<unknown, unknown>[]): number[][] {
  const open: number[][] = completed.map(() => []);
  for (const [index, { callMs }] of completed.entries()) {
    for (let at = index; at >= 0 && (completed[at]?.returnMs ?? 0) >= callMs; at--) open[at]?.push(index);
  }
  return open;
}

function groupUnknowns<S, I, O>(model: Model<S, I, O>, operations: readonly Operation<I, O>[]): Unknowns<I>[] {
  const groups = new Map<string, { readonly input: I; readonly callsMs: number[] }>();
  for (const { input, callMs } of operations.filter((operation) => !isCompleted(operation))) {
    const key = model.inputKey(input);
    const group = groups.get(key) ?? { input, callsMs: [] };
    groups.set(key, group);
    group.callsMs.push(callMs);
  }
  for (const { callsMs } of groups.values()) callsMs.sort((a, b) => a - b);
  return Array.from(groups.values());
}
