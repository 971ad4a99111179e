/** Are the results that clients got those of one correct object, whose operations took effect one by one between call and return? */
import { keyHistory } from "./key-history.js";
import type { Model } from "./model.js";
import { isCompleted, type Completed, type Operation } from "./operation.js";
import { defaultConfigurationLimit, searchOrder } from "./search.js";
import { formatTimeline } from "./timeline.js";

export interface CheckOptions {
  /** Configurations looked at per key before the answer is "undecided". */
  readonly limit?: number;
}

export type Linearizability<I, O> =
  | { readonly kind: "linearizable"; readonly configurations: number }
  | {
    readonly kind: "violation";
    readonly key: string;
    /** The shortest prefix of the key's history that nothing explains. What had not returned by its end counts as of unknown outcome. */
    readonly operations: readonly Operation<I, O>[];
    /** For people: who called what, when, and what came back. */
    readonly timeline: string;
  }
  /** Neither shown nor refuted: to be taken as a failure. */
  | { readonly kind: "undecided"; readonly key: string; readonly configurations: number; readonly reason: string };

export function checkLinearizable<S, I, O>(model: Model<S, I, O>, operations: readonly Operation<I, O>[], { limit = defaultConfigurationLimit }: CheckOptions = {}): Linearizability<I, O> {
  let configurations = 0;
  let undecided: Linearizability<I, O> | undefined;
  for (const [key, ofKey] of byKey(operations)) {
    const result = searchOrder(model, keyHistory(model, ofKey), limit);
    configurations += result.configurations;
    if (result.verdict === "unexplained") return violation(model, key, ofKey, limit);
    if (result.verdict === "undecided") undecided ??= { kind: "undecided", key, configurations: result.configurations, reason: `key ${key}: ${ofKey.length} operations, not decided after ${result.configurations} configurations` };
  }
  return undecided ?? { kind: "linearizable", configurations };
}

function byKey<I, O>(operations: readonly Operation<I, O>[]): Map<string, Operation<I, O>[]> {
  const keys = new Map<string, Operation<I, O>[]>();
  for (const operation of operations) {
    const { client, key, callMs, returnMs } = operation;
    if (returnMs !== undefined && !(returnMs >= callMs)) throw new RangeError(`an operation of ${client} on ${key} returned at ${returnMs}, before its call at ${callMs}`);
    const ofKey = keys.get(key) ?? [];
    keys.set(key, ofKey);
    ofKey.push(operation);
  }
  return keys;
}

/** A prefix of what can be explained can be explained; so the shortest that cannot be is found by halving. */
function violation<S, I, O>(model: Model<S, I, O>, key: string, ofKey: readonly Operation<I, O>[], limit: number): Linearizability<I, O> {
  const returnsMs = ofKey.filter(isCompleted).map(({ returnMs }) => returnMs).sort((a, b) => a - b);
  const isUnexplained = (returns: number): boolean =>
    searchOrder(model, keyHistory(model, prefixUntil(ofKey, returnsMs[returns - 1] ?? 0)), limit).verdict === "unexplained";
  let explained = 0;
  let unexplained = returnsMs.length;
  while (unexplained - explained > 1) {
    const middle = Math.floor((explained + unexplained) / 2);
    if (isUnexplained(middle)) unexplained = middle;
    else explained = middle;
  }
  const operations = prefixUntil(ofKey, returnsMs[unexplained - 1] ?? 0);
  return { kind: "violation", key, operations, timeline: formatTimeline(model, key, operations) };
}

/** What was known at that time, by ascending call. */
function prefixUntil<I, O>(operations: readonly Operation<I, O>[], untilMs: number): Operation<I, O>[] {
  const isKnown = (operation: Operation<I, O>): operation is Completed<I, O> => isCompleted(operation) && operation.returnMs <= untilMs;
  return operations
    .filter(({ callMs }) => callMs <= untilMs)
    .map((operation) => (isKnown(operation) ? operation : { ...operation, returnMs: undefined, output: undefined }))
    .sort((a, b) => a.callMs - b.callMs);
}
