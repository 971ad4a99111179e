/** The limits of a Corosync transport: one place, all explicit. */
import { checkCallOptions } from "../../call-options.js";
import { LockstepError } from "../../errors.js";

export interface CorosyncOptions {
  /**
   * Own messages that may be on their way (each counted with 128 bytes for its bookkeeping) before multicast() answers "busy", bytes.
   * Default 4 MiB: sixteen messages of the largest size, 80 ms of a ring at 50 MB/s. Without this bound, a sender that never
   * gives up the event loop would have its own messages pile up behind it until it is evicted.
   */
  readonly queueBytes?: number;
  /**
   * Messages held in this process while its event loop is busy, before it is taken out of the group, bytes. Default 64 MiB: more than
   * a second of the fastest ring that was measured (50 MB/s). A process that takes nothing makes its daemon's memory grow instead.
   */
  readonly heldBytes?: number;
  /** How long join() and queries wait for a daemon that is forming its ring or stands still, a second at least, milliseconds. Default 30 000. */
  readonly patienceMs?: number;
  /** How long leave() and close() wait for the daemon before they cut the connection, milliseconds. Default 2000. */
  readonly farewellMs?: number;
}

export type CompleteOptions = Required<CorosyncOptions>;

/** name: [default, least, most] */
const limits = {
  queueBytes: [4 * 1024 * 1024, 1, 2 ** 40],
  heldBytes: [64 * 1024 * 1024, 4 * 1024 * 1024, 2 ** 40],
  patienceMs: [30_000, 0, 86_400_000],
  farewellMs: [2000, 1, 3_600_000],
} as const satisfies Record<keyof CorosyncOptions, readonly [number, number, number]>;

/** @throws LockstepError CONFIGURATION_INVALID naming the option. */
export function completeOptions(given: CorosyncOptions): CompleteOptions {
  checkCallOptions(given, limits, "corosync()", "CONFIGURATION_INVALID");
  return { queueBytes: pick(given, "queueBytes"), heldBytes: pick(given, "heldBytes"), patienceMs: pick(given, "patienceMs"), farewellMs: pick(given, "farewellMs") };
}

function pick(given: CorosyncOptions, name: keyof CorosyncOptions): number {
  const [usual, least, most] = limits[name];
  const value = given[name] ?? usual;
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new LockstepError("CONFIGURATION_INVALID", `corosync({ ${name} }) must be a whole number from ${String(least)} to ${String(most)}, not ${String(value)}.`);
}
