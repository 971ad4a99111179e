/** The in-process group: what of it is public. */
export { MemoryNetwork, memory } from "./network.js";
export type { MemoryNetworkOptions, MemoryOptions } from "./network.js";
export { defaultMemoryLimits } from "./limits.js";
export type { MemoryLimits } from "./limits.js";
