/** What is known of one client: what HELLO, CLIENT and INFO speak of. The socket is connection.ts's. */
import type { CommandSpec } from "../commands/spec.js";
import type { Protocol } from "../resp/reply.js";

export interface Session {
  /** Counts the server's connections from 1. */
  readonly id: number;
  /** HOST:PORT of the peer. */
  readonly address: string;
  /** HOST:PORT of this end. */
  readonly localAddress: string;
  readonly connectedAtMs: number;
  protocol: Protocol;
  name: string;
  libraryName: string;
  libraryVersion: string;
  /** Its last command, and when it came. */
  lastCommand: CommandSpec | undefined;
  lastAtMs: number;
  /** What its connection holds for it. */
  heldBytes: () => number;
  /** Set by QUIT: the connection is closed once everything before has been answered. */
  closing: boolean;
}
