/**
 * A durable log, as far as the core decides it: what is to be written, and what of that a restart would find.
 *
 * What is written follows from what the core holds: after every step the difference between that and the disk's content
 * is one atomic write (framework/src/log/store.ts), unless one is under way; so one flush serves all that waits.
 * Only verified entries are written, and a ballot goes with the entries that it was taken with.
 */
import { invariant } from "../errors.js";
import { genesisHash } from "../log/chain-hash.js";
import type { LogPoint } from "../log/log.js";
import type { Recovered, StoreHead, StoreWrite } from "../log/store.js";
import { equalBallots, zeroBallot } from "./ballot.js";
import type { CoreState } from "./state.js";

export interface DiskContent {
  readonly head: StoreHead;
  /** Where its log begins, and its last position. */
  readonly base: number;
  readonly end: number;
}

export interface Disk {
  /** What a restart would find. */
  flushed: DiskContent;
  /** What it will find when the write under way is done; the same as `flushed` if there is none. */
  issued: DiskContent;
  /** The write under way. */
  writing: number | undefined;
  writes: number;
  /** The log in memory is the log on disk, as issued, up to here; -1: not even its base. */
  agrees: number;
  /** A state was taken over, or entries were given up: nothing of the log can be written before a snapshot of the state is. */
  adopted: LogPoint | undefined;
  /** A finished snapshot that the log on disk shall begin with. */
  nextBase: LogPoint | undefined;
}

const blankHead: StoreHead = { ballot: zeroBallot, promised: zeroBallot, lineage: false, replaceState: false, known: [] };

export const blankRecovery: Recovered = { head: blankHead, base: { position: 0, hash: genesisHash }, snapshot: undefined, entries: [] };

/** @param end The last position of the recovered log. */
export function recoveredDisk({ head, base }: Recovered, end: number): Disk {
  const content = { head, base: base.position, end };
  return { flushed: content, issued: content, writing: undefined, writes: 0, agrees: end, adopted: undefined, nextBase: undefined };
}

/** The own ballot will survive this process: who says something in it has not forgotten it after a crash. */
export function ballotIsDurable({ disk, ballot }: CoreState): boolean {
  return disk === undefined || (disk.adopted === undefined && equalBallots(disk.flushed.head.ballot, ballot));
}

/** The highest position that this replica promises to keep. */
export function durableEnd(state: CoreState): number {
  const { disk, log, verified } = state;
  if (disk === undefined) return log.end;
  return ballotIsDurable(state) ? Math.min(disk.flushed.end, verified) : 0;
}

/** Entries up to here are not needed in memory for being written. */
export function writtenThrough({ disk }: CoreState): number {
  if (disk === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(disk.agrees, disk.adopted?.position ?? 0, disk.nextBase?.position ?? 0);
}

/** The log in memory was cut. */
export function cutOnDisk({ disk }: CoreState, position: number): void {
  if (disk !== undefined) disk.agrees = Math.min(disk.agrees, position);
}

/** Log and state in memory do not follow what is on disk any more. */
export function adoptOnDisk(state: CoreState, point: LogPoint): void {
  if (state.disk === undefined) return;
  state.disk.agrees = -1;
  state.disk.adopted = point;
  state.disk.nextBase = undefined;
  state.effects.push({ type: "storeSnapshot", point });
}

/**
 * More waits for the disk than shall be kept in memory: it is full, or too slow. A snapshot of what is applied is to take the place
 * of those entries; until it is there nothing is acknowledged, and the disk keeps what it has.
 */
export function giveUpWriting(state: CoreState, applied: number): void {
  const hash = state.log.hashAt(applied);
  if (state.disk === undefined || applied <= writtenThrough(state) || hash === undefined) return;
  adoptOnDisk(state, { position: applied, hash });
  // For as long as the disk takes nothing there would be ever more of them. When it has the snapshot, one late acknowledgement is for all.
  state.awaited = [];
}

/** A snapshot of the state at a point is finished. */
export function snapshotStored({ disk, log }: CoreState, point: LogPoint): void {
  if (disk === undefined) return;
  if (disk.adopted !== undefined) {
    // Of an earlier state that is not this log's.
    if (disk.adopted.position !== point.position || disk.adopted.hash !== point.hash) return;
    disk.adopted = undefined;
  } else if (point.position <= disk.issued.base) {
    return;
  }
  // It was applied, so it is in the log, though memory may not reach back to it any more.
  const hash = log.hashAt(point.position);
  invariant(hash === point.hash || (hash === undefined && point.position < log.base), `the snapshot of position ${point.position} is of this log`);
  disk.nextBase = point;
  disk.agrees = Math.max(disk.agrees, point.position);
}

/** At the end of a step: writes what there is to write, if nothing is being written. */
export function writeDown(state: CoreState): void {
  const { disk } = state;
  if (disk === undefined || disk.writing !== undefined) return;
  const write = disk.adopted === undefined ? wholeDifference(state, disk) : promiseOnly(state, disk);
  if (write === undefined) return;
  disk.writes++;
  disk.writing = disk.writes;
  state.effects.push({ type: "persist", token: disk.writes, write });
}

export function written({ disk }: CoreState, token: number): boolean {
  if (disk === undefined || disk.writing !== token) return false;
  disk.writing = undefined;
  disk.flushed = disk.issued;
  return true;
}

function wholeDifference(state: CoreState, disk: Disk): StoreWrite | undefined {
  const { log, verified, ballot, promised, lineage, replaceState, known } = state;
  const { issued, nextBase } = disk;
  const head: StoreHead = { ballot, promised, lineage, replaceState, known };
  const cut = issued.end > disk.agrees;
  const from = Math.max(Math.min(issued.end, disk.agrees), nextBase?.position ?? 0);
  if (!cut && nextBase === undefined && verified <= from && equalHeads(head, issued.head)) return undefined;
  const entries: StoreWrite["entries"][number][] = [];
  for (let position = from + 1; position <= verified; position++) {
    const entry = log.at(position);
    invariant(entry !== undefined, `position ${position} is to be written, and in the log`);
    entries.push({ ...entry, position });
  }
  disk.issued = { head, base: nextBase?.position ?? issued.base, end: Math.max(from, verified) };
  disk.agrees = disk.issued.end;
  disk.nextBase = undefined;
  return { ...(cut ? { cutAfter: Math.max(from, 0) } : {}), ...(nextBase === undefined ? {} : { base: nextBase }), entries, head };
}

/** While the state that was taken over is not on disk, the log there stays as it is; and so does what a restart may claim of it. */
function promiseOnly({ promised, lineage, known }: CoreState, disk: Disk): StoreWrite | undefined {
  const before = disk.issued.head;
  const head: StoreHead = { ...before, promised, lineage: before.lineage && lineage, known };
  if (equalHeads(head, before)) return undefined;
  disk.issued = { ...disk.issued, head };
  return { entries: [], head };
}

function equalHeads(a: StoreHead, b: StoreHead): boolean {
  return equalBallots(a.ballot, b.ballot) && equalBallots(a.promised, b.promised) && a.lineage === b.lineage
    && a.replaceState === b.replaceState && a.known.length === b.known.length && a.known.every((slot, at) => slot === b.known[at]);
}
