/** A register: a read returns what was written last. */
import type { Model } from "./model.js";

export type Value = string | number;

export type RegisterInput = { readonly type: "read" } | { readonly type: "write"; readonly value: Value };
/** What was read, null before the first write; writes return "written". */
export type RegisterOutput = { readonly read: Value | null } | "written";

export const registerModel: Model<Value | null, RegisterInput, RegisterOutput> = {
  initial: null,
  monotonic: false,
  step: (state, input) => (input.type === "read" ? { state, output: { read: state } } : { state: input.value, output: "written" }),
  stateKey: (state) => JSON.stringify(state),
  inputKey: (input) => (input.type === "read" ? "read" : `write ${JSON.stringify(input.value)}`),
  outputKey: (output) => (output === "written" ? output : JSON.stringify(output.read)),
  tell(input, output) {
    if (input.type === "write") return { readOnly: false, before: undefined, after: JSON.stringify(input.value) };
    return { readOnly: true, before: typeof output === "object" ? JSON.stringify(output.read) : undefined, after: undefined };
  },
};
