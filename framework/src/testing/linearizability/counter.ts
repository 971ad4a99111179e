/** A counter: an increment returns the new value. */
import type { Model } from "./model.js";

export type CounterInput = "increment" | "read";

export const counterModel: Model<number, CounterInput, number> = {
  initial: 0,
  monotonic: true,
  step(state, input) {
    const value = input === "increment" ? state + 1 : state;
    return { state: value, output: value };
  },
  stateKey: String,
  inputKey: (input) => input,
  outputKey: String,
  tell(input, output) {
    if (input === "read") return { readOnly: true, before: output?.toString(), after: undefined };
    return { readOnly: false, before: output === undefined ? undefined : String(output - 1), after: output?.toString() };
  },
};
