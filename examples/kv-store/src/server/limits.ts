/** What connections may cost the server. The limits of a single request are in resp/limits.ts. */
import { defaultRequestLimits, type RequestLimits } from "../resp/limits.js";

export interface ServerLimits {
  readonly request: RequestLimits;
  /** Connections at a time; more are told so and closed. Redis: maxclients. */
  readonly connections: number;
  /** Commands of one connection that wait for their answers; beyond, nothing more is read from it. */
  readonly pipelinedCommands: number;
  /** Bytes of these commands; beyond, nothing more is read either. */
  readonly pipelinedBytes: number;
  /** Bytes that all connections together hold of requests and replies; beyond, those that hold most are closed. Redis: maxmemory-clients. */
  readonly clientBytes: number;
  /** Keys or values in one reply; beyond, the command is refused. No connection holds many more bytes for its peer. */
  readonly replyBytes: number;
  /** A peer that takes none of its waiting replies for so long is closed. */
  readonly stalledWriteTimeoutMs: number;
  /** Time a peer has for reading our last replies after we have closed our side. */
  readonly lingerMs: number;
  /** Time for answering what was taken when the server closes. */
  readonly closeTimeoutMs: number;
  /** Idle time after which TCP asks whether the peer is still there. Redis: tcp-keepalive. */
  readonly keepAliveMs: number;
  /** SCAN cursors that are remembered; the least recently used are forgotten. */
  readonly scanCursors: number;
}

export const defaultServerLimits: ServerLimits = {
  request: defaultRequestLimits,
  connections: 10_000,
  // Enough to fill several batches per round trip; with 10 000 connections the framework's own queue limit comes first.
  pipelinedCommands: 1024,
  // As much as one request may have: while answers are long in coming, as when the group changes, one more is held at most.
  pipelinedBytes: 16 * 1024 * 1024,
  // Four of the largest replies that nobody reads: more are a mistake, or an attack.
  clientBytes: 1024 * 1024 * 1024,
  replyBytes: 256 * 1024 * 1024,
  stalledWriteTimeoutMs: 60_000,
  lingerMs: 1000,
  closeTimeoutMs: 5000,
  keepAliveMs: 300_000,
  scanCursors: 65_536,
};
