/**
 * Carries out what the core wants on disk: its writes, one after the other, and snapshots of the applied state, slice by
 * slice beside everything else. What the disk does not take is tried again: until it has it the core acknowledges nothing that it needs.
 *
 * It outlives memberships: the disk is the replica's.
 */
import type { Applier, SnapshotSource } from "../apply/types.js";
import { invariant, isLockstepError } from "../errors.js";
import type { CoreEvent } from "../core/events.js";
import type { Limits } from "../limits.js";
import type { Logger } from "../logger.js";
import type { Cancel, Scheduler } from "../scheduler.js";
import type { LogPoint } from "./log.js";
import type { Store, StoredEntries, StoreWrite } from "./store.js";

/** Pauses before another attempt: a full disk is not helped by trying harder. */
const firstRetryMs = 100;
const lastRetryMs = 5_000;
/** After a slice of a snapshot, if the log is being written too: several times as long as a slice takes. */
const slicePauseMs = 10;

/** Of a snapshot that the log waits for, so many at once: a flush for each is most of what it takes. */
const slicesTogether = 16;

export interface PersistenceParts {
  readonly store: Store;
  readonly applier: Applier<unknown>;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly scheduler: Scheduler;
  /** For the core: that of now, or the next one. */
  readonly tellCore: (event: CoreEvent) => void;
  /** Trying again does not help: this replica cannot go on. */
  readonly failed: (error: Error) => void;
}

type HashAt = (position: number) => string | undefined;

/** A snapshot being written. */
interface Job {
  readonly point: LogPoint;
  readonly source: SnapshotSource;
  /** The log is not written before it is done. */
  readonly needed: boolean;
  /** Another one took its place. */
  dropped: boolean;
}

export class Persistence {
  readonly #parts: PersistenceParts;
  /** Applied since the newest snapshot was begun. */
  #bytesSince = 0;
  #job: Job | undefined;
  /** A snapshot is finished, and the log does not begin with it yet. */
  #unused = false;
  /** Until the next snapshot that is due by time. */
  #cancelInterval: Cancel | undefined;
  /** Ends when the last job has. */
  #jobs: Promise<void> = Promise.resolve();
  #closed = false;
  /** Since the last slice of a snapshot. */
  #logWritten = false;
  #logTrouble: string | undefined;
  /** Of a snapshot that is needed. */
  #stateTrouble: string | undefined;
  /** Why no snapshot is written at the moment that would let the log on disk begin later: it grows meanwhile. For operators. */
  snapshotTrouble: string | undefined;
  /** Why nothing can be acknowledged at the moment, for operators. */
  trouble: string | undefined;

  constructor(parts: PersistenceParts) {
    this.#parts = parts;
  }

  /** Writes, and says so when it is done. */
  write(token: number, change: StoreWrite): void {
    void this.#write(token, change);
  }

  async #write(token: number, change: StoreWrite): Promise<void> {
    if (!await this.#untilDone(() => this.#parts.store.write(change), () => this.#closed, (trouble) => { this.#logTrouble = trouble; })) return;
    this.#logWritten = true;
    if (change.base !== undefined) this.#unused = false;
    this.#parts.tellCore({ type: "persisted", token });
  }

  /** The applied state, which is that of `point`: before it is on disk, the log that follows it is not written. */
  storeSnapshot(point: LogPoint): void {
    this.#beginSnapshot(point, true);
  }

  #beginSnapshot(point: LogPoint, needed: boolean): void {
    if (this.#job !== undefined) this.#job.dropped = true;
    this.#bytesSince = 0;
    this.#cancelInterval?.();
    this.#cancelInterval = undefined;
    this.#unused = false;
    const source = this.#parts.applier.capture();
    invariant(source.position === point.position, `the state of position ${source.position} is stored as that of ${point.position}`);
    const job: Job = { point, source, needed, dropped: false };
    this.#job = job;
    this.#jobs = this.#jobs.then(() => this.#run(job));
  }

