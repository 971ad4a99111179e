/** @lockstep/lock-service/client: the client library. */
export { LockClient, type AcquireOptions, type EventsOptions, type ForceReleased, type Leader, type LockClientOptions } from "./lock-client.js";
export { Grant, type BlockingNotice, type ConvertOptions, type ModeName } from "./grant.js";
export type { LockEvent } from "../machine/events.js";
export { TokenGuard } from "./token-guard.js";
export type { ClientClock } from "./clock.js";
export type { TlsSettings } from "./endpoints.js";
export * from "./errors.js";
