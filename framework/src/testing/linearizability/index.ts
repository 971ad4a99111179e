/** A checker for histories: did all clients see one object, whose operations took effect one by one? */
export { checkLinearizable, type CheckOptions, type Linearizability } from "./check.js";
export { counterModel, type CounterInput } from "./counter.js";
export { mapEntryModel, type MapEntryInput, type MapEntryOutput } from "./map-entry.js";
export type { Model } from "./model.js";
export type { Operation } from "./operation.js";
export { registerModel, type RegisterInput, type RegisterOutput, type Value } from "./register.js";
export { defaultConfigurationLimit } from "./search.js";
