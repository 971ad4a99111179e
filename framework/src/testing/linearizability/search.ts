/**
 * The search for a linear order of the operations on one key: Wing and Gong's, with Lowe's cache of configurations
 * (G. Lowe, "Testing for linearizability", 2017). Operations are put in order one by one, each of those that come next at a time.
 *
 * Four things keep it short. A read-only operation that can come next comes next: whatever can follow can follow it too. A state
 * that some operation needs is not left for good. An operation of unknown outcome is tried only where it changes the state, and
 * only when nothing else led on. A configuration is given up if the same one was reached with fewer of those.
 */
import { Seen, type Configuration } from "./configurations.js";
import type { KeyHistory, Sources } from "./key-history.js";
import type { Model } from "./model.js";

export interface SearchResult {
  /** undecided: the limit was reached. */
  readonly verdict: "explained" | "unexplained" | "undecided";
  readonly configurations: number;
}

/** What is left to try: a configuration, or what operations of unknown outcome may make of one that led nowhere. */
type Branch<S> =
  | { readonly kind: "enter"; readonly at: Configuration<S> }
  | { readonly kind: "unknowns"; readonly from: readonly Configuration<S>[]; readonly seen: Seen };

/** How many configurations of one key are looked at before the search gives up: some seconds' worth, and some hundred megabytes. */
export const defaultConfigurationLimit = 2_000_000;

export function searchOrder<S, I, O>(model: Model<S, I, O>, history: KeyHistory<I, O>, limit: number): SearchResult {
  return new Search(model, history, limit).run();
}

class Search<S, I, O> {
  readonly #model: Model<S, I, O>;
  readonly #history: KeyHistory<I, O>;
  readonly #limit: number;
  readonly #seen = new Seen();
  readonly #stack: Branch<S>[];
  #configurations = 0;

  constructor(model: Model<S, I, O>, history: KeyHistory<I, O>, limit: number) {
    this.#model = model;
    this.#history = history;
    this.#limit = limit;
    this.#stack = [{ kind: "enter", at: { next: 0, ahead: [], used: history.unknowns.map(() => 0), state: model.initial } }];
  }

  run(): SearchResult {
    return { verdict: this.#search(), configurations: this.#configurations };
  }

  #search(): SearchResult["verdict"] {
    for (let branch = this.#stack.pop(); branch !== undefined; branch = this.#stack.pop()) {
      if (this.#configurations >= this.#limit) return "undecided";
      if (branch.kind === "unknowns") this.#tryUnknowns(branch.from, branch.seen);
      else {
        const at = this.#takeIdle(branch.at);
        if (at.next === this.#history.completed.length) return "explained";
        this.#enter(at);
      }
    }
    return "unexplained";
  }

  #enter(at: Configuration<S>): void {
    const state = this.#model.stateKey(at.state);
    this.#configurations++;
    if (!this.#seen.add(`${at.next}|${at.ahead.join()}|${state}`, at.used)) return;
    if (this.#history.unknowns.length > 0) {
      const seen = new Seen();
      seen.add(state, at.used);
      this.#stack.push({ kind: "unknowns", from: [at], seen });
    }
    this.#pushSuccessors(at);
  }

  /** Takes in all read-only ones that can come next. */
  #takeIdle(given: Configuration<S>): Configuration<S> {
    let at = given;
    for (let idle = this.#idle(at); idle !== undefined; idle = this.#idle(at)) at = withCompleted(at, idle, at.state);
    return at;
  }

  #idle(at: Configuration<S>): number | undefined {
    return this.#candidates(at).find((index) => this.#history.readOnly[index] === true && this.#after(at, index) !== undefined);
  }

  /** Completed operations that can come next: none that is not in returned before they were called. */
  #candidates({ next, ahead }: Configuration<S>): readonly number[] {
    const open = this.#history.open[next] ?? [];
    return ahead.length === 0 ? open : open.filter((index) => !ahead.includes(index));
  }

  /** undefined: in this state something else would have come back, or this one must not be left yet. */
  #after(at: Configuration<S>, index: number): Configuration<S> | undefined {
    const operation = this.#history.completed[index];
    if (operation === undefined) return undefined;
    const { state, output } = this.#model.step(at.state, operation.input);
    if (this.#model.outputKey(output) !== this.#history.outputs[index]) return undefined;
    const after = withCompleted(at, index, state);
    return this.#leavesForGood(at, after) ? undefined : after;
  }

  /** Something still needs the state that was left, and nothing leads back to it. */
  #leavesForGood(at: Configuration<S>, after: Configuration<S>): boolean {
    const left = this.#model.stateKey(at.state);
    const need = this.#history.needs.get(left);
    if (need === undefined || !someLeft(need.needers, after) || this.#model.stateKey(after.state) === left) return false;
    return this.#model.monotonic || (!this.#canCome(need, after) && !this.#canCome(this.#history.unforeseen, after));
  }

  #canCome({ completed, unknowns }: Sources, at: Configuration<S>): boolean {
    return someLeft(completed, at) || unknowns.some((group) => (at.used[group] ?? 0) < (this.#history.unknowns[group]?.callsMs.length ?? 0));
  }

  /** The one that returned first is tried first, and so pushed last. */
  #pushSuccessors(at: Configuration<S>): void {
    for (const index of this.#candidates(at).toReversed()) {
      const after = this.#after(at, index);
      if (after !== undefined) this.#stack.push({ kind: "enter", at: after });
    }
  }

  /** One more operation of unknown outcome than in each of these, and then a completed one; if that fails, one more still. */
  #tryUnknowns(from: readonly Configuration<S>[], seen: Seen): void {
    const reached = from.flatMap((at) => this.#withOneUnknown(at)).filter((at) => seen.add(this.#model.stateKey(at.state), at.used));
    this.#configurations += reached.length;
    const further = reached.filter((at) => this.#idle(at) === undefined);
    if (further.length > 0) this.#stack.push({ kind: "unknowns", from: further, seen });
    for (const at of reached) {
      if (this.#idle(at) === undefined) this.#pushSuccessors(at);
      else this.#stack.push({ kind: "enter", at });
    }
  }

  #withOneUnknown(at: Configuration<S>): Configuration<S>[] {
    const before = this.#model.stateKey(at.state);
    const untilMs = this.#history.completed[at.next]?.returnMs ?? Number.POSITIVE_INFINITY;
    return this.#history.unknowns.flatMap(({ input, callsMs }, group) => {
      const used = at.used[group] ?? 0;
      if ((callsMs[used] ?? Number.POSITIVE_INFINITY) > untilMs) return [];
      const { state } = this.#model.step(at.state, input);
      const after = { ...at, used: at.used.with(group, used + 1), state };
      return this.#model.stateKey(state) === before || this.#leavesForGood(at, after) ? [] : [after];
    });
  }
}

function withCompleted<S>(at: Configuration<S>, index: number, state: S): Configuration<S> {
  const ahead = [...at.ahead, index].sort((a, b) => a - b);
  let { next } = at;
  for (; ahead[0] === next; next++) ahead.shift();
  return { next, ahead, used: at.used, state };
}

/** Is one of these not in yet? */
function someLeft(indexes: readonly number[], { next, ahead }: Configuration<unknown>): boolean {
  return (indexes.findLast((index) => !ahead.includes(index)) ?? -1) >= next;
}
