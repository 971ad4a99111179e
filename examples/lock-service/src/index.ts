/** What other programs may use of the service: starting it, and its machine. The client library is @lockstep/lock-service/client. */
export { startServer, type StartOptions } from "./start-server.js";
export { startEmbedded, type EmbeddedGroup, type EmbeddedStartOptions } from "./start-embedded.js";
export { DataError } from "./data-error.js";
export type { LockServer } from "./server/lock-server.js";
export { Access, type Grant, type Permission, type TokenEntry } from "./server/access.js";
export { readTokenFile, TokenFileError } from "./server/token-file.js";
export { readTlsFiles, TlsError, type TlsFiles, type TlsOptions } from "./server/tls.js";
export { defaultServerLimits, type ServerLimits } from "./server/limits.js";
export { serviceErrors, type ServiceErrorCode } from "./server/errors.js";
export { lockMachine, type LockReplica, type LockState } from "./machine/machine.js";