  /** An entry of so many bytes was applied: after a while, or many of them, the log on disk gives way to the state that it led to. */
  applied(bytes: number, hashAt: HashAt): void {
    const { limits, scheduler } = this.#parts;
    this.#bytesSince += bytes;
    this.#cancelInterval ??= scheduler.after(limits.snapshotIntervalMs, () => {
      this.#cancelInterval = undefined;
      this.#snapshotIsDue(hashAt);
    });
    if (this.#bytesSince >= limits.snapshotLogBytes) this.#snapshotIsDue(hashAt);
  }

  #snapshotIsDue(hashAt: HashAt): void {
    if (this.#job !== undefined || this.#unused || this.#closed) return;
    const { position } = this.#parts.applier;
    const hash = hashAt(position);
    if (hash !== undefined) this.#beginSnapshot({ position, hash }, false);
  }

  /** For another replica. What the disk does not give any more, it gets otherwise: this replica needs it only after a restart, which will refuse it. */
  entriesBetween(from: LogPoint, to: LogPoint): StoredEntries | undefined {
    try {
      return this.#parts.store.entriesBetween(from, to);
    } catch (error) {
      if (!isLockstepError(error, "STORE_DAMAGED") && !isLockstepError(error, "STORE_FAILED")) throw error;
      this.#parts.logger.error({ error: error.message }, "the log on disk cannot be read");
      return undefined;
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#cancelInterval?.();
    return this.#parts.store.close();
  }

  async #run(job: Job): Promise<void> {
    const givenUp = (): boolean => this.#closed || job.dropped;
    const done = await this.#untilDone(() => this.#writeSnapshot(job, givenUp), givenUp, (trouble) => {
      if (job.needed) this.#stateTrouble = trouble;
      else this.#snapshotFails(trouble);
    });
    if (job.dropped) this.#snapshotFails(undefined);
    if (this.#job === job) this.#job = undefined;
    if (!done || givenUp()) return;
    this.#unused = true;
    this.#parts.tellCore({ type: "snapshotStored", point: job.point });
  }

  async #writeSnapshot({ point, source, needed }: Job, givenUp: () => boolean): Promise<void> {
    const { store, limits, scheduler } = this.#parts;
    const writer = store.beginSnapshot(point);
    const slices = source.slices(limits.snapshotSliceBytes);
    const together = needed ? slicesTogether : 1;
    const waiting: Uint8Array[] = [];
    try {
      for (let slice = slices.next(); slice.done !== true; slice = slices.next()) {
        waiting.push(slice.value);
        if (waiting.length === together) {
          await writer.write(...waiting.splice(0));
          await this.#giveWay();
        } else {
          await new Promise<void>((resolve) => { scheduler.soon(resolve); });
        }
        if (givenUp()) return await writer.abort();
      }
      if (waiting.length > 0) await writer.write(...waiting);
      await writer.finish();
    } catch (error) {
      await writer.abort().catch(() => undefined);
      throw error;
    }
  }

  /** Between two slices: who waits for a commit would wait for all of them. */
  async #giveWay(): Promise<void> {
    if (!this.#logWritten) return;
    this.#logWritten = false;
    await new Promise<void>((resolve) => { this.#parts.scheduler.after(slicePauseMs, resolve); });
  }

  /** False if it was given up. */
  async #untilDone(attempt: () => Promise<void>, givenUp: () => boolean, note: (trouble: string | undefined) => void): Promise<boolean> {
    for (let pauseMs = firstRetryMs; !givenUp(); pauseMs = Math.min(lastRetryMs, pauseMs * 2)) {
      try {
        await attempt();
        note(undefined);
        this.#report();
        return true;
      } catch (error) {
        if (givenUp()) return false;
        if (!isLockstepError(error, "STORE_FAILED")) {
          this.#parts.failed(error instanceof Error ? error : new Error(String(error)));
          return false;
        }
        note(error.message);
        this.#report();
      }
      await new Promise<void>((resolve) => { this.#parts.scheduler.after(pauseMs, resolve); });
    }
    return false;
  }

  #report(): void {
    const trouble = this.#logTrouble ?? this.#stateTrouble;
    if (trouble === this.trouble) return;
    const before = this.trouble;
    this.trouble = trouble;
    if ((before === undefined) !== (trouble === undefined)) this.#parts.tellCore({ type: "diskTrouble", failing: trouble !== undefined });
    if (trouble === undefined) this.#parts.logger.info({}, "the disk takes what is written again");
    else this.#parts.logger.error({ trouble }, "the disk takes nothing: this replica acknowledges no entries until it does");
  }

  #snapshotFails(trouble: string | undefined): void {
    if (trouble === this.snapshotTrouble) return;
    this.snapshotTrouble = trouble;
    if (trouble === undefined) this.#parts.logger.info({}, "snapshots are written again");
    else this.#parts.logger.error({ trouble }, "the disk takes no snapshot of the state: the log on it grows until it does");
  }
}
