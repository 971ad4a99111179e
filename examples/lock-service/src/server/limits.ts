/** What clients may cost one server. What the replicated state may hold is in machine/inputs.ts: machineLimits. */
export interface ServerLimits {
  /** A request's body, bytes. More is refused with 413. */
  readonly bodyBytes: number;
  /** A request's line and headers, bytes. More is refused with 431. */
  readonly headerBytes: number;
  /** One part of a path between slashes (a lock's name, an id), as it is sent, characters. More is refused with 414. */
  readonly pathPartLength: number;
  /** Connections at a time; more are closed at once. */
  readonly connections: number;
  /** Time for a whole request to arrive, milliseconds. */
  readonly requestTimeoutMs: number;
  /** How long a connection may be idle between two requests, milliseconds. */
  readonly idleTimeoutMs: number;
  /** Streams of events at a time; more are refused with 429. */
  readonly streams: number;
  /** Between two comments that keep a stream open when nothing happens, milliseconds. A reader that takes nothing for so long is cut off. */
  readonly streamKeepAliveMs: number;
  /** How long one call may hang, milliseconds. */
  readonly pollMs: number;
  /** How long calls go on hanging when their replica has lost its quorum or its group, milliseconds. */
  readonly awayMs: number;
  /** Rows of one page of a listing. */
  readonly pageRows: number;
  /** Sessions renewed by one command. */
  readonly renewalsAtOnce: number;
  /** The shortest TTL of a session that is opened by Consul's interface, milliseconds. */
  readonly consulLeastTtlMs: number;
  /** Time for answering what was taken when the server closes, milliseconds. */
  readonly closeTimeoutMs: number;
}

export const defaultServerLimits: ServerLimits = {
  bodyBytes: 64 * 1024,
  // Node's default.
  headerBytes: 16 * 1024,
  // Names are up to 256 characters; percent-encoded, each takes up to twelve.
  pathPartLength: 3072,
  connections: 20_000,
  requestTimeoutMs: 30_000,
  // Longer than a client's pause between two renewals with the default TTL.
  idleTimeoutMs: 75_000,
  streams: 1000,
  // Shorter than the idle time-outs of customary proxies.
  streamKeepAliveMs: 15_000,
  pollMs: 60_000,
  // A cut that heals within it is not worth a client's journey to another node.
  awayMs: 1000,
  pageRows: 1000,
  // Some milliseconds of every replica: others' commands wait no longer.
  renewalsAtOnce: 1000,
  // Consul's session_ttl_min.
  consulLeastTtlMs: 10_000,
  closeTimeoutMs: 5000,
};
