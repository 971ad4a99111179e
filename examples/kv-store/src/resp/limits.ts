/** What one request may cost before it is understood. Not the limits of a connection: those are in server/limits.ts. */

export interface RequestLimits {
  /** Longest inline command, and longest header line of an array or bulk string. Redis: PROTO_INLINE_MAX_SIZE. */
  readonly inlineBytes: number;
  /** Longest single argument. */
  readonly bulkBytes: number;
  /** Most arguments of one command, its name included. */
  readonly arguments: number;
  /** All arguments of one command together: what one connection can make the server hold while it is still sending. */
  readonly requestBytes: number;
}

export const defaultRequestLimits: RequestLimits = {
  inlineBytes: 64 * 1024,
  // Redis allows 512 MiB, but a write of this server travels through the group as one command and is held in every
  // replica's log: the framework refuses those of more than 1 MiB by default. This much is read all the same, so that the
  // refusal is a reply and not a hang-up, and little enough for thousands of connections.
  bulkBytes: 8 * 1024 * 1024,
  arguments: 1024 * 1024,
  requestBytes: 16 * 1024 * 1024,
};
