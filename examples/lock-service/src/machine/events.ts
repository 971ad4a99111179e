/**
 * What happened, as the service tells it: one row for each change that somebody may wait for, under a revision that only grows.
 * The newest are kept in the replicated state (machineLimits.events), so that a watcher can go on through any replica.
 */
import type { Refusal, SessionEnd } from "./inputs.js";
import type { LockMode } from "./modes.js";

interface EventOfRequest {
  readonly session: string;
  readonly request: string;
  /** Of all its wants. */
  readonly locks: readonly string[];
}

/** Without what the place in the log gives it. */
export type EventOf =
  | { readonly type: "session-opened"; readonly session: string; readonly name: string }
  | { readonly type: "session-ended"; readonly session: string; readonly reason: SessionEnd }
  | ({ readonly type: "queued" } & EventOfRequest)
  | ({ readonly type: "granted"; readonly token: number; readonly value: string | null } & EventOfRequest)
  | ({ readonly type: "refused"; readonly refusal: Refusal } & EventOfRequest)
  | ({ readonly type: "released"; readonly token: number; readonly reason: "released" | "converted" | "session-ended" | "forced" | "cancelled" } & EventOfRequest)
  | ({ readonly type: "proclaimed"; readonly value: string } & EventOfRequest)
  /** To a holder: somebody waits for what it holds. Once for each who comes to wait. */
  | { readonly type: "blocking"; readonly session: string; readonly request: string; readonly lock: string; readonly wanted: LockMode | null }
  | { readonly type: "force-released"; readonly lock: string; readonly sessions: readonly string[]; readonly reason: string; readonly by: string };

export type LockEvent = { readonly revision: number; readonly position: number; /** Cluster time. */ readonly at: number } & EventOf;
