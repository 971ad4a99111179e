/** Histories for tests of the checker: written by hand, or of clients of a real object that takes operations one by one. */
import type { Model, Operation } from "../../../src/testing/linearizability/index.js";
import type { Random } from "../../../src/testing/random.js";

export type Line<I, O> = readonly [client: string, callMs: number, returnMs: number | undefined, input: I, output: O | undefined];

export function history<I, O>(...lines: readonly Line<I, O>[]): Operation<I, O>[] {
  return lines.map(([client, callMs, returnMs, input, output]) => ({ client, key: "x", callMs, returnMs, input, output }));
}

export interface Shape<I> {
  readonly clients: number;
  readonly keys: number;
  readonly operations: number;
  /** Operations whose client never hears of them; half of these took effect. At most `maxUnknown`. */
  readonly unknownChance: number;
  readonly maxUnknown: number;
  input(random: Random, nth: number): I;
}

interface Waiting<I, O> {
  readonly operation: Operation<I, O>;
  /** undefined: it has not taken effect yet. */
  output: O | undefined;
}

/** Each client has one operation under way at a time; when it takes effect, and when its client hears of it, is chance. */
export function historyOfOneObject<S, I, O>(model: Model<S, I, O>, random: Random, shape: Shape<I>): Operation<I, O>[] {
  const states = new Map<string, S>();
  const waiting = new Map<string, Waiting<I, O>>();
  const operations: Operation<I, O>[] = [];
  let unknown = 0;
  for (let now = 1, calls = 0; calls < shape.operations || waiting.size > 0; now++) {
    const client = `c${random.between(1, shape.clients)}`;
    const one = waiting.get(client);
    if (one === undefined) {
      if (calls === shape.operations) continue;
      waiting.set(client, { output: undefined, operation: { client, key: `k${random.between(1, shape.keys)}`, callMs: now, returnMs: undefined, input: shape.input(random, calls), output: undefined } });
      calls++;
    } else if (one.output === undefined && (unknown === shape.maxUnknown || !random.chance(shape.unknownChance / 2))) {
      const { key, input } = one.operation;
      const { state, output } = model.step(states.get(key) ?? model.initial, input);
      states.set(key, state);
      one.output = output;
    } else {
      const lost = one.output === undefined || (unknown < shape.maxUnknown && random.chance(shape.unknownChance / 2));
      if (lost) unknown++;
      operations.push(lost ? one.operation : { ...one.operation, returnMs: now, output: one.output });
      waiting.delete(client);
    }
  }
  return operations;
}

/** The definition itself: is there an order? For histories of a handful of operations. */
export function isLinearizableByTrial<S, I, O>(model: Model<S, I, O>, operations: readonly Operation<I, O>[], state = model.initial): boolean {
  if (operations.every(({ output }) => output === undefined)) return true;
  return operations.some((operation) => {
    const rest = operations.filter((other) => other !== operation);
    if (rest.some(({ returnMs }) => returnMs !== undefined && returnMs < operation.callMs)) return false;
    const after = model.step(state, operation.input);
    const fits = operation.output === undefined || model.outputKey(after.output) === model.outputKey(operation.output);
    return fits && isLinearizableByTrial(model, rest, after.state);
  });
}
