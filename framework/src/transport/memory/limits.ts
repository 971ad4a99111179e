/** The limits of an in-process group: one place, all explicit. Equal for all members, so they belong to the network. */
import { LockstepError } from "../../errors.js";

export interface MemoryLimits {
  /**
   * Largest message, bytes. Default 256 KiB: what a clustered group fragments at, so that a program behaves the same
   * embedded and clustered.
   */
  readonly messageBytes: number;
  /**
   * Own messages a member may have on their way (each counted with 128 bytes for its bookkeeping) before multicast()
   * answers "busy". Default 4 MiB: sixteen messages of the largest size, milliseconds of work.
   */
  readonly queueBytes: number;
  /** Messages of one group delivered per turn of the event loop. Default 1 MiB: other work of the process gets its turn. */
  readonly batchBytes: number;
  /**
   * Messages held for a paused member before it is evicted. Default 64 MiB: a member that takes nothing must not grow
   * the process without bound.
   */
  readonly heldBytes: number;
}

export const defaultMemoryLimits: MemoryLimits = {
  messageBytes: 256 * 1024,
  queueBytes: 4 * 1024 * 1024,
  batchBytes: 1024 * 1024,
  heldBytes: 64 * 1024 * 1024,
};

/** What a message weighs besides its bytes: a view, a delivery, a place in a queue. */
const bookkeepingBytes = 128;

export function messageWeight(data: Uint8Array): number {
  return data.byteLength + bookkeepingBytes;
}

/** @throws LockstepError CONFIGURATION_INVALID naming the limit. */
export function completeLimits(given: Partial<MemoryLimits>): MemoryLimits {
  const limits = { ...defaultMemoryLimits, ...given };
  for (const [name, value] of Object.entries(limits)) {
    if (!(name in defaultMemoryLimits)) throw new LockstepError("CONFIGURATION_INVALID", `MemoryNetwork has no limit "${name}"; it has ${Object.keys(defaultMemoryLimits).join(", ")}.`);
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new LockstepError("CONFIGURATION_INVALID", `MemoryNetwork limits.${name} must be a whole number of bytes above 0, not ${String(value)}.`);
    }
  }
  return limits;
}
