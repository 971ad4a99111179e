/**
 * A new start from one replica's disk, after the others are lost for good: its log goes on under a ballot that no earlier one can
 * reach, with a record of who said so. What the others had beyond it is given up.
 */
import { highestBallot, newStart, type Ballot } from "../core/ballot.js";
import { LockstepError } from "../errors.js";
import { encodeEntry, encodeHead, encodeIdentity } from "../log/store-codec.js";
import { keys } from "../log/store-keys.js";
import type { Backend, StoreHead, StoreIdentity } from "../log/store.js";
import { recordEntry } from "./record-entry.js";
import { withStore, type LogReport, type StoreReport } from "./store-report.js";

export interface NewStartPlan {
  readonly report: StoreReport;
  readonly log: LogReport;
  readonly identity: StoreIdentity;
  readonly ballot: Ballot;
}

/** @param slots of the group from now on; undefined: as they are. */
export function planNewStart(directory: string, slots: readonly number[] | undefined): Promise<NewStartPlan> {
  return withStore(directory, (_backend, report) => plan(report, slots));
}

/** Looks again, and does it. */
export function startAnew(directory: string, slots: readonly number[] | undefined, by: string, atMs: number): Promise<NewStartPlan> {
  return withStore(directory, async (backend, report) => {
    const planned = plan(report, slots);
    await write(backend, planned, by, atMs);
    return planned;
  });
}

function plan(report: StoreReport, slots: readonly number[] | undefined): NewStartPlan {
  const { directory, identity, log } = report;
  if (log === undefined || log.end.position === 0) throw new LockstepError("OPERATION_REFUSED", `${directory} holds no log: there is nothing to start from. Choose another replica's directory, or restore a backup.`);
  if (log.head.replaceState) throw new LockstepError("OPERATION_REFUSED", `The state in ${directory} is known to be wrong: it differed from the other replicas'. Choose another replica's directory, or restore a backup.`);
  if (slots !== undefined && !slots.includes(identity.slot)) throw new LockstepError("OPERATION_REFUSED", `The replica of ${directory} has slot ${identity.slot}, which is not one of ${slots.join(", ")}: the replica to start from must be one of the new group's.`);
  const { ballot, promised } = log.head;
  return { report, log, identity: { ...identity, slots: slots ?? identity.slots }, ballot: newStart(highestBallot([ballot, promised]), identity.slot, log.end.hash) };
}

/** One atomic write. */
function write(backend: Backend, { report, log, identity, ballot }: NewStartPlan, by: string, atMs: number): Promise<void> {
  const before = report.identity.slots.join(", ");
  const now = identity.slots.join(", ");
  const details = `from slot ${identity.slot}, after position ${log.end.position}${before === now ? "" : `; slots ${now} instead of ${before}`}`;
  const entry = recordEntry(log.end, ballot, identity.slot, { what: "new start", who: by, atMs, details });
  const head: StoreHead = { ballot, promised: ballot, lineage: true, replaceState: false, known: [identity.slot] };
  const key = keys.entry(entry.position);
  return backend.commit([
    { type: "put", key: keys.identity, value: encodeIdentity(keys.identity, identity) },
    { type: "put", key, value: encodeEntry(key, entry) },
    { type: "put", key: keys.head, value: encodeHead(keys.head, { head, end: { position: entry.position, hash: entry.hash } }) },
  ]);
}
