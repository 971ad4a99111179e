/** Every limit and time-out of a replica, with its default and the reason for it. */
import { LockstepError } from "./errors.js";

export interface Limits {
  /** One encoded command, bytes. Larger ones are refused with COMMAND_TOO_LARGE. */
  readonly commandBytes: number;
  /** Commands of one batch, bytes; a larger single command travels alone. */
  readonly batchBytes: number;
  /** Own batches multicast and not yet delivered back. */
  readonly inFlightBatches: number;
  /** How long an acknowledgement that no commit waits for may wait for a batch to go with, milliseconds. */
  readonly lateAckMs: number;
  /** Encoded commands waiting to be sent or answered, bytes. More are refused with QUEUE_FULL. */
  readonly queueBytes: number;
  /** Submissions waiting to be sent or answered. More are refused with QUEUE_FULL. */
  readonly pendingSubmissions: number;
  /** Time to answer a submission or a linearizable read, milliseconds, unless the call says otherwise. */
  readonly answerTimeoutMs: number;
  /** A slice of a snapshot, bytes. */
  readonly snapshotSliceBytes: number;
  /** Chunks of a transfer multicast and not yet delivered back. */
  readonly inFlightChunks: number;
  /** Applied entries kept for members that come back, bytes of memory: each takes 800 besides its own (log/log.ts). */
  readonly logRetentionBytes: number;
  /** A member that lacks no more than this gets the entries, bytes, even where the state is smaller. */
  readonly incrementalBytes: number;
  /** With a durable log: applied entries after which a snapshot of the state takes their place on disk, bytes. */
  readonly snapshotLogBytes: number;
  /** With a durable log: the same after this time, milliseconds, if anything was applied. */
  readonly snapshotIntervalMs: number;
  /** With a durable log: entries kept in memory for a disk that does not take them, bytes of memory as above; beyond, a snapshot of the state is to take their place. */
  readonly unwrittenBytes: number;
  /** How long a process that has a long log to apply does that before it looks after everything else, milliseconds. 0: one entry. */
  readonly applySliceMs: number;
  /** Batches held by a synchronising member, bytes of memory as above; beyond it asks for a later snapshot. And entries that come while its disk takes the snapshot. */
  readonly heldBytes: number;
  /** Applied entries kept for events({ from }). */
  readonly eventEntries: number;
  /** The same in bytes of the entries; results, and inputs of timers, are not counted. */
  readonly eventBytes: number;
  /** How long a member may be silent before a view change goes on without it, milliseconds. */
  readonly silenceTimeoutMs: number;
  /** How long a synchronising member waits for the next chunk before it asks another donor, milliseconds. */
  readonly transferTimeoutMs: number;
  /** Watchdogs and timers are looked at this often, milliseconds. */
  readonly tickMs: number;
  /** Cluster time between comparisons of state digests, milliseconds. 0 turns them off. */
  readonly digestIntervalMs: number;
  /** How often a replica asks the others for the time, milliseconds: the clock that runs fastest is right. */
  readonly clockCheckMs: number;
}

export const defaultLimits: Limits = {
  // etcd's request limit is 1.5 MiB, ZooKeeper's 1 MiB: larger values belong elsewhere.
  commandBytes: 1024 * 1024,
  // Corosync moves 50 MB/s from 8 kB messages up; more only adds latency, and a ring holds a few hundred kB at a time.
  batchBytes: 32 * 1024,
  // One on the wire while the next one fills: what queues during a rotation of the token goes out together.
  inFlightBatches: 2,
  // What a commit waits longer when the replica that should answer at once is dead or frozen; a batch is mostly sooner.
  lateAckMs: 5,
  // About a second of Corosync's throughput.
  queueBytes: 64 * 1024 * 1024,
  pendingSubmissions: 100_000,
  // Longer than a node's death with Corosync's default token on three nodes (3.65 s, and 4.38 s of consensus).
  answerTimeoutMs: 10_000,
  // About 2 ms to serialise and 3 ms of the wire: commands between two slices wait no longer.
  snapshotSliceBytes: 64 * 1024,
  inFlightChunks: 4,
  // A minute's absence at 1 MB/s of commands.
  logRetentionBytes: 64 * 1024 * 1024,
  // A moment of the wire; with a snapshot a member loses what its own commands came to.
  incrementalBytes: 1024 * 1024,
  // Read and applied again at a restart, in about ten seconds; written again with every snapshot, so not less than the state of most groups.
  snapshotLogBytes: 64 * 1024 * 1024,
  // A restart of a group with little to do should not read a day's log; a state of a gigabyte an hour is nothing to a disk.
  snapshotIntervalMs: 60 * 60 * 1000,
  // As much again as is kept of applied entries: a full disk is a matter of minutes, and must not fill the memory as well.
  unwrittenBytes: 64 * 1024 * 1024,
  // Short beside every time-out, and long beside a turn of the event loop.
  applySliceMs: 10,
  heldBytes: 256 * 1024 * 1024,
  eventEntries: 10_000,
  // As much as of the log for members that come back: with the largest commands the number alone would let gigabytes be kept.
  eventBytes: 64 * 1024 * 1024,
  // Many times the longest pause of a healthy event loop, short beside the answer time-out.
  silenceTimeoutMs: 2_000,
  transferTimeoutMs: 2_000,
  tickMs: 50,
  digestIntervalMs: 60_000,
  // Clocks of computers differ by less than half a millisecond a second: five milliseconds, where nothing else tells.
  clockCheckMs: 10_000,
};

/**
 * The highest values of what becomes a message: a third of a second of the wire. They are the same for all, so that each replica takes what
 * any other one may send: limits are a replica's own, and may differ.
 */
const largestCommandBytes = 16 * 1024 * 1024;
const largestSliceBytes = 4 * 1024 * 1024;
const highest: Partial<Limits> = { commandBytes: largestCommandBytes, batchBytes: largestCommandBytes, snapshotSliceBytes: largestSliceBytes };

/** No message is larger, whatever the limits of its sender: the highest of them, and a little for what goes around it. */
export const largestMessageBytes = 17 * 1024 * 1024;

/** @throws LockstepError CONFIGURATION_INVALID. */
export function resolveLimits(given: Partial<Limits> = {}): Limits {
  if (typeof given !== "object" || given === null) throw new LockstepError("CONFIGURATION_INVALID", "limits must be an object: { tickMs: 20, … }");
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaultLimits, name)) throw new LockstepError("CONFIGURATION_INVALID", `limits.${name} is not a limit; there are ${Object.keys(defaultLimits).join(", ")}`);
    const least = name === "digestIntervalMs" || name === "applySliceMs" ? 0 : 1;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least) {
      throw new LockstepError("CONFIGURATION_INVALID", `limits.${name} must be a whole number of at least ${least}, not ${String(value)}`);
    }
    const most = highest[name as keyof Limits];
    if (most !== undefined && value > most) throw new LockstepError("CONFIGURATION_INVALID", `limits.${name} must be at most ${most}, not ${value}: no replica takes a larger message. Keep larger things elsewhere, or in parts`);
  }
  return { ...defaultLimits, ...given };
}
