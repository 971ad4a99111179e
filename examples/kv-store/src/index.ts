/** What other programs may use of the server: starting it, and its machine. */
export { startServer, type StartOptions } from "./start-server.js";
export { startEmbedded, type EmbeddedGroup, type EmbeddedStartOptions } from "./start-embedded.js";
export { DataError } from "./data-directory.js";
export type { KvServer } from "./server/kv-server.js";
export type { ReadConsistency } from "./server/service.js";
export { defaultServerLimits, type ServerLimits } from "./server/limits.js";
export { kvMachine, type KvReplica } from "./machine/machine.js";
export type { KvState } from "./machine/state.js";
