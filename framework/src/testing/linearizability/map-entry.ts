/** One key of a map with compare-and-set. */
import type { Model } from "./model.js";
import type { Value } from "./register.js";

export type MapEntryInput =
  | { readonly type: "read" }
  | { readonly type: "write"; readonly value: Value }
  /** Writes if `expected` is there; null expects nothing there. */
  | { readonly type: "cas"; readonly expected: Value | null; readonly value: Value }
  | { readonly type: "delete" };

/** What was read, null if nothing was there; whether a cas wrote, or a delete found something; writes return "written". */
export type MapEntryOutput = { readonly read: Value | null } | "written" | boolean;

export const mapEntryModel: Model<Value | null, MapEntryInput, MapEntryOutput> = {
  initial: null,
  monotonic: false,
  step(state, input) {
    switch (input.type) {
      case "read": return { state, output: { read: state } };
      case "write": return { state: input.value, output: "written" };
      case "cas": return state === input.expected ? { state: input.value, output: true } : { state, output: false };
      case "delete": return { state: null, output: state !== null };
      default: return input satisfies never;
    }
  },
  stateKey: (state) => JSON.stringify(state),
  inputKey(input) {
    switch (input.type) {
      case "read":
      case "delete": return input.type;
      case "write": return `write ${JSON.stringify(input.value)}`;
      case "cas": return `cas ${JSON.stringify(input.expected)} to ${JSON.stringify(input.value)}`;
      default: return input satisfies never;
    }
  },
  outputKey: (output) => (typeof output === "object" ? JSON.stringify(output.read) : String(output)),
  tell(input, output) {
    switch (input.type) {
      case "read": return { readOnly: true, before: typeof output === "object" ? JSON.stringify(output.read) : undefined, after: undefined };
      case "write": return { readOnly: false, before: undefined, after: JSON.stringify(input.value) };
      case "cas": return { readOnly: output === false, before: output === true ? JSON.stringify(input.expected) : undefined, after: JSON.stringify(input.value) };
      case "delete": return { readOnly: output === false, before: output === false ? "null" : undefined, after: "null" };
      default: return input satisfies never;
    }
  },
};
